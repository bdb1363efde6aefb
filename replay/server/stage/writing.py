"""Answers in one piece, and errors, in the bytes and header fields that Go would send."""

from __future__ import annotations

from tonearm.canonical import Json
from tonearm.replay.server.gojson import encode
from tonearm.replay.server.problem import problem_body
from tonearm.replay.server.reply import JSON, UNCODED, Asked, Plain
from tonearm.replay.server.stage.refusal import Refusal


def whole(value: Json, asked: Asked, *, kind: str = JSON) -> Plain:
    """Return an answer in one piece; answers in the form of others end with a line end."""
    body = encode(value) + (b"\n" if kind == UNCODED else b"")
    return Plain(status=200, body=body, fields=(("Content-Type", kind),), chunkable=asked.chunked)


def refused(refusal: Refusal, asked: Asked) -> Plain:
    """Return an error in the form that the endpoint's clients understand."""
    kind = refusal.kind or JSON
    body = encode(problem_body(asked.path, refusal.status, str(refusal)))
    ends = kind == UNCODED and not refusal.streamed
    return Plain(
        status=refusal.status,
        body=body + (b"\n" if ends else b""),
        fields=(("Content-Type", kind),),
        chunkable=asked.chunked,
        coded=refusal.streamed and asked.chunked,
    )
