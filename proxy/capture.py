"""What the hooks saw of one flow, in the cheapest form, until a thread makes an exchange of it.

The event loop only moves references here. Joining the pieces, decoding headers and cutting times
into offsets is left to ``exchange``, which the writer thread calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

from tonearm.model import Chunk, Exchange, Headers, HttpRequest, HttpResponse, Outcome
from tonearm.proxy.tee import Tee

type Fields = tuple[tuple[bytes, bytes], ...]

NO_ANSWER: dict[Outcome, tuple[int, str]] = {
    Outcome.CLIENT_ABORTED: (499, "Client Closed Request"),
    Outcome.PROXY_STOPPED: (503, "Recorder Stopped"),
}
"""Status and reason of an exchange that ended before there was a response."""


@dataclass(slots=True, kw_only=True)
class Capture:
    """One request and what has come back so far."""

    method: str
    uri: str
    started_at: str
    """UTC, ISO 8601."""
    started_s: float
    """On the clock that the tee reads."""
    request_fields: Fields = ()
    request_body: bytes = b""
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
        copied = self.tee.size_bytes if self.tee else 0
        return len(self.request_body) + copied + len(self.own_body)

    def exchange(self) -> Exchange:
        """Return the exchange that was captured."""
        outcome, error = self._end()
        status, reason = (self.status, self.reason) if self.status else NO_ANSWER[outcome]
        return Exchange(
            request=HttpRequest(
                method=self.method,
                uri=self.uri,
                headers=_decode(self.request_fields),
                body=self.request_body,
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
        if self.tee is None or self.tee.whole:
            return self.outcome, self.error
        if self.tee.fault is not None:
            return Outcome.TRUNCATED, f"the copy stopped: {self.tee.fault} in the recorder"
        kept, all_ = self.tee.size_bytes, self.tee.size_bytes + self.tee.dropped_bytes
        return Outcome.TRUNCATED, f"the first {kept} of {all_} bytes of the response were kept"

    def _body(self) -> bytes:
        if self.tee is None:
            return self.own_body
        return b"".join(piece for _, piece in self.tee.pieces)

    def _chunks(self) -> tuple[Chunk, ...]:
        pieces = self.tee.pieces if self.tee else []
        ends = accumulate(len(piece) for _, piece in pieces)
        return tuple(
            Chunk(end, at_s - self.started_s) for end, (at_s, _) in zip(ends, pieces, strict=True)
        )


def _decode(fields: Fields) -> Headers:
    """Return header fields as text; Latin-1 is what HTTP says, and takes every byte."""
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in fields)
