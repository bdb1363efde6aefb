"""How much alike two requests are, told from fingerprints of their parts.

A part is a message, a tool, an option: what agents repeat from request to request. Comparing the
texts themselves would take seconds on a shelf of long histories.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

from tonearm.canonical import Json, JsonObject, canonical_bytes
from tonearm.replay.server.question import Pointer, drop, take_form

GIST = 400
"""Characters of what was said last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What of a request is compared."""

    parts: frozenset[int]
    gist: str
    """What was said last; it decides between requests that share as many parts."""

    def likeness(self, other: Features) -> tuple[float, float]:
        """Return how near another request is; the greater, the nearer."""
        shared = len(self.parts & other.parts)
        total = len(self.parts) + len(other.parts)
        return 2 * shared / total if total else 1.0, fuzz.ratio(self.gist, other.gist)


def features(value: Json) -> Features:
    """Return the features of a parsed body."""
    gist = _last_said(value) if isinstance(value, dict) else ""
    return Features(parts=frozenset(_parts(value)), gist=gist)


def read_body(path: str, body: bytes, free: Sequence[Pointer]) -> Json:
    """Return the JSON of a body without what does not count; a body that is no JSON is a text."""
    try:
        value: Json = json.loads(body) if body else None
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")
    take_form(path, value)
    for pointer in free:
        drop(value, pointer)
    return value


def _parts(value: Json) -> Iterator[int]:
    if not isinstance(value, dict):
        yield hash(canonical_bytes(value))
        return
    for name, member in value.items():
        items = member if isinstance(member, list) else [member]
        if isinstance(member, dict):
            items = list(member.items())
        yield from (hash((name, canonical_bytes(item))) for item in items)


def _last_said(body: JsonObject) -> str:
    text = body.get("prompt")
    messages = body.get("messages")
    if isinstance(messages, list) and messages and isinstance(messages[-1], dict):
        text = messages[-1].get("content")
    return text[-GIST:] if isinstance(text, str) else ""
