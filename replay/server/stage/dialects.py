"""Requests of OpenAI's and Anthropic's clients, told as those of Ollama's own endpoints.

Ollama does the same: it reads them into its own requests and answers those
(ollama:middleware/openai.go and middleware/anthropic.go@v0.33.0).
"""

from __future__ import annotations

from tonearm import anthropic, openai, wire
from tonearm.canonical import Json, JsonObject
from tonearm.errors import WireError
from tonearm.replay.server.gojson import encode
from tonearm.replay.server.stage import forms
from tonearm.replay.server.stage.manner import AnthropicChat, Manner, OpenAiChat, OpenAiText
from tonearm.replay.server.stage.refusal import Refusal

OPENAI_TEXT = "/v1/completions"
DIALECTS = frozenset({wire.OPENAI_CHAT, wire.ANTHROPIC_CHAT, OPENAI_TEXT})

_KEPT = ("model", "prompt", "suffix")
_COUNTED = ("role", "content")
_BYTES_PER_TOKEN = 4


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
    return wire.CHAT, chat, AnthropicChat(estimate=_estimate(body))


def _wants_usage(body: JsonObject) -> bool:
    return bool((body.get("stream_options") or {}).get("include_usage"))


def _estimate(body: JsonObject) -> int:
    """Return about how many tokens a request has: a quarter of its letters, as Ollama counts."""
    said = [body.get("system"), *(m.get(name) for m in body["messages"] for name in _COUNTED)]
    tools = body.get("tools") or []
    named = [tool.get(name) for tool in tools for name in ("name", "description")]
    schemas = sum(len(encode(tool.get("input_schema"))) for tool in tools)
    return max((sum(map(_letters, [*said, *named])) + schemas) // _BYTES_PER_TOKEN, 1)


def _letters(content: Json) -> int:
    match content:
        case str():
            return len(content.encode())
        case list():
            return sum(map(_letters, content))
        case {"type": str(kind), **fields}:
            return _letters(fields.get(kind) or fields.get("content"))
    return 0
