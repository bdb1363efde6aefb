"""Check the render layer: the prompt that Ollama wrote against the template's."""

from __future__ import annotations

from collections.abc import Sequence

from tonearm.canonical import JsonObject
from tonearm.errors import RenderError
from tonearm.model import ChatRequest, Layer, Take
from tonearm.replay.compare import Finding, Kind
from tonearm.replay.translator.causes import Cause, habits
from tonearm.replay.translator.conversation import Conversation, thinks
from tonearm.replay.translator.dialect import render
from tonearm.replay.translator.explain import explain
from tonearm.replay.translator.findings import parting
from tonearm.templates import ChatFormat


def prompt_findings(
    request: ChatRequest, take: Take, prompt: str, chat_format: ChatFormat
) -> list[Finding]:
    """Return why a prompt is not the template's, each reason at the place where it shows."""
    messages: Sequence[JsonObject] = ()
    ours: str | None = None
    problem, thinking = "", thinks(request, take)
    try:
        messages = chat_format.from_ollama(request.messages)
        ours = chat_format.render(messages, request.tools, enable_thinking=thinking)
    except RenderError as err:
        problem = str(err)
    if ours == prompt:
        return []
    named_large = chat_format.name == "gemma4-large"
    for large in (named_large, not named_large) if messages else ():
        conversation = Conversation(
            messages=messages,
            sent=request.messages,
            tools=request.tools,
            large=large,
            thinks=thinking,
            think_said=request.body.get("think") is not None,
        )
        if _written(conversation) == ours:
            return explained(conversation, prompt, take.pin.server_version if take.pin else None)
    if ours is None:
        return [_found(Cause.TEMPLATE_REFUSES, problem, prompt)]
    return [_found(Cause.UNEXPLAINED, ours, prompt)]


def explained(conversation: Conversation, prompt: str, version: str | None) -> list[Finding]:
    """Return why a prompt is not what the template makes of a conversation.

    Args:
        conversation: What the prompt was made from.
        prompt: What Ollama made of it.
        version: The server's, where it is known.
    """
    explanation = explain(conversation, prompt, habits(version))
    dropped = f"{explanation.dropped} of {len(conversation.messages)}"
    details = {Cause.HISTORY_DROPPED: dropped}
    return [
        _found(place.cause, place.without, prompt, details.get(place.cause, ""))
        for place in explanation.places
    ]


def _written(conversation: Conversation) -> str | None:
    """Return what the dialect makes of a conversation without habits, ``None`` if it refuses."""
    try:
        return render(conversation)[0]
    except RenderError:
        return None


def _found(cause: Cause, left: str, prompt: str, detail: str = "") -> Finding:
    kind = Kind.TRUNCATION if cause is Cause.HISTORY_DROPPED else Kind.PROMPT
    return parting(Layer.RENDER, kind, cause, left, prompt, detail=detail)
