"""A recorded response as the bytes that go on the wire.

What was recorded goes out as it was: status, reason, header fields in order, pieces cut at the same
places. Changed is only what would break HTTP, because the recording was edited, came from another
tool, or means harm; every such change is made here and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tonearm.model import Exchange, Headers, Outcome

BODILESS = frozenset({204, 304})
"""Statuses that end with the head."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TEXT = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

_LAST_CHUNK = b"0\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Framed:
    """A response, ready to be sent at once or piece by piece."""

    whole: bytes
    marks: tuple[tuple[int, float], ...]
    """Where each piece ends in ``whole``, and when it came, seconds after the request."""
    end_s: float
    """When the response was over, seconds after the request."""
    hang_up: bool
    """Whether the connection ends with the response."""


def frame(exchange: Exchange, *, chunked: bool = True) -> Framed:
    """Return a recorded response in the framing that it had.

    Args:
        exchange: What was recorded.
        chunked: Whether the client understands chunked transfer coding; where it does not, the
            response gets a length instead.
    """
    response = exchange.response
    complete = is_complete(exchange)
    bodiless = exchange.request.method == "HEAD" or response.status in BODILESS
    coded = chunked and not bodiless and _is_chunked(response.headers)
    fields = _fields(exchange, coded=coded, counted=complete and not bodiless)
    whole = bytearray(_head(response.status, response.reason, fields))
    end_s = max(exchange.duration_s or 0.0, 0.0)
    marks = []
    for piece, at_s in () if bodiless else _pieces(exchange, end_s):
        whole += b"%x\r\n%b\r\n" % (len(piece), piece) if coded else piece
        marks.append((len(whole), at_s))
    if coded and complete:
        whole += _LAST_CHUNK
    last_s = marks.pop()[1] if marks else end_s
    return Framed(
        whole=bytes(whole),
        marks=(*marks, (len(whole), last_s)),
        end_s=max(end_s, last_s),
        hang_up=not complete or _says_close(fields),
    )


def is_complete(exchange: Exchange) -> bool:
    """Return whether a response was recorded to its end."""
    return exchange.outcome in {Outcome.COMPLETE, Outcome.UPSTREAM_ERROR}


def _fields(exchange: Exchange, *, coded: bool, counted: bool) -> Headers:
    """Return the header fields that go out; those that no client could read are left out."""
    fields = tuple(
        (name, value)
        for name, value in exchange.response.headers
        if _TOKEN.fullmatch(name) and _TEXT.fullmatch(value)
    )
    if coded:
        return _without(fields, "content-length")
    fields = _without(fields, "transfer-encoding")
    length = str(len(exchange.response.body))
    if not counted or _values(fields, "content-length") == [length]:
        return fields
    return (*_without(fields, "content-length"), ("Content-Length", length))


def _values(fields: Headers, wanted: str) -> list[str]:
    return [value for name, value in fields if name.lower() == wanted]


def _without(fields: Headers, unwanted: str) -> Headers:
    return tuple((name, value) for name, value in fields if name.lower() != unwanted)


def _is_chunked(headers: Headers) -> bool:
    return any("chunked" in value.lower() for value in _values(headers, "transfer-encoding"))


def _says_close(fields: Headers) -> bool:
    return any("close" in value.lower() for value in _values(fields, "connection"))


def _head(status: int, reason: str, fields: Headers) -> bytes:
    phrase = reason if _TEXT.fullmatch(reason) else ""
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in fields)]
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1")


def _pieces(exchange: Exchange, end_s: float) -> Iterator[tuple[bytes, float]]:
    """Yield the pieces of a body with their times; an empty one would end a chunked body."""
    body = exchange.response.body
    end, at_s = 0, end_s
    for chunk in exchange.chunks:
        start, end = end, min(max(chunk.end, end), len(body))
        at_s = chunk.at_s
        if end > start:
            yield body[start:end], at_s
    if end < len(body):
        yield body[end:], at_s
