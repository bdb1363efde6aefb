"""Anthropic's messages, told as requests and answers of ``/api/chat``.

The request is turned as Ollama turns it before it reads it (ollama:anthropic/anthropic.go@v0.33.0),
so asking ``/api/chat`` with the result brings the same prompt and the same options.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tonearm import sse
from tonearm.canonical import Json, JsonObject
from tonearm.errors import WireError
from tonearm.wire import Reply, error_of, parse_object

MAPPED = frozenset(
    [
        "model",
        "max_tokens",
        "messages",
        "system",
        "stream",
        "temperature",
        "top_p",
        "top_k",
        "stop_sequences",
        "tools",
        "thinking",
        "output_config",
    ]
)
"""Fields that Ollama reads, all of which ``/api/chat`` has too."""

HARMLESS = frozenset({"metadata", "service_tier"})
"""Fields that leave the prompt and the sampling alone."""

NEUTRAL: JsonObject = {"tool_choice": {"type": "auto"}}
"""Values with which a field says what ``/api/chat`` does anyway."""

_OPTIONS = {
    "max_tokens": "num_predict",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "stop_sequences": "stop",
}
_EFFORTS = {"low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "max"}
_REASONS = {"end_turn": "stop", "tool_use": "stop", "max_tokens": "length"}


def chat_body(body: JsonObject, lost: list[str]) -> JsonObject:
    """Return the body of ``/api/chat`` that asks the same; what it cannot say goes to ``lost``.

    Raises:
        WireError: The body is not what Ollama would accept.
    """
    chat: JsonObject = {"model": body.get("model"), "messages": list(_messages(body, lost))}
    if body.get("tools"):
        chat["tools"] = [_tool(tool, f"tools[{n}]", lost) for n, tool in enumerate(body["tools"])]
    chat["stream"] = bool(body.get("stream"))
    chat["options"] = {
        ours: body[theirs] for theirs, ours in _OPTIONS.items() if body.get(theirs) is not None
    }
    if (think := _think(body, lost)) is not None:
        chat["think"] = think
    return chat


def _messages(body: JsonObject, lost: list[str]) -> Iterator[JsonObject]:
    if system := _text(body.get("system"), "system", lost):
        yield {"role": "system", "content": system}
    history = body.get("messages")
    if not isinstance(history, list):
        raise WireError("messages is not a list")
    for n, message in enumerate(history):
        if not isinstance(message, dict):
            raise WireError(f"messages[{n}] is not an object but a {type(message).__name__}")
        yield from _message(message, f"messages[{n}]", lost)


def _message(message: JsonObject, where: str, lost: list[str]) -> list[JsonObject]:
    """Return what becomes of one message: results of tools are messages of their own."""
    role = str(message.get("role", "")).lower()
    content = message.get("content")
    turned: JsonObject = {"role": role, "content": ""}
    results: list[JsonObject] = []
    for block in [{"type": "text", "text": content}] if isinstance(content, str) else content or []:
        _block(block, turned, results, f"{where}.content", lost)
    said = [turned] if turned["content"] or len(turned) > 2 else []
    return [*results, *said] if role == "user" else [*said, *results]


def _block(
    block: Json, turned: JsonObject, results: list[JsonObject], where: str, lost: list[str]
) -> None:
    match block:
        case {"type": "text"}:
            turned["content"] += block.get("text") or ""
        case {"type": "thinking"}:
            turned["thinking"] = block.get("thinking") or ""
        case {"type": "image", "source": {"type": "base64", "data": str(data)}}:
            turned.setdefault("images", []).append(data)
        case {"type": "tool_use", "id": str(key), "name": str(name)}:
            call = {"id": key, "function": {"name": name, "arguments": block.get("input") or {}}}
            turned.setdefault("tool_calls", []).append(call)
        case {"type": "tool_result"}:
            results.append(_result(block, where, lost))
        case {"type": str(kind)}:
            lost.append(f"{where} holds a part of type {kind}")
        case _:
            raise WireError(f"{where} holds a part without a type")


def _result(block: JsonObject, where: str, lost: list[str]) -> JsonObject:
    content = block.get("content")
    message: JsonObject = {"role": "tool", "content": _text(content, where, lost, images=True)}
    images = [
        part["source"].get("data")
        for part in (content if isinstance(content, list) else [])
        if part.get("type") == "image" and part.get("source", {}).get("type") == "base64"
    ]
    if images:
        message["images"] = images
    return message | {"tool_call_id": block.get("tool_use_id")}


def _text(content: Json, where: str, lost: list[str], *, images: bool = False) -> str:
    """Return the text of a content; parts that are no text are lost, but for images in a result."""
    if not isinstance(content, list):
        return content if isinstance(content, str) else ""
    texts = []
    for part in content:
        match part:
            case {"type": "text", "text": str(text)}:
                texts.append(text)
            case {"type": "image", "source": {"type": "base64"}} if images:
                pass
            case {"type": str(kind)}:
                lost.append(f"{where} holds a part of type {kind}")
            case _:
                raise WireError(f"{where} holds a part without a type")
    return "".join(texts)


def _tool(tool: Json, where: str, lost: list[str]) -> JsonObject:
    if not isinstance(tool, dict):
        raise WireError(f"{where} is not an object but a {type(tool).__name__}")
    if tool.get("type", "custom") != "custom":
        lost.append(f"{where} is a tool of the server's own: {tool['type']}")
    function = {"name": tool.get("name"), "description": tool.get("description") or ""}
    parameters = tool.get("input_schema") or {}
    return {"type": "function", "function": function | {"parameters": parameters}}


def _think(body: JsonObject, lost: list[str]) -> bool | str | None:
    thinking = body.get("thinking")
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind in ("enabled", "disabled"):
        return bool(kind == "enabled")
    if kind is not None:
        lost.append(f"thinking of type {kind}")
    wanted = body.get("output_config")
    wanted = wanted if isinstance(wanted, dict) else {}
    lost += [f"output_config.{name}" for name in sorted(wanted) if name != "effort"]
    return _EFFORTS.get(str(wanted.get("effort", "")).strip().lower())


def read_reply(status: int, body: bytes) -> Reply:
    """Read an answer, streamed or not, finished or not, into the form of ``/api/chat``.

    Raises:
        WireError: Part of the body is not a JSON object.
    """
    texts = sse.data(body) if sse.is_stream(body) else [body]
    pieces = [parse_object(text, f"part {n} of the answer") for n, text in enumerate(texts, 1)]
    whole: JsonObject = {}
    blocks: dict[Json, JsonObject] = {}
    for piece in pieces:
        _grow(whole, blocks, piece)
    if whole:
        whole["message"] = _say(blocks.values())
        whole.setdefault("done", False)
    return Reply(body=whole, lines=len(texts), error=error_of(status, pieces))


def _grow(whole: JsonObject, blocks: dict[Json, JsonObject], piece: JsonObject) -> None:
    """Add one event of a stream, or the one message of an answer that was not streamed."""
    match piece.get("type"):
        case "message":
            blocks.update(enumerate(piece.get("content") or []))
            _end(whole, piece, piece.get("usage"), piece.get("stop_reason"))
        case "message_start":
            _end(whole, piece.get("message") or {}, None, None)
        case "content_block_start":
            blocks[piece.get("index")] = dict(piece.get("content_block") or {})
        case "content_block_delta":
            _extend(blocks.setdefault(piece.get("index"), {}), piece.get("delta") or {})
        case "message_delta":
            delta = piece.get("delta") or {}
            _end(whole, {}, piece.get("usage"), delta.get("stop_reason"))


def _extend(block: JsonObject, delta: JsonObject) -> None:
    for name in ("text", "thinking", "partial_json"):
        if name in delta:
            block[name] = (block.get(name) or "") + delta[name]


def _end(whole: JsonObject, message: JsonObject, usage: Json, reason: Json) -> None:
    if "model" in message:
        whole["model"] = message["model"]
    if reason:
        whole["done"] = True
        whole["done_reason"] = _REASONS.get(reason, reason)
    if usage:
        whole["prompt_eval_count"] = usage.get("input_tokens")
        whole["eval_count"] = usage.get("output_tokens")


def _say(blocks: Iterable[JsonObject]) -> JsonObject:
    message: JsonObject = {"role": "assistant", "content": ""}
    for block in blocks:
        match block.get("type"):
            case "text":
                message["content"] += block.get("text") or ""
            case "thinking":
                message["thinking"] = message.get("thinking", "") + (block.get("thinking") or "")
            case "tool_use":
                calls = message.setdefault("tool_calls", [])
                function = {
                    "index": len(calls),
                    "name": block.get("name"),
                    "arguments": _input(block),
                }
                calls.append({"id": block.get("id"), "function": function})
    return message


def _input(block: JsonObject) -> Json:
    """Return the arguments of a call; in a stream they come as pieces of a JSON text."""
    text = block.get("partial_json")
    if not text:
        return block.get("input") or {}
    try:
        return parse_object(text.encode(), "input")
    except (WireError, UnicodeEncodeError):
        return text
