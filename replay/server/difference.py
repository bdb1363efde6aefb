"""Name the places in which two request bodies differ, for people.

DeepDiff finds them. It is shown only what is known to differ, list items paired beforehand: on its
own it reports every message behind an inserted one, and its time grows with all that is equal.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from deepdiff import DeepDiff

from tonearm.canonical import Json, canonical, canonical_bytes
from tonearm.replay.server.miss import Change
from tonearm.replay.server.question import Step, spell
from tonearm.terminal import one_line

WIDTH = 60
"""Characters of one value that are shown."""

MAX_PAIRS = 1_000_000
"""Items of one list times items of the other that are matched; beyond, position decides."""

MAX_VALUES = 5_000
"""Values that DeepDiff may see at a time; each takes it some 40 us."""

type _Path = tuple[Step, ...]


def changes(recorded: Json, asked: Json) -> list[Change]:
    """Return the places where two bodies differ, number spelling and key order aside."""
    left, right = canonical(recorded), canonical(asked)
    if not isinstance(left, dict) or not isinstance(right, dict):
        return [_changed((), left, right)]
    found: list[Change] = []
    for name in dict.fromkeys([*left, *right]):
        if name not in right:
            found.append(_removed((name,), left[name]))
        elif name not in left:
            found.append(_added((name,), right[name]))
        else:
            found += _member((name,), left[name], right[name])
    return found


def _member(path: _Path, left: Json, right: Json) -> Iterator[Change]:
    if canonical_bytes(left) == canonical_bytes(right):
        return
    if isinstance(left, list) and isinstance(right, list):
        yield from _items(path, left, right)
    else:
        yield from _deep(path, left, right)


def _items(path: _Path, left: list[Json], right: list[Json]) -> Iterator[Change]:
    """Compare two lists, items that have no partner apart from those that have changed."""
    for a, b in _pairs([canonical_bytes(v) for v in left], [canonical_bytes(v) for v in right]):
        if b is None:
            assert a is not None
            yield _removed((*path, a), left[a])
        elif a is None:
            yield _added((*path, b), right[b])
        else:
            yield from _deep((*path, b), left[a], right[b])


def _pairs(left: list[bytes], right: list[bytes]) -> Iterator[tuple[int | None, int | None]]:
    """Yield the indices of items that differ, each with that of its partner, if it has one."""
    blocks: Sequence[tuple[str, int, int, int, int]]
    if len(left) * len(right) > MAX_PAIRS:
        blocks = [("replace", 0, len(left), 0, len(right))]
    else:
        blocks = SequenceMatcher(None, left, right, autojunk=False).get_opcodes()
    for kind, a, a_end, b, b_end in blocks:
        if kind == "equal":
            continue
        both = min(a_end - a, b_end - b)
        yield from ((a + n, b + n) for n in range(both) if left[a + n] != right[b + n])
        yield from ((n, None) for n in range(a + both, a_end))
        yield from ((None, n) for n in range(b + both, b_end))


def _deep(path: _Path, left: Json, right: Json) -> list[Change]:
    if max(_size(left), _size(right)) > MAX_VALUES:
        return [_changed(path, left, right)]
    found = DeepDiff(
        _flat(left),
        _flat(right),
        view="tree",
        zip_ordered_iterables=True,
        ignore_private_variables=False,
        threshold_to_diff_deeper=0,
    )
    changes = [
        _change(report, path, level.path(output_format="list"), left, right)
        for report, levels in found.items()
        for level in levels
    ]
    return sorted(changes, key=lambda change: change.place)


def _change(report: str, path: _Path, steps: list[str | int], left: Json, right: Json) -> Change:
    place = (*path, *steps)
    if report.endswith("_added"):
        return _added(place, _at(right, steps))
    if report.endswith("_removed"):
        return _removed(place, _at(left, steps))
    return _changed(place, _at(left, steps), _at(right, steps))


def _flat(value: Json) -> Json:
    """Return a value with each text spelled as JSON: DeepDiff makes a diff of texts with lines."""
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


def _size(value: Json) -> int:
    """Return how many values there are in one, itself included."""
    inside = list(value.values()) if isinstance(value, dict) else value
    return 1 + (sum(map(_size, inside)) if isinstance(inside, list) else 0)


def _added(path: _Path, value: Json) -> Change:
    return Change(place=_place(path), text=f"asked {_cut(_spelled(value), 0)}, not recorded")


def _removed(path: _Path, value: Json) -> Change:
    return Change(place=_place(path), text=f"recorded {_cut(_spelled(value), 0)}, not asked")


def _changed(path: _Path, left: Json, right: Json) -> Change:
    """Return a change with both values, long ones from shortly before they part."""
    texts = _spelled(left), _spelled(right)
    start = 0
    if max(map(len, texts)) > WIDTH:
        start = max(0, _parting(*texts) - WIDTH // 3)
    recorded, asked = (_cut(text, start) for text in texts)
    return Change(place=_place(path), text=f"recorded {recorded}, asked {asked}")


def _place(path: _Path) -> str:
    return one_line(spell(path) or "body", 2 * WIDTH)


def _spelled(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)


def _parting(left: str, right: str) -> int:
    """Return the index of the first character that differs, the shorter length if none does."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(left), len(right)))


def _cut(text: str, start: int) -> str:
    end = start + WIDTH
    return ("…" if start else "") + one_line(text[start:end], 2 * WIDTH) + ("…" * (end < len(text)))
