"""Requests of OpenAI's and Anthropic's clients, told as those of Ollama's own endpoints.

Ollama does the same: it reads them into its own requests and answers those
(ollama:middleware/openai.go and middleware/anthropic.go@v0.33.0).
"""

from __future__ import annotations

from tonearm import anthropic, openai, wire
from tonearm.canonical import JsonObject
from tonearm.errors import WireError
from tonearm.replay.server.manner import AnthropicChat, Manner, OpenAiChat, OpenAiText, estimate
from tonearm.replay.server.stage import forms
from tonearm.replay.server.stage.refusal import Refusal

DIALECTS = frozenset({wire.OPENAI_CHAT, wire.ANTHROPIC_CHAT, wire.OPENAI_TEXT})

_KEPT = ("model", "prompt", "suffix")


def translate(path: str, data: bytes) -> tuple[str, JsonObject, Manner]:
    """Return Ollama's path and body for a request, and the manner of its answer.

    Raises:
        Refusal: The body is not what the protocol allows.
    """
    try:
        match path:
            case wire.OPENAI_CHAT:
                return _openai_chat(forms.read(data, forms.OPENAI_CHAT, empty="EOF"))
            case wire.ANTHROPIC_CHAT:
                return _anthropic(forms.read(data, forms.ANTHROPIC, empty="EOF"))
        return _openai_text(forms.read(data, forms.OPENAI_TEXT, empty="EOF"))
    except WireError as err:
        raise Refusal(400, str(err)) from err


def _openai_chat(body: JsonObject) -> tuple[str, JsonObject, Manner]:
    if not body.get("messages"):
        raise Refusal(400, "[] is too short - 'messages'")
    chat = openai.chat_body(body, [])
    return wire.CHAT, chat, OpenAiChat(usage=_wants_usage(body))


def _openai_text(body: JsonObject) -> tuple[str, JsonObject, Manner]:
    options: JsonObject = {"temperature": 1.0, "top_p": body.get("top_p") or 1.0}
    for name in ("temperature", "seed", "frequency_penalty", "presence_penalty"):
        if name in body:
            options[name] = body[name]
    if "max_tokens" in body:
        options["num_predict"] = body["max_tokens"]
    stop = body.get("stop")
    if isinstance(stop, str | list):
        options["stop"] = [stop] if isinstance(stop, str) else stop
    top = body.get("logprobs") or 0
    request: JsonObject = {name: body[name] for name in _KEPT if name in body}
    request |= {"stream": body.get("stream", False), "options": options}
    request |= {"logprobs": top > 0, "top_logprobs": max(top, 0)}
    return wire.GENERATE, request, OpenAiText(usage=_wants_usage(body))


def _anthropic(body: JsonObject) -> tuple[str, JsonObject, Manner]:
    if not body.get("model"):
        raise Refusal(400, "model is required")
    if body.get("max_tokens", 0) <= 0:
        raise Refusal(400, "max_tokens is required and must be positive")
    if not body.get("messages"):
        raise Refusal(400, "messages is required")
    chat = anthropic.chat_body(body, [])
    return wire.CHAT, chat, AnthropicChat(estimate=estimate(body))


def _wants_usage(body: JsonObject) -> bool:
    return bool((body.get("stream_options") or {}).get("include_usage"))
