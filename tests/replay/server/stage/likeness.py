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

_DURATION = re.compile(r"_duration$")
_LOGPROB_DIGITS = 2


@dataclass(frozen=True, slots=True)
class Likeness:
    """Status, header fields and body, as two servers can be compared by them."""

    status: int
    fields: dict[str, str]
    body: Json


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


def _plain(value: Json, name: str = "") -> Json:
    if name in VARYING and value not in (None, ""):
        return type(value).__name__
    match value:
        case dict():
            return {
                key: _plain(item, key) for key, item in value.items() if not _DURATION.search(key)
            }
        case list():
            return [_plain(item) for item in value]
        case float():
            return round(value, _LOGPROB_DIGITS) + 0.0
    return value
