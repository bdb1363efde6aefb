"""Errors in the three shapes in which Ollama has them, so that clients show what they say."""

from __future__ import annotations

import secrets

from tonearm.canonical import JsonObject
from tonearm.replay.server.reply import UNCODED, Plain, json_reply

_TYPES = {400: "invalid_request_error", 404: "not_found_error"}


def problem(path: str, status: int, text: str) -> Plain:
    """Return an error of the kind that the endpoint's clients understand.

    Under ``/v1`` a request that is refused as wrong gets another header than other errors do, and
    they end in a line break.
    """
    body = problem_body(path, status, text)
    if path.startswith("/v1/") and status != 400:
        return json_reply(body, status, kind=UNCODED, end=b"\n")
    return json_reply(body, status)


def problem_body(path: str, status: int, text: str) -> JsonObject:
    """Return the body of an error.

    Names of the types: ollama:openai/openai.go and ollama:anthropic/anthropic.go@v0.33.0.
    """
    kind = _TYPES.get(status, "api_error")
    if path == "/v1/messages":
        request_id = f"req_{secrets.token_hex(12)}"
        error = {"type": kind, "message": text}
        return {"type": "error", "error": error, "request_id": request_id}
    if path.startswith("/v1/"):
        return {"error": {"message": text, "type": kind, "param": None, "code": None}}
    return {"error": text}


def no_model(path: str, model: str) -> Plain:
    """Return Ollama's error for a model that it does not have."""
    return problem(path, 404, no_model_text(model))


def no_model_text(model: str) -> str:
    """Return Ollama's words for a model that it does not have; clients look for them."""
    return f"model '{model}' not found"
