"""An exchange in the shape that vcrpy gives it: a request and a response, texts and lists.

vcrpy's shape cannot hold everything that crosses a wire, and its stubs stumble over some of what it
can. What vcrpy gets here is what every client can replay; where that is not what was recorded, the
members as they were stand in our facts as ``exact``.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable

from tonearm.canonical import Json, JsonObject
from tonearm.cassette import facts
from tonearm.cassette.shape import ShapeError, check, describe, member, optional, shown
from tonearm.model import Exchange, Headers, HttpRequest, HttpResponse

BINARY = "!!binary"
"""YAML's tag for bytes; where only JSON is spoken, the single key of an object in its place."""

_MAX_NAME = 256
"""Characters of a header name; a YAML key may have 1,024, escapes included."""

_NOT_STOCK = re.compile(r"[^\t\x20-\x7e]")
"""vcrpy's stub for httpx encodes reason and headers as ASCII; a line break ends a header."""


def to_interaction(exchange: Exchange, body: Callable[[bytes], object]) -> JsonObject:
    """Return vcrpy's shape of an exchange; ``body`` says how bytes are written."""
    request, response = exchange.request, exchange.response
    asked, answered = _fields(request.headers), _fields(response.headers)
    return {
        "request": {
            "method": _stock(request.method),
            "uri": _stock(request.uri),
            "body": body(request.body),
            "headers": asked,
        },
        "response": {
            "status": {"code": response.status, "message": _stock(response.reason)},
            "headers": answered,
            "body": {"string": body(response.body)},
            "tonearm": facts.pack(exchange, _exact(exchange, asked, answered)),
        },
    }


type _Fields = dict[str, list[str]]


def _stock(text: str) -> str:
    return _NOT_STOCK.sub("?", text)


def _fields(headers: Headers) -> _Fields:
    fields: _Fields = {}
    for name, value in headers:
        if len(name) <= _MAX_NAME:
            fields.setdefault(_stock(name), []).append(_stock(value))
    return fields


def _exact(exchange: Exchange, asked: _Fields, answered: _Fields) -> JsonObject:
    request, response = exchange.request, exchange.response
    texts = {"method": request.method, "uri": request.uri}
    parts: JsonObject = {
        "request": {name: text for name, text in texts.items() if _stock(text) != text},
        "response": {},
    }
    if _stock(response.reason) != response.reason:
        parts["response"]["status"] = {"code": response.status, "message": response.reason}
    if _pairs(asked) != request.headers or _repeats(asked):
        parts["request"]["headers"] = request.headers
    if _pairs(answered) != response.headers:
        parts["response"]["headers"] = response.headers
    return {name: part for name, part in parts.items() if part}


def _pairs(fields: _Fields) -> Headers:
    return tuple((name, value) for name, values in fields.items() for value in values)


def _repeats(fields: _Fields) -> bool:
    """Return whether vcrpy would lose a value: it keeps the first of a request header."""
    return len({name.lower() for name in fields}) != sum(map(len, fields.values()))


def to_exchange(interaction: Json, position: int) -> Exchange:
    """Return the exchange in an interaction.

    ``position`` numbers an interaction that does not say its own sequence.

    Raises:
        ShapeError: A member is missing or of a type that it must not have.
        NewerFormat: A later tonearm wrote our facts.
    """
    whole = check(interaction, dict, "an interaction")
    asked = member(whole, "request", dict, "")
    answered = member(whole, "response", dict, "")
    own = facts.unwrap(answered.get("tonearm"))
    exact = optional(own, "exact", dict, "response.tonearm.")
    if exact is not None:
        asked = asked | _members(exact, "request", ("method", "uri", "headers"))
        answered = answered | _members(exact, "response", ("status", "headers"))
    return Exchange(
        request=_request(asked), response=_response(answered), **facts.unpack(own, position)
    )


def _members(exact: JsonObject, part: str, names: tuple[str, ...]) -> JsonObject:
    members = optional(exact, part, dict, "response.tonearm.exact.") or {}
    return {name: value for name, value in members.items() if name in names}


def _request(asked: JsonObject) -> HttpRequest:
    return HttpRequest(
        method=member(asked, "method", str, "request."),
        uri=member(asked, "uri", str, "request."),
        headers=_headers(asked, "request.headers"),
        body=_request_body(asked.get("body")),
    )


def _response(answered: JsonObject) -> HttpResponse:
    status = member(answered, "status", dict, "response.")
    body = member(answered, "body", dict, "response.")
    return HttpResponse(
        status=member(status, "code", int, "response.status."),
        reason=optional(status, "message", str, "response.status.") or "",
        headers=_headers(answered, "response.headers"),
        body=_bytes(body.get("string"), "response.body.string"),
    )


def _headers(parent: JsonObject, where: str) -> Headers:
    """Return header fields from vcrpy's object of lists, or from our list of pairs."""
    fields = parent.get("headers")
    if isinstance(fields, list):
        return tuple(_pair(pair, where) for pair in fields)
    pairs = []
    for name, values in check({} if fields is None else fields, dict, where).items():
        for value in values if isinstance(values, list) else [values]:
            pairs.append((name, check(value, str, f"{where}[{shown(name)}]")))
    return tuple(pairs)


def _pair(pair: Json, where: str) -> tuple[str, str]:
    match pair:
        case [str(name), str(value)]:
            return name, value
    raise ShapeError(f"{where} holds {describe(pair)}, not a name and a value")


def _request_body(body: Json) -> bytes:
    """Return a request's body; vcrpy's stub for aiohttp keeps what ``json=`` was given as it is."""
    if isinstance(body, list) or (isinstance(body, dict) and BINARY not in body):
        return json.dumps(body).encode()
    return _bytes(body, "request.body")


def _bytes(body: Json, where: str) -> bytes:
    match body:
        case None:
            return b""
        case str():
            return _encode(body, where)
        case {"!!binary": str(text), **rest} if not rest:
            return _decode(text, where)
    raise ShapeError(f"{where} is {describe(body)}, not text")


def _encode(text: str, where: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as err:
        raise ShapeError(f"{where} has half of a surrogate pair, which is not text") from err


def _decode(text: str, where: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as err:  # binascii.Error among them
        raise ShapeError(f"{where} is not base64: {err}") from err
