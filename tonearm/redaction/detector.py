"""What a detector is: it finds the secrets of some kind in a view."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum

from tonearm.redaction.codes import escaped
from tonearm.redaction.linear import Match, Pattern, compile_bytes
from tonearm.redaction.view import View


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
    """A way to find secrets, and a simple expression that matches wherever it could find some.

    All triggers are searched for in one pass. They are without counted repetitions, each of which
    would multiply the states that the pass has to keep.
    """

    trigger: bytes
    find: Find


type Check = Callable[[View, Match], bool]


def by_form(kind: str, trigger: bytes, rest: bytes, check: Check | None = None) -> Detector:
    """Return a detector of texts that begin, as a word, with the trigger."""
    return _simple(kind, Rank.FORM, trigger, rb"\b(?:" + trigger + rb")" + rest, check)


def within(kind: str, trigger: bytes, expression: bytes) -> Detector:
    """Return a detector of what an expression's group matches, which has a form of its own."""
    return _simple(kind, Rank.FORM, trigger, expression, None)


def personal(kind: str, trigger: bytes, expression: bytes, check: Check) -> Detector:
    """Return a detector of what an expression's group matches and a check confirms."""
    return _simple(kind, Rank.PERSONAL, trigger, expression, check)


def by_place(kind: str, trigger: bytes, expression: bytes, check: Check) -> Detector:
    """Return a detector of what an expression's group matches in its context, if it is checked."""
    return _simple(kind, Rank.PLACE, trigger, expression, check)


def _simple(
    kind: str, rank: Rank, trigger: bytes, expression: bytes, check: Check | None
) -> Detector:
    pattern = compile_bytes(expression)
    return Detector(trigger=trigger, find=lambda view: _matches(kind, rank, pattern, check, view))


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
