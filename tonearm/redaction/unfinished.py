"""Where an answer that still comes may be cut, so that no secret is cut in two.

A secret of which half has come looks like none. It is in what came last: in a word that has not
ended, or, where it may hold blanks, in the last few words. All that stands before is settled: a
secret that has ended was seen as a whole.
"""

from __future__ import annotations

from tonearm.redaction import streams

HELD_BYTES = 256
"""More than any secret with blanks in it needs, such as the number of an account."""

_BLANKS = (b" ", b"\\n", b"\\t", b"\\r")
"""As the inside of a JSON string spells them."""


def settled_end(body: bytes) -> int:
    """Return how much of the start of an unfinished answer is settled, in whole lines.

    Of an answer in which no text comes in pieces, nothing is.
    """
    lanes = [_Lane(spans) for spans in streams.lanes(body)] if streams.is_stream(body) else []
    pieces = [(start, stop, lane) for lane in lanes for start, stop in lane.spans]
    growing: set[_Lane] = set()
    settled = 0
    for start, stop, lane in sorted(pieces, key=lambda piece: piece[0], reverse=True):
        if settled and not growing:
            break
        lane.hold(body[start:stop])
        (growing.discard if lane.held_enough else growing.add)(lane)
        settled = body.rfind(b"\n", 0, start) + 1
    return settled


class _Lane:
    """The pieces of one text, and how much of its end is held back."""

    def __init__(self, spans: streams.Spans) -> None:
        self.spans = spans
        self._left = len(spans)
        self._held_bytes = 0
        self._word_began = False

    def hold(self, piece: bytes) -> None:
        """Hold one more piece back."""
        self._left -= 1
        self._held_bytes += len(piece)
        self._word_began |= any(blank in piece for blank in _BLANKS)

    @property
    def held_enough(self) -> bool:
        """Whether nothing that stands before can be part of what still comes."""
        return not self._left or (self._word_began and self._held_bytes >= HELD_BYTES)
