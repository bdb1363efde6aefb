"""Name the places in which two request bodies differ, for people.

DeepDiff is shown only what is known to differ, list items paired beforehand: on its own it reports
every message behind an inserted one, and its time grows with all that is equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from tonearm.canonical import Json, canonical, canonical_bytes
from tonearm.replay.places import WIDTH, Place, places, shown, side_by_side, size
from tonearm.replay.server.miss import Change
from tonearm.replay.server.question import Step, spell
from tonearm.terminal import one_line

MAX_PAIRS = 1_000_000
"""Items of one list times items of the other that are matched; beyond, position decides."""

MAX_VALUES = 5_000
"""Values of one member, or one item of a list, that are compared one by one."""

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
    if max(size(left), size(right)) > MAX_VALUES:
        return [_changed(path, left, right)]
    found = [_change(path, place) for place in places(left, right)]
    return sorted(found, key=lambda change: change.place)


def _change(path: _Path, found: Place) -> Change:
    place = (*path, *found.steps)
    if found.kind == "added":
        return _added(place, found.right)
    if found.kind == "removed":
        return _removed(place, found.left)
    return _changed(place, found.left, found.right)


def _added(path: _Path, value: Json) -> Change:
    return Change(place=_place(path), text=f"asked {shown(value)}, not recorded")


def _removed(path: _Path, value: Json) -> Change:
    return Change(place=_place(path), text=f"recorded {shown(value)}, not asked")


def _changed(path: _Path, left: Json, right: Json) -> Change:
    recorded, asked = side_by_side(left, right)
    return Change(place=_place(path), text=f"recorded {recorded}, asked {asked}")


def _place(path: _Path) -> str:
    return one_line(spell(path) or "body", 2 * WIDTH)
