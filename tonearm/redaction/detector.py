"""What a detector is: it finds the secrets of some kind in a view."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from tonearm.redaction.linear import Match, Pattern, compile_bytes
from tonearm.redaction.view import View, escaped


class Rank(IntEnum):
    """Which of two overlapping hits counts; the lower one does."""

    FORM = 0
    """The text itself has the form of a secret of this kind, such as a key with its prefix."""
    PLACE = 1
    """The text stands where a secret stands, such as behind ``password:``."""
    PERSONAL = 2
    """A number or an address of a person; may also be a part of a longer secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A secret and where it stands."""

    kind: str
    rank: Rank
    view: View
    start: int
    end: int
    new: bytes | None = None
    """What is to stand in its place, where that is not simply a stand-in."""

    @property
    def text(self) -> bytes:
        """The secret."""
        return self.view.data[self.start : self.end]


type Find = Callable[[View], Iterator[Hit]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """A way to find secrets, and an expression that matches where it could find some."""

    trigger: bytes | None
    """``None`` where it is to be tried on every text."""
    find: Find


type Check = Callable[[View, Match], bool]


def by_form(kind: str, expression: bytes, check: Check | None = None) -> Detector:
    """Return a detector of all that an expression matches, or its first group where it has one."""
    return _simple(kind, Rank.FORM, expression, check)


def personal(kind: str, expression: bytes, check: Check) -> Detector:
    """Return a detector of what an expression matches and a check confirms."""
    return _simple(kind, Rank.PERSONAL, expression, check)


def by_place(kind: str, expression: bytes, check: Check) -> Detector:
    """Return a detector of what an expression matches in its context and a check confirms."""
    return _simple(kind, Rank.PLACE, expression, check)


def _simple(kind: str, rank: Rank, expression: bytes, check: Check | None) -> Detector:
    pattern = compile_bytes(expression)
    return Detector(
        trigger=expression, find=lambda view: _matches(kind, rank, pattern, check, view)
    )


def _matches(
    kind: str, rank: Rank, pattern: Pattern, check: Check | None, view: View
) -> Iterator[Hit]:
    group = min(pattern.groups, 1)
    for match in pattern.finditer(view.data):
        if check is not None and not check(view, match):
            continue
        start, end = match.span(group)
        if not misread(view, start, end):
            yield Hit(kind=kind, rank=rank, view=view, start=start, end=end)


def misread(view: View, start: int, end: int) -> bool:
    """Return whether a text has escapes that a deeper view reads, so that it is no secret here."""
    data = view.data
    return data[start - 1 : start] == b"\\" or escaped(data[start:end])
