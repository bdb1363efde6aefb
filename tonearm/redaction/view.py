"""Text as it reads behind an encoding, with the way back to the bytes that spell it.

Secrets are looked for where they can be read: in the text of a JSON string, in the joined pieces of
a stream, in a decoded address. Every such text is a view of another one, down to the body itself,
and what is to be replaced in a view is handed down as edits until it is an edit of the body.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import NamedTuple
from urllib.parse import quote

from tonearm.redaction.edits import Edit


class _Run(NamedTuple):
    """A stretch of a view."""

    at: int
    """Where it begins in the view."""
    source: int
    """Where it begins in the text below."""
    width: int
    """How many bytes spell it there; 0 where every byte stands for itself."""


class View:
    """Decoded bytes; the view of a body itself has no ``below``."""

    def __init__(
        self,
        data: bytes,
        below: View | None = None,
        runs: Callable[[], list[_Run]] = list,
        spell: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self.data = data
        self.below = below
        self._make_runs = runs
        self._spell = spell
        """Returns how bytes are written in the text below."""

    @cached_property
    def _runs(self) -> list[_Run]:
        return self._make_runs()

    @cached_property
    def _starts(self) -> list[int]:
        return [run.at for run in self._runs]

    def lower(self, edits: Iterable[Edit]) -> list[Edit]:
        """Return edits of this view as edits of the body."""
        if self.below is None:
            return list(edits)
        return self.below.lower(part for edit in edits for part in self._lower(edit))

    def _lower(self, edit: Edit) -> list[Edit]:
        """Return an edit as edits of the text below.

        New text as long as the old replaces it byte for byte; other new text, which stands for one
        character of a deeper view, goes in one piece to where the old begins.
        """
        parts = []
        first = max(bisect_right(self._starts, edit.start) - 1, 0)
        for n in range(first, len(self._runs)):
            run = self._runs[n]
            if run.at >= edit.end:
                break
            end = self._runs[n + 1].at if n + 1 < len(self._runs) else len(self.data)
            start, end = max(run.at, edit.start), min(end, edit.end)
            if not edit.growth:
                new = edit.new[start - edit.start : end - edit.start]
            else:
                new = edit.new if start == edit.start else b""
            parts.append(self._part(run, start, end, new))
        return parts

    def _part(self, run: _Run, start: int, end: int, new: bytes) -> Edit:
        if run.width:
            return Edit(run.source, run.source + run.width, self._spell(new))
        offset = run.source - run.at
        same_length = len(new) == end - start
        return Edit(start + offset, end + offset, new if same_length else self._spell(new))


def joined(below: View, spans: Sequence[tuple[int, int]]) -> View:
    """Return the view of several places of a text as one text."""

    def runs() -> list[_Run]:
        found, at = [], 0
        for start, end in spans:
            found.append(_Run(at, start, 0))
            at += end - start
        return found

    return View(b"".join(below.data[start:end] for start, end in spans), below, runs)


_ESCAPE = re.compile(
    rb'\\(?:(["\\/bfnrt])|u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})'
    rb"|u([0-9a-fA-F]{4}))"
)
_SIMPLE = dict(
    zip(b'"\\/bfnrt', (b'"', b"\\", b"/", b"\b", b"\f", b"\n", b"\r", b"\t"), strict=True)
)


def unescaped(below: View) -> View:
    """Return the view of a text with JSON's escapes read, inside of strings and out.

    What is no escape stays as it is, so that a JSON text which is a part of another text, or was
    cut, is read as well.
    """
    data = below.data
    return View(_ESCAPE.sub(_char, data), below, lambda: _escapes(data), _escape)


_SPECIAL = re.compile(rb'["\\\x00-\x1f]')
_SHORT = {char[0]: bytes((ord("\\"), letter)) for letter, char in _SIMPLE.items()}


def _escape(text: bytes) -> bytes:
    return _SPECIAL.sub(lambda m: _SHORT.get(m[0][0]) or b"\\u%04x" % m[0][0], text)


def _escapes(data: bytes) -> list[_Run]:
    return _runs(data, ((m.start(), m.end(), len(_char(m))) for m in _ESCAPE.finditer(data)))


def _char(escape: re.Match[bytes]) -> bytes:
    letter, high, low, unit = escape.groups()
    if letter:
        return _SIMPLE[letter[0]]
    if unit:
        return chr(int(unit, 16)).encode("utf-8", "surrogatepass")
    return chr(0x10000 + (int(high, 16) - 0xD800 << 10) + int(low, 16) - 0xDC00).encode()


_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")


def unquoted(below: View, start: int, end: int) -> View:
    """Return the view of a part of a text with its percent-encoding read."""
    data = below.data[start:end]

    def runs() -> list[_Run]:
        found = ((m.start(), m.end(), 1) for m in _PERCENT.finditer(data))
        return [_Run(run.at, run.source + start, run.width) for run in _runs(data, found)]

    text = _PERCENT.sub(lambda m: bytes((int(m[1], 16),)), data)
    return View(text, below, runs, lambda new: quote(new, safe="").encode())


def quoted(data: bytes) -> bool:
    """Return whether a text has percent-encoding in it."""
    return b"%" in data and _PERCENT.search(data) is not None


def escaped(data: bytes) -> bool:
    """Return whether a text has JSON's escapes in it."""
    return b"\\" in data and _ESCAPE.search(data) is not None


def _runs(data: bytes, codes: Iterable[tuple[int, int, int]]) -> list[_Run]:
    """Return the runs of a text of which some places, ``(start, end, length)``, are codes."""
    runs, at, source = [], 0, 0
    for start, end, length in codes:
        if start > source:
            runs.append(_Run(at, source, 0))
            at += start - source
        runs.append(_Run(at, start, end - start))
        at, source = at + length, end
    if source < len(data) or not runs:
        runs.append(_Run(at, source, 0))
    return runs
