"""Say in words how one tool call differs from another. For people: never the judge."""

from __future__ import annotations

from collections.abc import Iterator

from tonearm.canonical import Json
from tonearm.model import ToolCall
from tonearm.replay.arguments import Canon, Rule, differences
from tonearm.replay.places import WIDTH, places, shown, side_by_side, size
from tonearm.replay.schema import pointer
from tonearm.terminal import one_line

MAX_VALUES = 1000
"""Values in the arguments of a call that are compared one by one."""
MAX_LINES = 10

_PARSED = Canon(rules=frozenset({Rule.JSON_STRING_ARGS}))


def describe(expected: ToolCall, actual: ToolCall) -> list[str]:
    """Return a line for each place where two calls differ, at most ``MAX_LINES`` and one more.

    Values are spelled as JSON with the types they have: ``1``, ``1.0`` and ``"1"`` differ here. The
    lines are safe to print.
    """
    lines = []
    if expected.name != actual.name:
        lines.append(f"name: {_change(expected.name, actual.name)}")
    left, right = _PARSED.arguments(expected.arguments), _PARSED.arguments(actual.arguments)
    if max(size(left), size(right)) > MAX_VALUES:
        lines += [f"{_place(path)}: {kind}" for path, kind in differences(left, right)]
    else:
        lines += sorted(_deep_lines(left, right))
    more = len(lines) - MAX_LINES
    return lines if more <= 0 else [*lines[:MAX_LINES], f"and {more} more"]


def _deep_lines(left: Json, right: Json) -> Iterator[str]:
    for found in places(left, right):
        place = _place(pointer(found.steps))
        if found.kind == "added":
            yield f"{place}: added {shown(found.right)}"
        elif found.kind == "removed":
            yield f"{place}: removed {shown(found.left)}"
        else:
            yield f"{place}: {_change(found.left, found.right)}"


def _place(path: str) -> str:
    return one_line(path, WIDTH) or "arguments"


def _change(left: Json, right: Json) -> str:
    return " -> ".join(side_by_side(left, right))
