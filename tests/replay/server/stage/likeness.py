"""An answer without what has to be another in every answer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

import httpx

from tonearm.canonical import Json

VARYING = frozenset(
    {
        "created_at",
        "modified_at",
        "expires_at",
        "created",
        "digest",
        "size",
        "size_vram",
        "id",
        "request_id",
    }
)
"""Times, random names, and what counts bytes on the disk or in memory."""

_OWN = re.compile(r"(?m)^FROM .*$|^PARAMETER num_thread 1\n|^num_thread +1\n")
"""Where the weights lie, and the parameter that the tests' Ollama is given."""

_DURATION = re.compile(r"_duration$")
_LOGPROB_TOLERANCE = 0.05
"""Between builds of llama.cpp that add in another order."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """Status, header fields and body, as two servers can be compared by them."""

    status: int
    fields: dict[str, str]
    body: Json

    def is_like(self, other: Likeness) -> bool:
        """Return whether both are the same, fractions about."""
        heads = (self.status, self.fields) == (other.status, other.fields)
        return heads and _same(self.body, other.body)


def likeness(answer: httpx.Response) -> Likeness:
    """Return what two servers have to agree in."""
    fields = {name: value for name, value in answer.headers.items() if name != "date"}
    body = _body(answer.text)
    if not isinstance(body, str) and "content-length" in fields:
        fields["content-length"] = "counted"  # with the digits of times
    return Likeness(answer.status_code, fields, body)


def _body(text: str) -> Json:
    try:
        return _plain(json.loads(text))
    except ValueError:
        pass
    try:
        return [_plain(json.loads(line)) for line in text.splitlines()]
    except ValueError:
        return _events(text)


def _events(text: str) -> Json:
    """Return the events of a stream of them, or the text that it is."""
    if not text.startswith(("data: ", "event: ")):
        return text
    lines = [line.partition(": ") for line in text.splitlines() if line]
    return [
        [name, _plain(json.loads(data)) if data.startswith("{") else data]
        for name, _, data in lines
    ]


def _same(one: Json, other: Json) -> bool:
    match one, other:
        case float(), float():
            return abs(one - other) < _LOGPROB_TOLERANCE
        case dict(), dict():
            return list(one) == list(other) and all(_same(one[key], other[key]) for key in one)
        case list(), list():
            return len(one) == len(other) and all(map(_same, one, other))
    return type(one) is type(other) and bool(one == other)


def _plain(value: Json, name: str = "") -> Json:
    if name in VARYING and value not in (None, ""):
        return type(value).__name__
    match value:
        case str():
            return _OWN.sub("", value) if name in {"modelfile", "parameters"} else value
        case dict():
            return {
                key: _plain(item, key) for key, item in value.items() if not _DURATION.search(key)
            }
        case list():
            return [_plain(item) for item in value]
    return value
