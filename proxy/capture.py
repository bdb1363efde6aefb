"""What the hooks saw of one flow, in the cheapest form, until a thread makes an exchange of it.

The event loop only moves references here. Joining the pieces, decoding headers and cutting times
into offsets is left to ``exchange``, which the writer thread calls.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate

from tonearm.dialect import has_ended
from tonearm.model import Chunk, Exchange, Headers, HttpRequest, HttpResponse, Outcome
from tonearm.proxy.tee import Tee

type Fields = tuple[tuple[bytes, bytes], ...]

NO_ANSWER: dict[Outcome, tuple[int, str]] = {
    Outcome.CLIENT_ABORTED: (499, "Client Closed Request"),
    Outcome.PROXY_STOPPED: (503, "Recorder Stopped"),
}
"""Status and reason of an exchange that ended before there was a response."""
LAST_PIECES = 8
"""Among so many is the last line of any stream."""


@dataclass(slots=True, kw_only=True)
class Capture:
    """One request and what has come back so far."""

    method: str
    uri: str
    started_at: str
    """UTC, ISO 8601."""
    started_s: float
    """On the clock that the tee reads."""
    refused: bool = False
    """Whether mitmproxy itself found fault with the request, so that it was sent nowhere."""
    request_fields: Fields = ()
    request_body: bytes = b""
    """Of a request that was read to its end before it was passed on."""
    upload: Tee | None = None
    """The copy of a request that was passed on while it came."""
    status: int = 0
    reason: str = ""
    response_fields: Fields = ()
    own_body: bytes = b""
    """What the recorder answered in the upstream's place."""
    tee: Tee | None = None
    ended_s: float | None = None
    outcome: Outcome = Outcome.COMPLETE
    error: str | None = None

    @property
    def size_bytes(self) -> int:
        """How much memory the bodies hold."""
        copied = sum(tee.size_bytes for tee in (self.upload, self.tee) if tee)
        return len(self.request_body) + copied + len(self.own_body)

    @property
    def has_ended(self) -> bool:
        """Whether the answer has said its last word, though its HTTP body may not have ended."""
        pieces = self.tee.pieces[-LAST_PIECES:] if self.tee else []
        return has_ended(b"".join(piece for _, piece in pieces))

    def so_far(self, now_s: float) -> Capture:
        """Return what there is of a running exchange; may be called from any thread."""
        return replace(
            self,
            tee=self.tee and self.tee.so_far(),
            ended_s=now_s,
            outcome=Outcome.PROXY_STOPPED,
            error="the recorder was killed",
        )

    def stop(self) -> None:
        """Copy nothing more: the capture belongs to another thread from now on."""
        for tee in (self.upload, self.tee):
            if tee is not None:
                tee.stop()

    def exchange(self) -> Exchange:
        """Return the exchange that was captured."""
        outcome, error = self._end()
        status, reason = (self.status, self.reason) if self.status else NO_ANSWER[outcome]
        return Exchange(
            request=HttpRequest(
                method=self.method,
                uri=self.uri,
                headers=_decode(self.request_fields),
                body=self.upload.body if self.upload else self.request_body,
            ),
            response=HttpResponse(
                status=status,
                reason=reason,
                headers=_decode(self.response_fields),
                body=self._body(),
            ),
            started_at=self.started_at,
            duration_s=None if self.ended_s is None else self.ended_s - self.started_s,
            chunks=self._chunks(),
            outcome=outcome,
            error=error,
        )

    def _end(self) -> tuple[Outcome, str | None]:
        """Return how the exchange ended; a copy with a hole outweighs how the original ended."""
        holes = [
            tee.hole(what)
            for what, tee in (("request", self.upload), ("response", self.tee))
            if tee is not None and not tee.whole
        ]
        if holes:
            return Outcome.TRUNCATED, "; ".join(hole for hole in holes if hole)
        if self.upload and not self.upload.ended and self.outcome is Outcome.COMPLETE:
            return Outcome.TRUNCATED, "the answer came before the request was read to its end"
        return self.outcome, self.error

    def _body(self) -> bytes:
        return self.tee.body if self.tee else self.own_body

    def _chunks(self) -> tuple[Chunk, ...]:
        pieces = self.tee.pieces if self.tee else []
        ends = accumulate(len(piece) for _, piece in pieces)
        return tuple(
            Chunk(end, at_s - self.started_s) for end, (at_s, _) in zip(ends, pieces, strict=True)
        )


def _decode(fields: Fields) -> Headers:
    """Return header fields as text; Latin-1 is what HTTP says, and takes every byte."""
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in fields)
