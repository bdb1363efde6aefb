"""How answers are put: as Ollama's own endpoints do, or as those of others that it offers."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Protocol

from tonearm.canonical import Json, JsonObject
from tonearm.replay.server.gojson import encode
from tonearm.replay.server.reply import JSON, NDJSON, UNCODED, Fields

EVENTS = "text/event-stream"

_FINGERPRINT = "fp_ollama"
_IDS = 999
_COUNTED = ("role", "content")
_BYTES_PER_TOKEN = 4


class Manner(Protocol):
    """Puts the objects of ``/api/chat`` or ``/api/generate``."""

    @property
    def stream_fields(self) -> Fields:
        """Header fields of a stream, sorted by name."""

    @property
    def whole_type(self) -> str:
        """The type of an answer in one piece."""

    def piece(self, body: JsonObject) -> bytes:
        """Return what a stream says for one object."""

    def broken(self, error: JsonObject) -> bytes:
        """Return what a stream says that cannot go on."""

    def whole(self, body: JsonObject) -> JsonObject:
        """Return an answer in one piece."""


class Plain:
    """Ollama's own."""

    stream_fields: Fields = (("Content-Type", NDJSON),)
    whole_type = JSON

    def piece(self, body: JsonObject) -> bytes:
        """Return the object as a line."""
        return encode(body) + b"\n"

    def broken(self, error: JsonObject) -> bytes:
        """Return the error as a line."""
        return encode(error) + b"\n"

    def whole(self, body: JsonObject) -> JsonObject:
        """Return the object."""
        return body


class OpenAiChat:
    """``/v1/chat/completions``: ollama:openai/openai.go and middleware/openai.go@v0.33.0."""

    stream_fields: Fields = (("Content-Type", EVENTS),)
    whole_type = UNCODED

    def __init__(self, *, usage: bool, name: str | None = None) -> None:
        """Begin an answer.

        Args:
            usage: Whether a stream ends with the counts.
            name: The answer's id; a new one where absent.
        """
        self._usage = usage
        self._id = name or f"chatcmpl-{random.randrange(_IDS)}"
        self._created: int | None = None
        self._called = False

    def piece(self, body: JsonObject) -> bytes:
        """Return the events of one object."""
        return b"".join(_event(chunk) for chunk in self._chunks(body)) + (
            b"data: [DONE]\n\n" if body["done"] else b""
        )

    def broken(self, error: JsonObject) -> bytes:
        """Return the error as an event."""
        return _event(error)

    def whole(self, body: JsonObject) -> JsonObject:
        """Return the completion."""
        message = body["message"]
        calls = _calls(message)
        said: JsonObject = {"role": message["role"], "content": message["content"]}
        said |= _some(reasoning=message.get("thinking"), tool_calls=calls)
        reason = body.get("done_reason")
        choice: JsonObject = {
            "index": 0,
            "message": said,
            "finish_reason": "tool_calls" if reason == "stop" and calls else reason,
        }
        choice |= _logprobs(body)
        self._created = _seconds(body)
        usage = {"usage": _usage(body)} | _some(_debug_info=body.get("_debug_info"))
        return self._head(body, "chat.completion", [choice]) | usage

    def _chunks(self, body: JsonObject) -> Iterator[JsonObject]:
        first = self._created is None
        if first:
            self._created = _seconds(body)
        message = body["message"]
        calls, thinking, content = _calls(message), message.get("thinking"), message["content"]
        self._called = self._called or bool(calls)
        role = {"role": "assistant"} if first else {}
        if first or not body["done"] or content or thinking or calls or body.get("logprobs"):
            mixed = thinking and (content or calls)
            if mixed:
                yield self._delta(body, role | {"reasoning": thinking}, _logprobs(body))
                yield self._delta(body, {"content": content} | _some(tool_calls=calls), {})
            else:
                said = {"content": content} | _some(reasoning=thinking, tool_calls=calls)
                yield self._delta(body, role | said, _logprobs(body))
        if not body["done"]:
            return
        reason = body.get("done_reason") or "stop"
        if reason == "stop" and self._called:
            reason = "tool_calls"
        choice: JsonObject = {"index": 0, "delta": {}, "finish_reason": reason}
        yield self._head(body, "chat.completion.chunk", [choice])
        if self._usage:
            yield self._head(body, "chat.completion.chunk", []) | {"usage": _usage(body)}

    def _delta(self, body: JsonObject, said: JsonObject, more: JsonObject) -> JsonObject:
        choice = {"index": 0, "delta": said, "finish_reason": None} | more
        return self._head(body, "chat.completion.chunk", [choice])

    def _head(self, body: JsonObject, kind: str, choices: Sequence[JsonObject]) -> JsonObject:
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": body["model"],
            "system_fingerprint": _FINGERPRINT,
            "choices": list(choices),
        }


