"""Replacements at places of a body, and where its other bytes come to lie."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True)
class Edit:
    """Put ``new`` in the place of the bytes from ``start`` to ``end``."""

    start: int
    end: int
    new: bytes

    @property
    def growth(self) -> int:
        """By how many bytes the text gets longer."""
        return len(self.new) - (self.end - self.start)

    def moved(self, by: int) -> Edit:
        """Return the same edit of a text that has ``by`` bytes more before it."""
        return Edit(self.start + by, self.end + by, self.new)

    def cut(self, start: int, end: int) -> Edit:
        """Return the part of an edit that keeps lengths, between two places within it."""
        return Edit(start, end, self.new[start - self.start : end - self.start])


def apply(data: bytes, edits: Sequence[Edit]) -> bytes:
    """Return the text with all edits made; they are in order and do not overlap."""
    if not edits:
        return data
    parts: list[bytes] = []
    at = 0
    for edit in edits:
        parts += (data[at : edit.start], edit.new)
        at = edit.end
    return b"".join((*parts, data[at:]))


class Shift:
    """Where the places of a text are after its edits."""

    def __init__(self, edits: Sequence[Edit]) -> None:
        self._edits = edits
        self._starts = [edit.start for edit in edits]
        self._growth = [0, *accumulate(edit.growth for edit in edits)]

    def __call__(self, at: int) -> int:
        """Return the new place of an old one; within an edit, the one as far from its start."""
        n = bisect_right(self._starts, at)
        if n and at < self._edits[n - 1].end:
            edit = self._edits[n - 1]
            return edit.start + self._growth[n - 1] + min(at - edit.start, len(edit.new))
        return at + self._growth[n]


class Canvas:
    """The edits of one text; what was edited first stays."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._edits: list[Edit] = []

    def free(self, edits: Iterable[Edit]) -> list[Edit]:
        """Return what of some edits touches no place that was edited before."""
        return [part for edit in edits for part in self._clip(edit)]

    def add(self, edits: Iterable[Edit]) -> None:
        """Take edits that are free."""
        for edit in edits:
            insort(self._edits, edit, key=lambda old: old.start)

    @property
    def edits(self) -> tuple[Edit, ...]:
        """All edits that change something, in order."""
        return tuple(e for e in self._edits if e.new != self._data[e.start : e.end])

    def _clip(self, edit: Edit) -> list[Edit]:
        """Return the parts of an edit between those that are there.

        An edit that changes the length stands for a single character and has no parts.
        """
        first = bisect_right(self._edits, edit.start, key=lambda old: old.end)
        taken = []
        for old in self._edits[first:]:
            if old.start >= edit.end:
                break
            taken.append(old)
        if not taken:
            return [edit]
        if edit.growth:
            return []
        parts, at = [], edit.start
        for old in taken:
            if at < old.start:
                parts.append(edit.cut(at, old.start))
            at = max(at, old.end)
        return parts + ([edit.cut(at, edit.end)] if at < edit.end else [])
