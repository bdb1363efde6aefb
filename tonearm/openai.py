"""OpenAI's chat completions, told as requests and answers of ``/api/chat``.

Answers of the older ``/v1/completions`` are read as well, into the form of ``/api/generate``.

The request is turned as Ollama turns it before it reads it (ollama:openai/openai.go@v0.33.0), so
asking ``/api/chat`` with the result brings the same prompt and the same options.
"""

from __future__ import annotations

from collections.abc import Iterator

from tonearm import sse
from tonearm.canonical import Json, JsonObject
from tonearm.errors import WireError
from tonearm.wire import Reply, error_of, parse_object

MAPPED = frozenset(
    [
        "model",
        "messages",
        "stream",
        "max_tokens",
        "seed",
        "stop",
        "temperature",
        "frequency_penalty",
        "presence_penalty",
        "top_p",
        "response_format",
        "tools",
        "reasoning",
        "reasoning_effort",
        "logprobs",
        "top_logprobs",
        "_debug_render_only",
    ]
)
"""Fields that Ollama reads, all of which ``/api/chat`` has too."""

HARMLESS = frozenset(
    [
        "stream_options",
        "user",
        "metadata",
        "store",
        "service_tier",
        "safety_identifier",
        "prompt_cache_key",
    ]
)
"""Fields that leave the prompt and the sampling alone."""

NEUTRAL: JsonObject = {"n": 1, "tool_choice": "auto", "parallel_tool_calls": True, "logit_bias": {}}
"""Values with which a field says what ``/api/chat`` does anyway."""

_OPTIONS = {
    "max_tokens": "num_predict",
    "seed": "seed",
    "frequency_penalty": "frequency_penalty",
    "presence_penalty": "presence_penalty",
    "temperature": "temperature",
    "top_p": "top_p",
}
_DEFAULTS = {"temperature": 1.0, "top_p": 1.0}
"""What Ollama sets where an OpenAI client is silent, other than on ``/api/chat``."""

_EFFORTS = frozenset({"low", "medium", "high", "max"})
_IMAGES = ("data:;base64,", *(f"data:image/{t};base64," for t in ("jpeg", "jpg", "png", "webp")))


def chat_body(body: JsonObject, lost: list[str]) -> JsonObject:
    """Return the body of ``/api/chat`` that asks the same; what it cannot say goes to ``lost``.

    Raises:
        WireError: The body is not what Ollama would accept.
    """
    chat: JsonObject = {"model": body.get("model"), "messages": list(_messages(body, lost))}
    if body.get("tools"):
        chat["tools"] = body["tools"]
    chat["stream"] = bool(body.get("stream"))
    chat["options"] = _options(body)
    if (form := _format(body, lost)) is not None:
        chat["format"] = form
    if (think := _think(body, lost)) is not None:
        chat["think"] = think
    for name in ("logprobs", "top_logprobs", "_debug_render_only"):
        if body.get(name):
            chat[name] = body[name]
    return chat


def _messages(body: JsonObject, lost: list[str]) -> Iterator[JsonObject]:
    history = body.get("messages")
    if not isinstance(history, list):
        raise WireError("messages is not a list")
    names = _tool_names(history)
    for n, message in enumerate(history):
        if not isinstance(message, dict):
            raise WireError(f"messages[{n}] is not an object but a {type(message).__name__}")
        yield from _message(message, names, f"messages[{n}]", lost)


def _message(
    message: JsonObject, names: dict[Json, str], where: str, lost: list[str]
) -> list[JsonObject]:
    """Return what becomes of one message: parts of its content are messages of their own."""
    role = message.get("role")
    content = message.get("content")
    extra: JsonObject = {}
    if message.get("reasoning"):
        extra["thinking"] = message["reasoning"]
    if message.get("tool_calls"):
        extra["tool_calls"] = [_call(call, where, lost) for call in message["tool_calls"]]
    if str(role).lower() == "tool":
        name = message.get("name") or names.get(message.get("tool_call_id"))
        extra |= {"tool_name": name} if name else {}
    if message.get("tool_call_id"):
        extra["tool_call_id"] = message["tool_call_id"]
    if not isinstance(content, list):
        if not isinstance(content, str) and "tool_calls" not in extra:
            raise WireError(f"{where} has neither content nor tool calls")
        return [{"role": role, "content": content or "", **extra}]
    parts = [{"role": role, **_part(part, f"{where}.content", lost)} for part in content]
    if parts and "tool_calls" in extra:
        parts[-1] |= extra
    return parts


def _part(part: Json, where: str, lost: list[str]) -> JsonObject:
    match part:
        case {"type": "text", "text": str(text)}:
            return {"content": text}
        case {"type": "image_url", "image_url": {"url": str(url)} | str(url)}:
            kind = next((kind for kind in _IMAGES if url.startswith(kind)), None)
            if kind is None:
                lost.append(f"{where} refers to an image that is not in the request")
                return {"content": ""}
            return {"content": "", "images": [url.removeprefix(kind)]}
        case {"type": "input_audio", "input_audio": {"data": str(data)}}:
            return {"content": "", "images": [data]}
    raise WireError(f"{where} holds a part that is neither text, image nor audio")


def _call(call: Json, where: str, lost: list[str]) -> JsonObject:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        raise WireError(f"{where} holds a tool call without a function")
    arguments = _arguments(function.get("arguments"))
    if not isinstance(arguments, dict):
        lost.append(f"{where} holds a tool call whose arguments are not a JSON object")
    turned: JsonObject = {"function": {"name": function.get("name"), "arguments": arguments}}
    return {"id": call["id"], **turned} if call.get("id") else turned