class OpenAiText:
    """``/v1/completions``."""

    stream_fields: Fields = (("Content-Type", EVENTS),)
    whole_type = UNCODED

    def __init__(self, *, usage: bool, name: str | None = None) -> None:
        """Begin an answer.

        Args:
            usage: Whether a stream brings the counts.
            name: The answer's id; a new one where absent.
        """
        self._usage = usage
        self._id = name or f"cmpl-{random.randrange(_IDS)}"

    def piece(self, body: JsonObject) -> bytes:
        """Return the events of one object."""
        counts = {"usage": _counts(0, 0)} if self._usage else {}
        events = _event(self._chunk(body, [_text(body)]) | counts)
        if body["done"] and self._usage:
            events += _event(self._chunk(body, []) | {"usage": _usage(body)})
        return events + (b"data: [DONE]\n\n" if body["done"] else b"")

    def broken(self, error: JsonObject) -> bytes:
        """Return the error as an event."""
        return _event(error)

    def whole(self, body: JsonObject) -> JsonObject:
        """Return the completion."""
        return {
            "id": self._id,
            "object": "text_completion",
            "created": _seconds(body),
            "model": body["model"],
            "system_fingerprint": _FINGERPRINT,
            "choices": [_text(body)],
            "usage": _usage(body),
        }

    def _chunk(self, body: JsonObject, choices: Sequence[JsonObject]) -> JsonObject:
        return {
            "id": self._id,
            "object": "text_completion",
            "created": _seconds(body),
            "choices": list(choices),
            "model": body["model"],
            "system_fingerprint": _FINGERPRINT,
        }


