"""Take out of an exchange what must not reach the disk.

Headers pass by an allow-list: what is not known to be harmless is dropped, and the names of what
was dropped stay in the exchange. The address loses its user and the values of its query.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from tonearm.canonical import JsonObject
from tonearm.model import Exchange, Headers

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


def redact(exchange: Exchange) -> Exchange:
    """Return the exchange without what could be a secret, and with the list of what was taken out.

    Redacting twice is redacting once: the list keeps what the first pass took.
    """
    request, response = exchange.request, exchange.response
    asked, dropped_asked = _headers(request.headers)
    answered, dropped_answered = _headers(response.headers)
    uri, dropped_uri = _uri(request.uri)
    before = exchange.redaction or {}
    summary: JsonObject = before | {
        name: sorted({*before.get(name, ()), *dropped})
        for name, dropped in (
            ("request_headers", dropped_asked),
            ("response_headers", dropped_answered),
            ("uri", dropped_uri),
        )
    }
    return replace(
        exchange,
        request=replace(request, uri=uri, headers=asked),
        response=replace(response, headers=answered),
        redaction=summary,
    )


def _headers(headers: Headers) -> tuple[Headers, set[str]]:
    kept = tuple((name, value) for name, value in headers if name.lower() in ALLOWED)
    return kept, {name.lower() for name, _ in headers} - ALLOWED


def _uri(uri: str) -> tuple[str, set[str]]:
    """Return an address without secrets and the names of what was in it."""
    parts = urlsplit(uri)
    _user, at, host = parts.netloc.rpartition("@")
    query = parse_qsl(parts.query, keep_blank_values=True)
    if not at and not query and not parts.fragment:
        return uri, set()
    hidden = urlencode([(name, PLACEHOLDER) for name, _ in query])
    taken = {name for name, value in query if value != PLACEHOLDER}
    return urlunsplit((parts.scheme, host, parts.path, hidden, "")), taken | (
        {"user"} if at else set()
    )