def _arguments(text: Json) -> Json:
    try:
        return parse_object(text.encode(), "arguments") if isinstance(text, str) else text
    except (WireError, UnicodeEncodeError):
        return text


def _tool_names(history: list[Json]) -> dict[Json, str]:
    """Return the name of the function behind each id; of two equal ids the later one counts."""
    names: dict[Json, str] = {}
    for message in history:
        for call in (message.get("tool_calls") or []) if isinstance(message, dict) else []:
            match call:
                case {"id": str(key), "function": {"name": str(name)}}:
                    names[key] = name
    return names


def _options(body: JsonObject) -> JsonObject:
    options: JsonObject = {}
    stop = body.get("stop")
    if isinstance(stop, str):
        options["stop"] = [stop]
    elif isinstance(stop, list):
        options["stop"] = [text for text in stop if isinstance(text, str)]
    for theirs, ours in _OPTIONS.items():
        value = body.get(theirs)
        value = _DEFAULTS.get(theirs) if value is None else value
        if value is not None:
            options[ours] = value
    return options


def _format(body: JsonObject, lost: list[str]) -> Json:
    wanted = body.get("response_format")
    match wanted:
        case None | {"type": "text"}:
            return None
        case {"type": "json_object"}:
            return "json"
        case {"type": "json_schema", "json_schema": {"schema": schema}}:
            return schema
    lost.append("response_format")
    return None


def _think(body: JsonObject, lost: list[str]) -> bool | str | None:
    reasoning = body.get("reasoning")
    effort = (
        reasoning.get("effort") if isinstance(reasoning, dict) else body.get("reasoning_effort")
    )
    if effort == "none":
        return False
    if effort in _EFFORTS:
        return str(effort)
    if effort:
        lost.append(f"reasoning effort {effort!r}, which versions of Ollama read differently")
    return None


def read_reply(status: int, body: bytes) -> Reply:
    """Read an answer, streamed or not, finished or not, into the form of ``/api/chat``.

    Raises:
        WireError: Part of the body is not a JSON object.
    """
    pieces = _pieces(body)
    whole: JsonObject = {}
    message: JsonObject = {"role": "assistant", "content": ""}
    for piece in pieces:
        _grow(whole, message, piece)
    if any(piece.get("choices") for piece in pieces):
        whole["message"] = _finished(message)
        whole.setdefault("done", False)
    return Reply(body=whole, lines=len(pieces), error=error_of(status, pieces))


def read_text_reply(status: int, body: bytes) -> Reply:
    """Read an answer of ``/v1/completions``, streamed or not, into the form of ``/api/generate``.

    Raises:
        WireError: Part of the body is not a JSON object.
    """
    pieces = _pieces(body)
    whole: JsonObject = {}
    for piece in pieces:
        if "model" in piece:
            whole["model"] = piece["model"]
        for choice in piece.get("choices") or []:
            if choice.get("index", 0) == 0:
                whole["response"] = whole.get("response", "") + (choice.get("text") or "")
                _end(whole, choice.get("finish_reason"))
        _count(whole, piece.get("usage"))
    if "response" in whole:
        whole.setdefault("done", False)
    return Reply(body=whole, lines=len(pieces), error=error_of(status, pieces))


def _pieces(body: bytes) -> list[JsonObject]:
    """Return the objects of a stream, or the one of an answer that was not streamed."""
    texts = [text for text in sse.data(body) if text != sse.DONE] if sse.is_stream(body) else [body]
    return [parse_object(text, f"part {n} of the answer") for n, text in enumerate(texts, 1)]


def _end(whole: JsonObject, reason: Json) -> None:
    if reason:
        whole["done"] = True
        whole["done_reason"] = "stop" if reason == "tool_calls" else reason


def _count(whole: JsonObject, usage: Json) -> None:
    if usage:
        whole["prompt_eval_count"] = usage.get("prompt_tokens")
        whole["eval_count"] = usage.get("completion_tokens")


def _grow(whole: JsonObject, message: JsonObject, piece: JsonObject) -> None:
    """Add one part of a stream, or the one part of an answer that was not streamed."""
    if "model" in piece:
        whole["model"] = piece["model"]
    for choice in piece.get("choices") or []:
        if choice.get("index", 0) == 0:
            _say(message, choice.get("delta") or choice.get("message") or {})
            if entries := (choice.get("logprobs") or {}).get("content"):
                whole["logprobs"] = [*whole.get("logprobs", []), *entries]
            _end(whole, choice.get("finish_reason"))
    _count(whole, piece.get("usage"))
    if "_debug_info" in piece:
        whole["_debug_info"] = piece["_debug_info"]


def _say(message: JsonObject, part: JsonObject) -> None:
    message["content"] += part.get("content") or ""
    if thought := part.get("reasoning") or part.get("reasoning_content"):
        message["thinking"] = message.get("thinking", "") + thought
    for call in part.get("tool_calls") or []:
        calls = message.setdefault("tool_calls", {})
        known = calls.setdefault(call.get("index", len(calls)), {"name": "", "arguments": ""})
        function = call.get("function") or {}
        known["id"] = call.get("id") or known.get("id")
        known["name"] += function.get("name") or ""
        known["arguments"] += function.get("arguments") or ""


def _finished(message: JsonObject) -> JsonObject:
    calls = message.pop("tool_calls", {})
    if calls:
        message["tool_calls"] = [
            {
                "id": call["id"],
                "function": {
                    "index": n,
                    "name": call["name"],
                    "arguments": _arguments(call["arguments"]),
                },
            }
            for n, call in enumerate(calls.values())
        ]
    return message
