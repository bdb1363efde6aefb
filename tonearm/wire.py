"""Ollama's JSON and NDJSON on one side, values on the other.

A streamed answer and the same answer in one piece carry the same facts. ``assemble`` makes the one
piece from the lines, ``split`` makes lines from the piece, and both keep every field of the
protocol, known to us or not. Field names and units: ollama:api/types.go@v0.33.0.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from tonearm.canonical import Json, JsonObject
from tonearm.errors import WireError
from tonearm.model import (
    Answer,
    ChatRequest,
    Decoded,
    Exchange,
    HttpRequest,
    Pin,
    Timing,
    Token,
    ToolCall,
    WireShape,
)

NS_PER_S = 1_000_000_000

CHAT = "/api/chat"
GENERATE = "/api/generate"
OPENAI_CHAT = "/v1/chat/completions"
OPENAI_TEXT = "/v1/completions"
ANTHROPIC_CHAT = "/v1/messages"

INFERENCE = frozenset(
    {
        CHAT,
        GENERATE,
        "/api/embed",
        "/api/embeddings",
        OPENAI_CHAT,
        OPENAI_TEXT,
        "/v1/embeddings",
        "/v1/responses",
        ANTHROPIC_CHAT,
    }
)
"""Where a model is asked something; everything else looks after models and the server."""


def endpoint(request: HttpRequest) -> str | None:
    """Return the inference endpoint that a request asks, ``None`` for any other request."""
    if request.method != "POST":
        return None
    try:
        path = urlsplit(request.uri).path.rstrip("/")
    except ValueError:
        return None
    return path if path in INFERENCE else None


def seconds(nanoseconds: Json) -> float | None:
    """Return one of Ollama's durations in seconds; the one place where the unit changes."""
    if isinstance(nanoseconds, bool) or not isinstance(nanoseconds, int | float):
        return None
    return nanoseconds / NS_PER_S


def parse_object(body: bytes, what: str) -> JsonObject:
    """Return the JSON object in a body.

    Raises:
        WireError: The body is no JSON object; the message names ``what`` and the place.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as err:
        raise WireError(f"{what} is not JSON: {err}") from err
    if not isinstance(value, dict):
        raise WireError(f"{what} is not a JSON object but a {type(value).__name__}")
    return value


def chat_request(body: JsonObject) -> ChatRequest:
    """Return the chat request in a body, its shapes checked as far as tonearm relies on them.

    Raises:
        WireError: ``messages``, ``tools`` or ``options`` has a type that Ollama would refuse.
    """
    _expect(body, "model", str)
    for name in ("messages", "tools"):
        for n, item in enumerate(_expect(body, name, list) or []):
            if not isinstance(item, dict):
                raise WireError(f"{name}[{n}] is not an object but a {type(item).__name__}")
    for n, message in enumerate(body.get("messages") or []):
        if not isinstance(message.get("role"), str):
            raise WireError(f"messages[{n}] has no role")
    _expect(body, "options", dict)
    return ChatRequest(body=body)


def _expect(body: JsonObject, name: str, kind: type) -> Json:
    value = body.get(name)
    if value is not None and not isinstance(value, kind):
        raise WireError(f"{name} is not a {kind.__name__} but a {type(value).__name__}")
    return value


def lines(body: bytes) -> list[bytes]:
    """Return the non-empty lines of an NDJSON body.

    The only separator is byte 0x0A: U+0085 and U+2028 may stand unescaped inside a JSON text.
    """
    return [line for line in body.split(b"\n") if line.strip()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer of ``/api/chat`` or ``/api/generate`` in one piece."""

    body: JsonObject
    """What the server would have sent with ``stream: false``; empty when nothing came."""
    lines: int = 1
    """How many JSON texts it was made from."""
    error: str | None = None
    """The server's error, of the whole reply or in the last line of a stream."""

    @property
    def done(self) -> bool:
        """Whether the server said that the answer is finished; a stream can end without."""
        return self.body.get("done") is True

    @property
    def message(self) -> JsonObject:
        """The assistant message, in the form of ``/api/chat``."""
        if "message" in self.body:
            message = self.body["message"]
            return message if isinstance(message, dict) else {}
        fields = {"role": "assistant", "content": self.body.get("response") or ""}
        return fields | {k: self.body[k] for k in ("thinking", "tool_calls") if self.body.get(k)}


