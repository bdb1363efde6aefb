"""The places where two JSON values differ, and what stands there, for people: never the judge.

DeepDiff finds them. Its idea of equality is not ours, its time explodes on lists whose order it is
told to ignore, and it puts a diff into the result for texts of several lines. So it is shown lists
in order and each text as one line, and callers bound the values that it sees.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from deepdiff import DeepDiff

from tonearm.canonical import Json
from tonearm.terminal import one_line

WIDTH = 60
"""Characters of one value that are shown."""

type Kind = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where two values differ."""

    steps: tuple[str | int, ...]
    """Names and indices on the way to it."""
    kind: Kind
    left: Json
    """What stands there on the left; ``None`` where that was added."""
    right: Json
    """What stands there on the right; ``None`` where that was removed."""


def places(left: Json, right: Json) -> Iterator[Place]:
    """Yield the places where two values differ; each value in them takes some 40 us."""
    found = DeepDiff(
        _flat(left),
        _flat(right),
        view="tree",
        zip_ordered_iterables=True,
        ignore_private_variables=False,
        threshold_to_diff_deeper=0,
    )
    for report, levels in found.items():
        kind = _kind(report)
        for level in levels:
            steps = tuple(level.path(output_format="list"))
            yield Place(
                steps=steps,
                kind=kind,
                left=None if kind == "added" else _at(left, steps),
                right=None if kind == "removed" else _at(right, steps),
            )


def size(value: Json) -> int:
    """Return how many values there are in one, itself included."""
    inside = list(value.values()) if isinstance(value, dict) else value
    return 1 + (sum(map(size, inside)) if isinstance(inside, list) else 0)


def shown(value: Json) -> str:
    """Return a value as JSON, cut to a width and safe to print."""
    return _cut(_spelled(value), 0)


def side_by_side(left: Json, right: Json) -> tuple[str, str]:
    """Return two values as JSON, long ones from shortly before they part; safe to print."""
    texts = _spelled(left), _spelled(right)
    start = 0
    if max(map(len, texts)) > WIDTH:
        start = max(0, _parting(*texts) - WIDTH // 3)
    return _cut(texts[0], start), _cut(texts[1], start)


def _kind(report: str) -> Kind:
    if report.endswith("_added"):
        return "added"
    return "removed" if report.endswith("_removed") else "changed"


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


def _at(value: Json, steps: tuple[str | int, ...]) -> Json:
    for step in steps:
        value = value[step]
    return value


def _spelled(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)


def _parting(left: str, right: str) -> int:
    """Return the index of the first character that differs, the shorter length if none does."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(left), len(right)))


def _cut(text: str, start: int) -> str:
    end = start + WIDTH
    return ("…" if start else "") + one_line(text[start:end], 2 * WIDTH) + ("…" * (end < len(text)))
