"""Take out of an exchange what must not reach the disk.

Header fields pass by an allow-list: what is not known to be harmless is dropped. The address keeps
scheme, host and path. Secrets in what is left, and in the bodies, are replaced by stand-ins; the
pieces in which a body came are fitted to its new length. Names and numbers of what was taken stay
in the exchange.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from secrets import token_bytes
from urllib.parse import urlsplit, urlunsplit

from tonearm.canonical import Json, JsonObject
from tonearm.cassette.files import make_private_folder
from tonearm.errors import RedactionError
from tonearm.model import Chunk, Exchange, Headers
from tonearm.redaction import Redacted, Redactor
from tonearm.redaction.coding import Unreadable, is_packed, unpacked
from tonearm.redaction.edits import Shift

PLACEHOLDER = "redacted"

ALLOWED = frozenset(
    {
        "accept",
        "accept-encoding",
        "accept-ranges",
        "allow",
        "cache-control",
        "connection",
        "content-encoding",
        "content-language",
        "content-length",
        "content-type",
        "date",
        "expect",
        "host",
        "keep-alive",
        "retry-after",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "vary",
    }
)
"""Names of header fields, lower case, that describe the message and never a person."""

CODING = "content-encoding"

WITHHELD = "withheld"
"""Counted for a body that is compressed in a way that cannot be read, and is left out."""

OFF = "off"
"""Stands in the summary of an exchange from which nothing was taken out."""

type Clean = Callable[[Exchange], Exchange]
"""Takes out of an exchange what must not reach the disk."""


def cleaner(shelf: Path) -> Clean:
    """Return what redacts the exchanges of a shelf, by its key and its rules.

    A shelf without a key gets one, and one that is not there is made.

    Raises:
        RedactionError: The key or the rules cannot be used.
    """
    try:
        make_private_folder(shelf)
    except OSError as err:
        raise RedactionError(shelf, f"cannot be made: {err.strerror}") from err
    return partial(redact, redactor=Redactor.of_shelf(shelf))


def keep_raw(exchange: Exchange) -> Exchange:
    """Return the exchange as it was captured, with a summary that says so."""
    return replace(exchange, redaction={OFF: True})


def is_raw(exchange: Exchange) -> bool:
    """Return whether an exchange was written with its secrets, if it had any."""
    return (exchange.redaction or {}).get(OFF) is True


def redact(exchange: Exchange, redactor: Redactor | None = None) -> Exchange:
    """Return the exchange without what could be a secret, and with a summary of what was taken out.

    Redacting twice is redacting once: the summary keeps what the first pass took.

    Args:
        exchange: As it was captured.
        redactor: That of the shelf; without one, stand-ins mean something in this process alone.
    """
    return _Work(redactor or _of_this_process()).done(exchange)


@cache
def _of_this_process() -> Redactor:
    return Redactor(token_bytes(32))


class _Work:
    """The redaction of one exchange, and what was found so far."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._found: Counter[str] = Counter()

    def done(self, exchange: Exchange) -> Exchange:
        """Return the exchange without its secrets."""
        exchange, dropped = _stripped(exchange)
        exchange = self._texts(exchange)
        exchange = self._question(exchange)
        exchange = self._answer(exchange)
        before = {k: v for k, v in (exchange.redaction or {}).items() if k != OFF}
        summary: JsonObject = before | {
            name: sorted(_names(before.get(name)) | names) for name, names in dropped.items()
        }
        summary["secrets"] = dict(sorted((_counts(before.get("secrets")) + self._found).items()))
        return replace(exchange, redaction=summary)

    def _texts(self, exchange: Exchange) -> Exchange:
        """Return the exchange with the texts around the bodies redacted."""
        request, response = exchange.request, exchange.response
        values = [value for _, value in (*request.headers, *response.headers)]
        around = "\n".join((request.uri, response.reason, exchange.error or "", *values))
        if not self._redactor.text(around)[1]:
            return exchange
        return replace(
            exchange,
            request=replace(
                request, uri=self._text(request.uri), headers=self._headers(request.headers)
            ),
            response=replace(
                response,
                reason=self._text(response.reason),
                headers=self._headers(response.headers),
            ),
            error=exchange.error and self._text(exchange.error),
        )

    def _headers(self, headers: Headers) -> Headers:
        return tuple((name, self._text(value)) for name, value in headers)

    def _text(self, text: str) -> str:
        new, findings = self._redactor.text(text)
        self._found.update(finding.kind for finding in findings)
        return new

    def _question(self, exchange: Exchange) -> Exchange:
        request = exchange.request
        body, headers, _ = self._body(request.body, request.headers, (), self._redactor.request)
        return replace(exchange, request=replace(request, body=body, headers=headers))

    def _answer(self, exchange: Exchange) -> Exchange:
        asked = bool(self._found)
        response = exchange.response
        body, headers, chunks = self._body(
            response.body,
            response.headers,
            exchange.chunks,
            lambda body: self._redactor.response(body, asked=asked),
        )
        response = replace(response, body=body, headers=headers)
        return replace(exchange, response=response, chunks=chunks)

    def _body(
        self,
        body: bytes,
        headers: Headers,
        chunks: Sequence[Chunk],
        work: Callable[[bytes], Redacted],
    ) -> tuple[bytes, Headers, Sequence[Chunk]]:
        """Return a body without its secrets, and headers and pieces that fit it."""
        coding = ", ".join(value for name, value in headers if name.lower() == CODING)
        plain, ends = body, [chunk.end for chunk in chunks]
        if body and is_packed(coding):
            try:
                plain, ends = unpacked(body, ends, coding)
            except Unreadable:
                self._found[WITHHELD] += 1
                return b"", _sized(headers, 0), tuple(replace(c, end=0) for c in chunks)
        redacted = work(plain)
        if not redacted.edits:
            return body, headers, chunks
        self._found += redacted.found
        shift = Shift(redacted.edits)
        pieces = tuple(replace(c, end=shift(end)) for c, end in zip(chunks, ends, strict=True))
        return redacted.body, _sized(headers, len(redacted.body)), pieces


