"""Say in words how one tool call differs from another. For people: never the judge.

DeepDiff finds the places. Its idea of equality is not ours, its time explodes on lists whose order
it is told to ignore, and it puts a diff into the result for texts of several lines. So it sees
parsed arguments of bounded size, lists in order, and each text as one line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from deepdiff import DeepDiff

from tonearm.canonical import Json
from tonearm.model import ToolCall
from tonearm.replay.arguments import Canon, Rule, differences
from tonearm.replay.schema import pointer
from tonearm.terminal import one_line

MAX_VALUES = 1000
"""Values in the arguments of a call that DeepDiff may see; each takes it some 40 us."""
MAX_LINES = 10
WIDTH = 60
"""Characters of one value that are shown."""

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
    if max(_size(left), _size(right)) > MAX_VALUES:
        lines += [f"{_place(path)}: {kind}" for path, kind in differences(left, right)]
    else:
        lines += sorted(_deep_lines(left, right))
    more = len(lines) - MAX_LINES
    return lines if more <= 0 else [*lines[:MAX_LINES], f"and {more} more"]


def _deep_lines(left: Json, right: Json) -> Iterator[str]:
    found = DeepDiff(
        _flat(left),
        _flat(right),
        view="tree",
        zip_ordered_iterables=True,
        ignore_private_variables=False,
        threshold_to_diff_deeper=0,
    )
    for report, levels in found.items():
        for level in levels:
            steps = level.path(output_format="list")
            place = _place(pointer(steps))
            if report.endswith("_added"):
                yield f"{place}: added {_shown(_at(right, steps))}"
            elif report.endswith("_removed"):
                yield f"{place}: removed {_shown(_at(left, steps))}"
            else:
                yield f"{place}: {_change(_at(left, steps), _at(right, steps))}"


def _flat(value: Json) -> Json:
    """Return a value with each text spelled as JSON, so that none has a line break."""
    match value:
        case str():
            return json.dumps(value)
        case dict():
            return {name: _flat(item) for name, item in value.items()}
        case list():
            return [_flat(item) for item in value]
    return value


def _at(value: Json, steps: list[str | int]) -> Json:
    for step in steps:
        value = value[step]
    return value


def _place(path: str) -> str:
    return one_line(path, WIDTH) or "arguments"


def _change(left: Json, right: Json) -> str:
    """Return two values side by side, long ones from shortly before they part."""
    texts = [json.dumps(value, ensure_ascii=False) for value in (left, right)]
    start = 0
    if max(map(len, texts)) > WIDTH:
        start = max(0, _parting(*texts) - WIDTH // 3)
    return " -> ".join(_cut(text, start) for text in texts)


def _parting(left: str, right: str) -> int:
    """Return the index of the first character that differs, the shorter length if none does."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(left), len(right)))


def _shown(value: Json) -> str:
    return _cut(json.dumps(value, ensure_ascii=False), 0)


def _cut(text: str, start: int) -> str:
    end = start + WIDTH
    return ("…" if start else "") + one_line(text[start:end], 2 * WIDTH) + ("…" * (end < len(text)))


def _size(value: Json) -> int:
    """Return how many values there are in one, itself included."""
    inside = list(value.values()) if isinstance(value, dict) else value
    return 1 + (sum(_size(item) for item in inside) if isinstance(inside, list) else 0)