def assemble(pieces: list[JsonObject]) -> JsonObject:
    """Join the objects of a stream into the one that ``stream: false`` would have brought.

    Text is concatenated, tool calls, images and log-probs are appended, and of every other field
    the last value stands. Fields keep the order of their first appearance.
    """
    whole: JsonObject = {}
    for piece in pieces:
        for name, value in piece.items():
            if name == "message" and isinstance(value, dict):
                message = whole.setdefault("message", {})
                for key, item in value.items():
                    _grow(message, key, item)
            else:
                _grow(whole, name, value)
    return whole


_TEXT = {"content", "thinking", "response"}
_LISTS = {"tool_calls", "logprobs", "images"}


def _grow(target: JsonObject, name: str, value: Json) -> None:
    if name in _TEXT and isinstance(value, str):
        target[name] = (target.get(name) or "") + value
    elif name in _LISTS and isinstance(value, list):
        target[name] = [*(target.get(name) or []), *value]
    else:
        target[name] = value


def split(whole: JsonObject) -> list[JsonObject]:
    """Cut an answer in one piece into the objects of a stream, in the order Ollama sends them.

    Thinking comes first, then content, then one object for each tool call, then the final object
    with the counts. ``assemble(split(x)) == x`` for every answer that says ``done: true``.
    """
    names = ("model", "remote_model", "remote_host", "created_at")
    head: JsonObject = {name: whole[name] for name in names if name in whole}
    chat = isinstance(whole.get("message"), dict)
    source: JsonObject = whole["message"] if chat else whole
    text = "content" if chat else "response"
    pieces: list[JsonObject] = []

    def put(fields: JsonObject, **rest: Json) -> None:
        body = {"message": {"role": source.get("role", "assistant"), **fields}} if chat else fields
        pieces.append({**head, **body, "done": False, **rest})

    if source.get("thinking"):
        put({text: "", "thinking": source["thinking"]})
    if source.get(text):
        put({text: source[text]})
    for call in source.get("tool_calls") or []:
        put({text: "", "tool_calls": [call]})
    if pieces and whole.get("logprobs"):
        pieces[0]["logprobs"] = whole["logprobs"]

    final = {k: v for k, v in whole.items() if k not in {"message", "response", *_LISTS}}
    final.pop("thinking", None)
    if chat:
        extra = {k: v for k, v in source.items() if k not in {text, "thinking", "tool_calls"}}
        final["message"] = {**extra, text: ""}
    else:
        final[text] = ""
    if not pieces and whole.get("logprobs"):
        final["logprobs"] = whole["logprobs"]
    pieces.append(final)
    return pieces


def read_reply(status: int, body: bytes) -> Reply:
    """Read a response body of either endpoint, streamed or not, finished or not.

    Raises:
        WireError: A line is not a JSON object. The last line may be cut; it is then left out.
    """
    texts = lines(body)
    pieces: list[JsonObject] = []
    for n, text in enumerate(texts, 1):
        try:
            pieces.append(parse_object(text, f"line {n} of the answer"))
        except WireError:
            if n == len(texts) and n > 1 and not body.endswith(b"\n"):
                break
            raise
    error = error_of(status, pieces)
    whole = assemble([p for p in pieces if "error" not in p])
    return Reply(body=whole, lines=len(texts), error=error)


def error_of(status: int, pieces: list[JsonObject]) -> str | None:
    """Return the server's error among the objects of an answer; the last one counts."""
    for piece in reversed(pieces):
        match piece:
            case {"error": {"message": str(text)}}:
                return text
            case {"error": error} if error is not None:
                return str(error)
    return f"HTTP {status}" if status >= 400 else None


def answer(reply: Reply) -> Answer:
    """Return what the assistant said, as the server parsed it."""
    message = reply.message
    calls = []
    for call in message.get("tool_calls") or []:
        function = call.get("function") or {}
        calls.append(
            ToolCall(
                name=str(function.get("name", "")),
                arguments=function.get("arguments"),
                id=call.get("id"),
            )
        )
    return Answer(
        content=message.get("content") or "",
        thinking=message.get("thinking") or "",
        tool_calls=tuple(calls),
    )