class AnthropicChat:
    """``/v1/messages``: ollama:anthropic/anthropic.go@v0.33.0."""

    stream_fields: Fields = (
        ("Cache-Control", "no-cache"),
        ("Connection", "keep-alive"),
        ("Content-Type", EVENTS),
    )
    whole_type = UNCODED

    def __init__(self, *, estimate: int, name: str | None = None) -> None:
        """Begin an answer.

        Args:
            estimate: What a stream says at first that the prompt's tokens are.
            name: The answer's id; a new one where absent.
        """
        self._estimate = estimate
        self._id = name or f"msg_{secrets.token_hex(12)}"
        self._begun = False
        self._index = 0
        self._open: str | None = None
        self._thought = False
        self._called = False

    def piece(self, body: JsonObject) -> bytes:
        """Return the events of one object."""
        return b"".join(
            b"event: %b\n" % event["type"].encode() + _event(event) for event in self._events(body)
        )

    def broken(self, error: JsonObject) -> bytes:
        """Return the error as an event of its own name."""
        return b"event: error\n" + _event(error)

    def whole(self, body: JsonObject) -> JsonObject:
        """Return the message."""
        message = body["message"]
        content: list[JsonObject] = []
        if message.get("thinking"):
            content.append({"type": "thinking", "thinking": message["thinking"]})
        if message["content"]:
            content.append({"type": "text", "text": message["content"]})
        for call in message.get("tool_calls") or []:
            function = call["function"]
            named = {"type": "tool_use", "id": call["id"], "name": function["name"]}
            content.append(named | {"input": function["arguments"]})
        called = bool(message.get("tool_calls"))
        return self._message(body, content or None) | {
            "stop_reason": _stop_reason(body, called=called),
            "usage": _tokens(body.get("prompt_eval_count", 0), body.get("eval_count", 0)),
        }

    def _events(self, body: JsonObject) -> Iterator[JsonObject]:
        message = body["message"]
        if not self._begun:
            self._begun = True
            read = body.get("prompt_eval_count") or self._estimate
            start = self._message(body, []) | {"usage": _tokens(read, 0)}
            yield {"type": "message_start", "message": start}
        if message.get("thinking") and not self._thought:
            yield from self._block("thinking", "thinking", message["thinking"])
        if message["content"]:
            yield from self._block("text", "text", message["content"])
        for call in message.get("tool_calls") or []:
            yield from self._call(call)
        if not body["done"]:
            return
        yield from self._stop()
        reason = _stop_reason(body, called=self._called)
        usage = _tokens(body.get("prompt_eval_count", 0), body.get("eval_count", 0))
        yield {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}
        yield {"type": "message_stop"}

    def _block(self, kind: str, name: str, text: str) -> Iterator[JsonObject]:
        """Go on with a block, or begin it behind the end of another."""
        if self._open != kind:
            yield from self._stop()
            self._open = kind
            block = {"type": kind, name: ""}
            yield {"type": "content_block_start", "index": self._index, "content_block": block}
        delta = {"type": f"{kind}_delta", name: text}
        yield {"type": "content_block_delta", "index": self._index, "delta": delta}

    def _call(self, call: JsonObject) -> Iterator[JsonObject]:
        yield from self._stop()
        self._called = True
        self._open = "tool_use"
        function = call["function"]
        named = {"type": "tool_use", "id": call["id"], "name": function["name"], "input": {}}
        yield {"type": "content_block_start", "index": self._index, "content_block": named}
        text = encode(function["arguments"]).decode()
        delta = {"type": "input_json_delta", "partial_json": text}
        yield {"type": "content_block_delta", "index": self._index, "delta": delta}
        yield from self._stop()

    def _stop(self) -> Iterator[JsonObject]:
        if self._open is None:
            return
        self._thought = self._thought or self._open == "thinking"
        yield {"type": "content_block_stop", "index": self._index}
        self._open = None
        self._index += 1

    def _message(self, body: JsonObject, content: list[JsonObject] | None) -> JsonObject:
        return {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
        }


def estimate(body: JsonObject) -> int:
    """Return about how many tokens Anthropic's request has: a quarter of its letters, as in Ollama.

    Args:
        body: A request that Ollama would accept.
    """
    messages = body.get("messages") or []
    said = [body.get("system"), *(m.get(name) for m in messages for name in _COUNTED)]
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


def _event(data: JsonObject) -> bytes:
    return b"data: %b\n\n" % encode(data)


def _some(**fields: object) -> JsonObject:
    return {name: value for name, value in fields.items() if value}


def _calls(message: JsonObject) -> list[JsonObject]:
    return [
        {
            "id": call["id"],
            "index": call["function"]["index"],
            "type": "function",
            "function": {
                "name": call["function"]["name"],
                "arguments": encode(call["function"]["arguments"]).decode(),
            },
        }
        for call in message.get("tool_calls") or []
    ]


def _logprobs(body: JsonObject) -> JsonObject:
    return {"logprobs": {"content": body["logprobs"]}} if body.get("logprobs") else {}


def _text(body: JsonObject) -> JsonObject:
    return {"text": body["response"], "index": 0, "finish_reason": body.get("done_reason")}


def _usage(body: JsonObject) -> JsonObject:
    return _counts(body.get("prompt_eval_count", 0), body.get("eval_count", 0))


def _counts(read: int, written: int) -> JsonObject:
    total = read + written
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": total}


def _tokens(read: int, written: int) -> JsonObject:
    return {"input_tokens": read, "output_tokens": written}


def _stop_reason(body: JsonObject, *, called: bool) -> str:
    if called:
        return "tool_use"
    return {"stop": "end_turn", "length": "max_tokens"}.get(body.get("done_reason", ""), "")


def _seconds(body: JsonObject) -> int:
    return int(datetime.fromisoformat(body["created_at"]).timestamp())
