"""Find the end of a call while the completion arrives.

A string may hold anything but its own delimiter, the tag that ends the call included. So a string
that nobody closed reaches into what follows. The whole is read by the grammar first; only if it
does not fit is the first tag inside a string taken for the end, and what follows it read again.
"""

from __future__ import annotations

from dataclasses import replace

from tonearm.model import ParseProblem
from tonearm.templates.gemma4.call import Declared, Reading, read_call
from tonearm.templates.gemma4.tokens import CALL, CALL_END, CHANNEL, QUOTE, STOPS, Piece

_ENDS = frozenset({CALL_END, CALL, CHANNEL, *STOPS})


class OpenCall:
    """A call whose end has not come."""

    def __init__(self, start: Piece) -> None:
        self._offset = start.offset + len(CALL)
        self._pieces: list[Piece] = []
        self._quoted = False
        self._cut: int | None = None

    def take(self, piece: Piece) -> bool:
        """Take the next piece and return true, or false where it ends the call."""
        if piece.text == QUOTE:
            self._quoted = not self._quoted
        elif piece.text in _ENDS:
            if not self._quoted:
                return False
            if self._cut is None:
                self._cut = len(self._pieces)
        self._pieces.append(piece)
        return True

    def finish(self, end: Piece | None, tools: Declared) -> tuple[Reading, bool, list[Piece]]:
        """Read the call.

        Args:
            end: The piece that ends it, ``None`` where the completion ends.
            tools: What the request declared.

        Returns:
            What it says, whether it fits the grammar, and the pieces behind it.
        """
        reading = self._read(tools)
        rest = [end] if end else []
        if self._cut is not None and not (_fits(reading) and end):
            rest = self._pieces[self._cut :] + rest
            self._pieces = self._pieces[: self._cut]
            reading = self._read(tools)
        if rest and rest[0].text == CALL_END:
            return reading, _fits(reading), rest[1:]
        return self._unclosed(reading), False, rest

    def _read(self, tools: Declared) -> Reading:
        return read_call("".join(piece.text for piece in self._pieces), self._offset, tools)

    def _unclosed(self, reading: Reading) -> Reading:
        call, problems = reading
        at = self._pieces[-1].offset + len(self._pieces[-1].text) if self._pieces else self._offset
        missing = ParseProblem(kind="missing_close_tag", offset=at, repaired=call is not None)
        return call, (*problems, missing)


def _fits(reading: Reading) -> bool:
    call, problems = reading
    return call is not None and all(problem.kind == "whitespace" for problem in problems)


def without_repairs(reading: Reading) -> Reading:
    """Return the reading of somebody who does not repair calls."""
    _, problems = reading
    return None, tuple(replace(problem, repaired=False) for problem in problems)
