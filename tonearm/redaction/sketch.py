"""A text that is being painted over, secret by secret."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tonearm.redaction.detector import Hit, Rank
from tonearm.redaction.edits import Canvas, Edit, apply
from tonearm.redaction.standin import StandIns, shares_run
from tonearm.redaction.view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A secret that was replaced; nothing here tells what it was."""

    kind: str
    spans: tuple[tuple[int, int], ...]
    """Where it stood, start and end; a secret that came in pieces has several places."""


class Sketch:
    """A text, the views by which it is read, and what was put over it so far."""

    def __init__(self, text: bytes, views: Sequence[View], stand_ins: StandIns) -> None:
        self.views = views
        self.findings: list[Finding] = []
        self._text = text
        self._canvas = Canvas(text)
        self._stand_ins = stand_ins

    @property
    def edits(self) -> tuple[Edit, ...]:
        """What was done, in order."""
        return self._canvas.edits

    @property
    def painted(self) -> bytes:
        """The text with everything painted over."""
        return apply(self._text, self.edits)

    def paint(self, hits: Iterable[Hit]) -> list[Hit]:
        """Put stand-ins in the place of hits and return the hits that were secrets.

        Where hits overlap, the one that counts is painted first, and of the others what is left;
        nothing of a number or address of a person, of which the rest would tell nothing.
        """
        return [hit for hit in sorted(hits, key=_order) if self._paint(hit)]

    def _paint(self, hit: Hit) -> bool:
        """Return whether a hit is a secret that was not painted over before.

        What is a stand-in already stays, and is kept from being taken for something else.
        """
        made = hit.new is None and self._stand_ins.is_made(hit.text)
        wanted = self._lowered(hit, hit.text if made else hit.new)
        edits = self._canvas.free(wanted)
        if not edits or (hit.rank is Rank.PERSONAL and edits != wanted):
            return False
        self._canvas.add(edits)
        if made:
            return False
        self.findings.append(Finding(kind=hit.kind, spans=_merged(edits)))
        return True

    def _lowered(self, hit: Hit, new: bytes | None) -> list[Edit]:
        """Return the edits that put a text, or else a stand-in, in the place of a hit.

        What a stand-in keeps of a secret, such as a space, may take many characters to spell.
        """
        if new is not None:
            return hit.view.lower([Edit(hit.start, hit.end, new)])
        for strict in (False, True):
            stand_in = self._stand_ins.make(hit.text, strict=strict)
            edits = hit.view.lower([Edit(hit.start, hit.end, stand_in)])
            old = b"".join(self._text[edit.start : edit.end] for edit in edits)
            if not shares_run(old, b"".join(edit.new for edit in edits)):
                break
        return edits


def _order(hit: Hit) -> tuple[int, int]:
    return hit.rank, hit.start - hit.end


def _merged(edits: Iterable[Edit]) -> tuple[tuple[int, int], ...]:
    spans: list[tuple[int, int]] = []
    for start, end in sorted((edit.start, edit.end) for edit in edits):
        if spans and spans[-1][1] == start:
            spans[-1] = (spans[-1][0], end)
        else:
            spans.append((start, end))
    return tuple(spans)