def _sized(headers: Headers, length: int) -> Headers:
    """Return header fields of a body that is not packed and has a length."""
    return tuple(
        (name, str(length) if name.lower() == "content-length" else value)
        for name, value in headers
        if name.lower() != CODING
    )


def _stripped(exchange: Exchange) -> tuple[Exchange, dict[str, set[str]]]:
    """Return the exchange with what may pass of headers and address, and what was dropped."""
    request, response = exchange.request, exchange.response
    uri, dropped = _uri(request.uri)
    stripped = replace(
        exchange,
        request=replace(request, uri=uri, headers=_allowed(request.headers)),
        response=replace(response, headers=_allowed(response.headers)),
    )
    return stripped, {
        "request_headers": {name.lower() for name, _ in request.headers} - ALLOWED,
        "response_headers": {name.lower() for name, _ in response.headers} - ALLOWED,
        "uri": dropped,
    }


def _allowed(headers: Headers) -> Headers:
    return tuple((name, value) for name, value in headers if name.lower() in ALLOWED)


def _uri(uri: str) -> tuple[str, set[str]]:
    """Return an address without secrets, and the names of the parts that it lost."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return PLACEHOLDER, {"address"}
    _, at, host = parts.netloc.rpartition("@")
    lost = {"user": at, "query": parts.query, "fragment": parts.fragment}
    query = PLACEHOLDER if parts.query else ""
    taken = {name for name, part in lost.items() if part not in ("", PLACEHOLDER)}
    return (
        (urlunsplit((parts.scheme, host, parts.path, query, "")), taken) if taken else (uri, taken)
    )


def _names(value: Json) -> set[str]:
    """Return the names that an earlier pass listed; a file may hold anything in their place."""
    return {name for name in value if isinstance(name, str)} if isinstance(value, list) else set()


def _counts(value: Json) -> Counter[str]:
    """Return what an earlier pass counted."""
    table = value if isinstance(value, dict) else {}
    return Counter({str(kind): n for kind, n in table.items() if type(n) is int and n > 0})
