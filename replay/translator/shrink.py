"""Cut a request down to what is needed to show one habit of Ollama's renderer.

Whoever gets a report wants ten lines, not the history of an agent. The habit is simulated, so no
server is asked; parts go as long as the simulated prompt still differs from the template's.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonearm import templates
from tonearm.canonical import Json, JsonObject
from tonearm.errors import RenderError, WireError
from tonearm.model import ChatRequest
from tonearm.replay.translator.causes import Cause
from tonearm.replay.translator.conversation import Conversation
from tonearm.replay.translator.dialect import render
from tonearm.wire import chat_request

MAX_TRIES = 2_000
"""Prompts that are written in the search; what is found by then is good enough."""

KEPT = ("model", "messages", "tools", "think")
"""The fields of a request that its prompt depends on."""

_NEEDED = {"role", "content", "type", "function", "name", "parameters", "arguments"}
"""Members without which a message or a tool is none."""

_SHORT = "x"


def minimal(request: ChatRequest, cause: Cause, large: bool = False) -> ChatRequest | None:
    """Return the smallest request found whose prompt shows a habit.

    Args:
        request: One whose prompt shows it.
        cause: The habit.
        large: Whether the model is of the larger sizes.

    Returns:
        ``None`` where the habit cannot be simulated on this request.
    """
    body: JsonObject = {name: request.body[name] for name in KEPT if name in request.body}
    tries = MAX_TRIES
    if not _shows(body, cause, large):
        return None
    smaller: JsonObject | None = body
    while smaller is not None:
        body, smaller = smaller, None
        for candidate in _smaller(body):
            tries -= 1
            if tries < 0:
                break
            if _shows(candidate, cause, large):
                smaller = candidate
                break
    return ChatRequest(body=body)


def _shows(body: JsonObject, cause: Cause, large: bool) -> bool:
    try:
        request = chat_request(body)
        if not request.messages:
            return False
        conversation = Conversation(
            messages=templates.get("gemma4-small").from_ollama(request.messages),
            sent=request.messages,
            tools=request.tools,
            large=large,
            thinks=request.thinks(capable=True),
            think_said=request.body.get("think") is not None,
        )
        return render(conversation, {cause})[0] != render(conversation)[0]
    except (RenderError, WireError):
        return False


def _smaller(body: JsonObject) -> Iterator[JsonObject]:
    """Yield the body with one part taken out or one text shortened, the large parts first."""
    for name in ("tools", "messages"):
        if name == "tools" and name in body:
            yield {key: value for key, value in body.items() if key != name}
        for part in _parts(body.get(name)):
            yield {**body, name: part}


def _parts(value: Json) -> Iterator[Json]:
    """Yield a value with one thing less, things near the root first."""
    match value:
        case list():
            for n in range(len(value)):
                yield value[:n] + value[n + 1 :]
            for n, item in enumerate(value):
                for part in _parts(item):
                    yield [*value[:n], part, *value[n + 1 :]]
        case dict():
            for key in value:
                if key not in _NEEDED:
                    yield {k: v for k, v in value.items() if k != key}
            for key, item in value.items():
                if key in {"role", "type", "name"}:
                    continue
                for part in _parts(item):
                    yield {**value, key: part}
        case str() if len(value) > len(_SHORT):
            yield _SHORT
