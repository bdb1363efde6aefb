"""Exchanges as an agent and Ollama would have made them, for tests that need a cassette."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from tonearm.canonical import JsonObject
from tonearm.cassette import CassetteWriter
from tonearm.model import Exchange, HttpRequest, HttpResponse, Outcome

type Message = JsonObject

ADD: JsonObject = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add numbers",
        "parameters": {
            "type": "object",
            "properties": {
                "a": {"type": "number", "description": "First"},
                "b": {"type": "number", "description": "Second"},
            },
            "required": ["a", "b"],
        },
    },
}
"""A tool that the tiny model has learnt to call."""


def user(text: str) -> Message:
    return {"role": "user", "content": text}


def says(text: str, **more: object) -> Message:
    return {"role": "assistant", "content": text, **more}


def calls(name: str, **arguments: object) -> Message:
    call = {"id": "call_x", "function": {"index": 0, "name": name, "arguments": arguments}}
    return says("", tool_calls=[call])


def result(text: str) -> Message:
    return {"role": "tool", "tool_name": "t", "content": text}


def exchange(
    messages: Sequence[Message],
    answer: Message | None,
    *,
    outcome: Outcome = Outcome.COMPLETE,
    model: str = "m",
    path: str = "/api/chat",
    options: JsonObject | None = None,
    started_at: str | None = "2026-11-21T10:00:00.000+00:00",
) -> Exchange:
    """Return one answered request; without an answer the response is empty."""
    request = {"model": model, "messages": messages, "stream": False}
    if options is not None:
        request["options"] = options
    final = {"done": True, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 3}
    reply = {"model": model, "message": answer, **final} if answer else {}
    return Exchange(
        request=HttpRequest(
            method="POST", uri=f"http://127.0.0.1:11434{path}", body=json.dumps(request).encode()
        ),
        response=HttpResponse(
            status=200,
            reason="OK",
            headers=(("Content-Type", "application/json; charset=utf-8"),),
            body=json.dumps(reply).encode() if answer else b"",
        ),
        started_at=started_at,
        duration_s=0.5,
        outcome=outcome,
        error=None if outcome is Outcome.COMPLETE else "it broke off",
    )


def loop(question: str, steps: Iterable[tuple[Message, Message]], answer: Message, **more: object):
    """Return the exchanges of one agent: each call is answered, and the history grows."""
    messages = [user(question)]
    found = []
    for call, outcome in steps:
        found.append(exchange(list(messages), call, **more))
        messages += [call, outcome]
    return [*found, exchange(list(messages), answer, **more)]


def write(path: Path, exchanges: Iterable[Exchange]) -> Path:
    """Write a cassette."""
    writer = CassetteWriter(path)
    for item in exchanges:
        writer.append(item)
    writer.close()
    return path
