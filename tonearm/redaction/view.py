"""Text as it reads behind an encoding, with the way back to the bytes that spell it.

Secrets are looked for where they can be read: in the text of a JSON string, in the joined pieces of
a stream, in a decoded address. Every such text is a view of another one, down to the body itself,
and what is to be replaced in a view is handed down as edits until it is an edit of the body.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

from tonearm.redaction.edits import Edit

type Run = tuple[int, int, int]
"""A stretch of a view: where it begins in the view, where it begins in the text below, and how many
bytes spell it there, 0 where every byte stands for itself."""


class View:
    """Decoded bytes; the view of a body itself has no ``below``."""

    def __init__(
        self,
        data: bytes,
        below: View | None = None,
        runs: Callable[[], list[Run]] = list,
        spell: Callable[[bytes], bytes] = bytes,
    ) -> None:
        self.data = data
        self.below = below
        self._make_runs = runs
        self._spell = spell
        """Returns how bytes are written in the text below."""

    @cached_property
    def _runs(self) -> list[Run]:
        return self._make_runs()

    @cached_property
    def _starts(self) -> list[int]:
        return [run[0] for run in self._runs]

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
            if run[0] >= edit.end:
                break
            end = self._starts[n + 1] if n + 1 < len(self._runs) else len(self.data)
            start, end = max(run[0], edit.start), min(end, edit.end)
            if not edit.growth:
                new = edit.new[start - edit.start : end - edit.start]
            else:
                new = edit.new if start == edit.start else b""
            parts.append(self._part(run, start, end, new))
        return parts

    def _part(self, run: Run, start: int, end: int, new: bytes) -> Edit:
        at, source, width = run
        if width:
            return Edit(source, source + width, self._spell(new))
        offset = source - at
        same_length = len(new) == end - start
        return Edit(start + offset, end + offset, new if same_length else self._spell(new))


def joined(below: View, spans: Sequence[tuple[int, int]]) -> View:
    """Return the view of several places of a text as one text."""

    def runs() -> list[Run]:
        found: list[Run] = []
        at = 0
        for start, end in spans:
            found.append((at, start, 0))
            at += end - start
        return found

    return View(b"".join(below.data[start:end] for start, end in spans), below, runs)
