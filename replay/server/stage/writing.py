"""Answers in one piece, and errors, in the bytes and header fields that Go would send."""

from __future__ import annotations

import json

from tonearm.canonical import Json
from tonearm.replay.server.gojson import encode
from tonearm.replay.server.problem import problem
from tonearm.replay.server.reply import JSON, Asked, Plain
from tonearm.replay.server.stage.refusal import Refusal

OPENAI = "application/json"
"""The type of answers that Ollama turns into those of others."""


def whole(value: Json, asked: Asked, *, kind: str = JSON) -> Plain:
    """Return an answer in one piece; answers in the form of others end with a line end."""
    body = encode(value) + (b"\n" if kind == OPENAI else b"")
    return Plain(status=200, body=body, fields=(("Content-Type", kind),), chunkable=asked.chunked)


def refused(refusal: Refusal, asked: Asked) -> Plain:
    """Return an error in the form that the endpoint's clients understand."""
    made = problem(asked.path, refusal.status, str(refusal))
    kind = refusal.kind or JSON
    body = encode(json.loads(made.body)) + (
        b"\n" if kind == OPENAI and not refusal.streamed else b""
    )
    return Plain(
        status=refusal.status,
        body=body,
        fields=(("Content-Type", kind),),
        chunkable=asked.chunked,
        coded=refusal.streamed and asked.chunked,
    )
