"""Make an answer in the form that is asked for from the form that was recorded.

The result is what Ollama would have sent with the other value of ``stream``, as far as the
recording tells; only the rhythm of a stream cannot be known from an answer in one piece. Streams
under ``/v1`` are put as Ollama 0.33.0 puts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import accumulate

from tonearm import dialect, sse, wire
from tonearm.canonical import JsonObject
from tonearm.errors import WireError
from tonearm.model import Chunk, Exchange, Headers, HttpResponse
from tonearm.replay.server.framing import is_complete
from tonearm.replay.server.gojson import encode
from tonearm.replay.server.manner import (
    AnthropicChat,
    Manner,
    OpenAiChat,
    OpenAiText,
    Plain,
    estimate,
)
from tonearm.replay.server.problem import problem_body
from tonearm.replay.server.question import Form
from tonearm.replay.server.reply import JSON, UNCODED, Fields
from tonearm.replay.server.standing import NOT_RECORDED

CONVERTIBLE = frozenset(
    {wire.CHAT, wire.GENERATE, wire.OPENAI_CHAT, wire.OPENAI_TEXT, wire.ANTHROPIC_CHAT}
)
"""Endpoints whose answers can be had in another form."""

_FRAMING = {"content-length", "transfer-encoding"}
_LAST_SECOND = int(datetime.max.replace(tzinfo=UTC).timestamp())


def converted(exchange: Exchange, form: Form, *, body: bytes = b"") -> Exchange | None:
    """Return the exchange as if another form had been asked for; ``None`` if that is unknown.

    Args:
        exchange: What was recorded in another form, at one of the ``CONVERTIBLE`` endpoints.
        form: How the answer is to come.
        body: What was asked.
    """
    path = wire.endpoint(exchange.request)
    if exchange.response.status != 200:
        return exchange
    if not is_complete(exchange) or path not in CONVERTIBLE:
        return None
    try:
        reply = dialect.read_reply(exchange)
        if reply.error is not None:
            return exchange if form.streamed else _failed(exchange, path, reply.error)
        if reply.body.get("done_reason") in {"load", "unload"}:
            return exchange
        if path.startswith("/v1/"):
            return _translated(exchange, path, reply, form, body)
        return _answered(exchange, reply.body, Plain(), form)
    except (WireError, ValueError):  # a ValueError tells of numbers that JSON cannot hold
        return None


def _translated(
    exchange: Exchange, path: str, reply: wire.Reply, form: Form, body: bytes
) -> Exchange | None:
    """Return an answer in the form of OpenAI or Anthropic; it keeps its id and its time."""
    if not reply.done:
        return None
    head = _head(exchange.response.body)
    name = str(head["id"]) if head.get("id") else None
    manner: Manner
    if path == wire.ANTHROPIC_CHAT:
        manner = AnthropicChat(estimate=estimate(wire.parse_object(body, "request")), name=name)
    else:
        kind = OpenAiChat if path == wire.OPENAI_CHAT else OpenAiText
        manner = kind(usage=form is Form.COUNTED and "eval_count" in reply.body, name=name)
    fields = [] if "eval_count" in reply.body or form is Form.STREAM else [(NOT_RECORDED, "usage")]
    said = {"model": reply.body.get("model"), "created_at": _created_at(head)} | reply.body
    return _answered(exchange, said, manner, form, fields=fields)


def _head(body: bytes) -> JsonObject:
    """Return the object that tells the answer's id and time: the first one, or what is in it."""
    first = wire.parse_object(sse.data(body)[0] if sse.is_stream(body) else body, "answer")
    message = first.get("message")
    return message if isinstance(message, dict) else first


def _created_at(head: JsonObject) -> str:
    created = head.get("created")
    if not isinstance(created, int) or not 0 <= created <= _LAST_SECOND:
        created = 0
    return datetime.fromtimestamp(created, UTC).isoformat()


def _failed(exchange: Exchange, path: str, error: str) -> Exchange:
    """Return what an error in the middle becomes where nothing was sent before it."""
    translated = path.startswith("/v1/")
    text = encode(problem_body(path, 500, error)) + (b"\n" if translated else b"")
    kind = (("Content-Type", UNCODED if translated else JSON),)
    whole = _with(exchange, [text], kind, streamed=False)
    response = replace(whole.response, status=500, reason="Internal Server Error")
    return replace(whole, response=response)


def _answered(
    exchange: Exchange, body: JsonObject, manner: Manner, form: Form, *, fields: Fields = ()
) -> Exchange:
    if form.streamed:
        pieces = [manner.piece(part) for part in wire.split(body)]
        return _with(exchange, pieces, (*manner.stream_fields, *fields), streamed=True)
    whole = manner.whole(body)
    if fields:
        del whole["usage"]
    text = encode(whole) + (b"\n" if manner.whole_type == UNCODED else b"")
    kind = (("Content-Type", manner.whole_type), *fields)
    return _with(exchange, [text], kind, streamed=False)


def _with(
    exchange: Exchange, pieces: Sequence[bytes], fields: Fields, *, streamed: bool
) -> Exchange:
    # As it is, U+0085 breaks clients that take it for the end of a line; Go leaves it so.
    texts = [piece.replace("\u0085".encode(), rb"\u0085") for piece in pieces]
    at_s = exchange.chunks[-1].at_s if exchange.chunks else exchange.duration_s or 0.0
    response = HttpResponse(
        status=200,
        reason=exchange.response.reason,
        headers=_headers(exchange.response.headers, fields, streamed=streamed),
        body=b"".join(texts),
    )
    ends = accumulate(map(len, texts))
    return replace(exchange, response=response, chunks=tuple(Chunk(n, at_s) for n in ends))


def _headers(headers: Headers, fields: Fields, *, streamed: bool) -> Headers:
    """Return the header fields with others of their kind, and the framing that goes with them."""
    replaced = {*_FRAMING, *(name.lower() for name, _ in (*AnthropicChat.stream_fields, *fields))}
    kept = [(name, value) for name, value in headers if name.lower() not in replaced]
    coding = [("Transfer-Encoding", "chunked")] if streamed else []
    return (*fields, *kept, *coding)