def decoded(reply: Reply) -> Decoded | None:
    """Return the completion that the reply's log-probs spell, ``None`` where there are none.

    The texts are those of the sampled tokens, tool-call markup included, so they show what the
    model said before the server's parser took it apart.
    """
    entries = reply.body.get("logprobs")
    if not entries:
        return None
    tokens = tuple(Token(text=e.get("token", ""), logprob=e.get("logprob", 0.0)) for e in entries)
    raw = b"".join(
        bytes(e["bytes"]) if e.get("bytes") else e.get("token", "").encode() for e in entries
    )
    return Decoded(
        completion=raw.decode("utf-8", errors="replace"),
        tokens=tokens,
        eval_count=reply.body.get("eval_count"),
    )


def shape(status: int, reply: Reply) -> WireShape:
    """Return what a client would branch on or count with."""
    return WireShape(
        status=status,
        done=reply.done,
        done_reason=reply.body.get("done_reason"),
        error=reply.error,
        prompt_eval_count=reply.body.get("prompt_eval_count"),
        eval_count=reply.body.get("eval_count"),
    )


def timing(reply: Reply, wall_s: float) -> Timing:
    """Return the server's durations beside ours, all in seconds."""
    return Timing(
        wall_s=wall_s,
        load_s=seconds(reply.body.get("load_duration")),
        prompt_s=seconds(reply.body.get("prompt_eval_duration")),
        decode_s=seconds(reply.body.get("eval_duration")),
    )


def exchange_reply(exchange: Exchange) -> Reply:
    """Read the answer that an exchange holds.

    Raises:
        WireError: The body is not what the protocol allows.
    """
    return read_reply(exchange.response.status, exchange.response.body)


def pin(
    model: str,
    *,
    version: JsonObject | None = None,
    show: JsonObject | None = None,
    tags: JsonObject | None = None,
    ps: JsonObject | None = None,
) -> Pin:
    """Put together what a server says of itself and of one of its models.

    Args:
        model: The name as the client wrote it.
        version: Body of ``GET /api/version``.
        show: Body of ``POST /api/show``.
        tags: Body of ``GET /api/tags``.
        ps: Body of ``GET /api/ps``, which knows the context length of loaded models.
    """
    modelfile = str((show or {}).get("modelfile") or "")
    details = (show or {}).get("details") or {}
    listed = _named(tags, model)
    loaded = _named(ps, model)
    return Pin(
        model=model,
        server_version=(version or {}).get("version"),
        digest=listed.get("digest") or loaded.get("digest"),
        family=details.get("family") or None,
        parameter_size=details.get("parameter_size") or None,
        quantization=_known(details.get("quantization_level")),
        renderer=_instruction(modelfile, "RENDERER"),
        parser=_instruction(modelfile, "PARSER"),
        parameters=_sorted_lines((show or {}).get("parameters")),
        capabilities=tuple((show or {}).get("capabilities") or ()),
        num_ctx=loaded.get("context_length"),
    )


def parameters(text: str | None) -> JsonObject:
    """Return a Modelfile's parameters, which stand below a request's options.

    Numbers and truth values are read as such; ``stop``, which can stand there several times, is a
    list.
    """
    found: JsonObject = {}
    for line in (text or "").splitlines():
        name, _, rest = line.strip().partition(" ")
        try:
            value = json.loads(rest.strip())
        except ValueError:
            value = rest.strip()
        if name == "stop":
            found.setdefault("stop", []).append(value)
        elif name:
            found[name] = value
    return found


def _sorted_lines(text: str | None) -> str | None:
    """The server lists parameters in another order each time."""
    return "\n".join(sorted((text or "").splitlines())) or None


def _known(level: Json) -> str | None:
    """Ollama calls the type of weights that it cannot name ``unknown``."""
    return level if level and level != "unknown" else None


def _named(listing: JsonObject | None, model: str) -> JsonObject:
    wanted = model if ":" in model.rpartition("/")[2] else f"{model}:latest"
    for entry in (listing or {}).get("models") or []:
        if wanted in (entry.get("name"), entry.get("model")):
            return dict(entry)
    return {}


def blob(show: JsonObject) -> str | None:
    """Return the name of the weights' file among Ollama's blobs, from the body of ``/api/show``."""
    path = _instruction(str(show.get("modelfile") or ""), "FROM") or ""
    name = path.replace("\\", "/").rpartition("/")[2]
    return name if name.startswith("sha256-") else None


def _instruction(modelfile: str, name: str) -> str | None:
    for line in modelfile.splitlines():
        word, _, rest = line.partition(" ")
        if word.upper() == name:
            return rest.strip() or None
    return None
