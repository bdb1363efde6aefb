"""Make a streamed answer from one in a piece, and the other way round.

The result is what Ollama would have sent with the other value of ``stream``, as far as the
recording tells; only the rhythm of a stream cannot be known from an answer in one piece.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from itertools import accumulate

from tonearm import wire
from tonearm.canonical import JsonObject
from tonearm.errors import WireError
from tonearm.model import Chunk, Exchange, Headers, HttpResponse
from tonearm.replay.server.framing import is_complete
from tonearm.replay.server.reply import JSON

NDJSON = "application/x-ndjson"

_FRAMING = {"content-length", "transfer-encoding"}


def converted(exchange: Exchange, *, streamed: bool) -> Exchange | None:
    """Return the exchange as if ``stream`` had been asked for, or not; ``None`` if that is unknown.

    Args:
        exchange: What was recorded, with the other value of ``stream``.
        streamed: Whether the answer is to come in pieces.
    """
    if exchange.response.status != 200:
        return exchange
    if not is_complete(exchange):
        return None
    try:
        reply = wire.exchange_reply(exchange)
    except WireError:
        return None
    if reply.error is not None:
        return _failed(exchange, reply.error)
    if reply.body.get("done_reason") in {"load", "unload"}:
        return exchange
    if not streamed:
        return _answered(exchange, [reply.body], JSON, end=b"")
    return _answered(exchange, wire.split(reply.body), NDJSON, end=b"\n")


def _failed(exchange: Exchange, error: str) -> Exchange:
    """Return what an error in the middle becomes where nothing was sent before it."""
    whole = _answered(exchange, [{"error": error}], JSON, end=b"")
    response = replace(whole.response, status=500, reason="Internal Server Error")
    return replace(whole, response=response)


def _answered(
    exchange: Exchange, objects: Iterable[JsonObject], kind: str, *, end: bytes
) -> Exchange:
    texts = [json.dumps(o, separators=(",", ":")).encode("ascii") + end for o in objects]
    ends = list(accumulate(map(len, texts)))
    at_s = exchange.chunks[-1].at_s if exchange.chunks else exchange.duration_s or 0.0
    response = HttpResponse(
        status=200,
        reason=exchange.response.reason,
        headers=_headers(exchange.response.headers, kind),
        body=b"".join(texts),
    )
    return replace(exchange, response=response, chunks=tuple(Chunk(n, at_s) for n in ends))


def _headers(headers: Headers, kind: str) -> Headers:
    """Return the header fields with another type and the framing that goes with it."""
    kept = [
        (name, kind if name.lower() == "content-type" else value)
        for name, value in headers
        if name.lower() not in _FRAMING
    ]
    if kind == NDJSON:
        kept.append(("Transfer-Encoding", "chunked"))
    return tuple(kept)
