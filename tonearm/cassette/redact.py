"""Take out of an exchange what must not reach the disk.

Headers pass by an allow-list: what is not known to be harmless is dropped, and the names of what
was dropped stay in the exchange. The address keeps scheme, host and path.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from tonearm.canonical import Json, JsonObject
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
        name: sorted(_names(before.get(name)) | dropped)
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
