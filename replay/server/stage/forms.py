"""The bodies that Ollama's endpoints take, and its errors for those that they do not.

Shapes: ollama:api/types.go@v0.33.0.
"""

from __future__ import annotations

import json
import re

from tonearm.canonical import Json, JsonObject
from tonearm.errors import WireError
from tonearm.replay.server.gojson import encode
from tonearm.replay.server.stage.gosyntax import mistake
from tonearm.replay.server.stage.gotypes import (
    BOOL,
    FLOAT,
    INT,
    STRING,
    Alone,
    Anything,
    Base64,
    Listed,
    Mapped,
    Ordered,
    Place,
    Struct,
    Type,
    kind,
)
from tonearm.replay.server.stage.refusal import Refusal

EFFORTS = ("high", "medium", "low", "max")

_EFFORTS = '"high", "medium", "low", "max", true, or false'

_DURATION = re.compile(r"[-+]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}

_GO_KINDS = {"bool": "bool", "array": "[]interface {}", "object": "map[string]interface {}"}


def _think(value: Json) -> Json:
    if isinstance(value, bool) or value in EFFORTS:
        return value
    if isinstance(value, str):
        raise WireError(f"invalid think value: {_quoted(value)} (must be {_EFFORTS})")
    raise WireError(f"think must be a boolean or string ({_EFFORTS})")


def _keep_alive(value: Json) -> float:
    """Return seconds; endless where they are negative."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise WireError(f"Unsupported type: '{_GO_KINDS[kind(value)]}'")
    seconds = _duration_s(value) if isinstance(value, str) else float(value)
    return seconds if seconds >= 0 else float("inf")


def _duration_s(text: str) -> float:
    """Return the seconds of a duration in Go's notation."""
    if text in {"0", "+0", "-0"}:
        return 0.0
    if not _DURATION.fullmatch(text):
        number = re.fullmatch(r"[-+]?(?:\d+\.?\d*|\.\d+)", text)
        problem = "missing unit in duration" if number else "invalid duration"
        raise WireError(f"time: {problem} {_quoted(text)}")
    parts = re.findall(r"([\d.]+)([^\d.]+)", text)
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
    return -seconds if text.startswith("-") else seconds


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


_PROPERTY_MEMBERS: dict[str, Type] = {}
_PROPERTY = Struct("api.ToolProperty", _PROPERTY_MEMBERS)
_PROPERTIES = Ordered(_PROPERTY)


class _PropertyType:
    """A name of a type, or several."""

    go = "[]string"

    def read(self, value: Json, place: Place) -> Json:
        """Return it as it is written."""
        if isinstance(value, str):
            return value
        return Alone(Listed(STRING)).read(value, place)


_PROPERTY_MEMBERS.update(
    {
        "anyOf": Listed(_PROPERTY),
        "type": _PropertyType(),
        "items": Anything(),
        "description": STRING,
        "enum": Listed(Anything()),
        "properties": _PROPERTIES,
        "required": Listed(STRING),
    }
)

_PARAMETERS = Struct(
    "api.ToolFunctionParameters",
    {
        "type": STRING,
        "$defs": Anything(),
        "items": Anything(),
        "required": Listed(STRING),
        "properties": _PROPERTIES,
    },
)

_TOOL = Struct(
    "api.Tool",
    {
        "type": STRING,
        "items": Anything(),
        "function": Struct(
            "api.ToolFunction",
            {"name": STRING, "description": STRING, "parameters": _PARAMETERS},
        ),
    },
)

_TOOL_CALL = Struct(
    "api.ToolCall",
    {
        "id": STRING,
        "function": Struct(
            "api.ToolCallFunction",
            {"index": INT, "name": STRING, "arguments": Ordered(Anything())},
        ),
    },
)

_IMAGES = Listed(Base64("api.ImageData"))

_MESSAGE = Alone(
    Struct(
        "api.Alias",
        {
            "role": STRING,
            "content": STRING,
            "thinking": STRING,
            "images": _IMAGES,
            "tool_calls": Listed(_TOOL_CALL),
            "tool_name": STRING,
            "tool_call_id": STRING,
        },
    ),
    then=lambda message: message | {"role": message.get("role", "").lower()},
)

_COMMON: dict[str, Type] = {
    "model": STRING,
    "stream": BOOL,
    "format": Anything(),
    "keep_alive": Alone(Anything(), then=_keep_alive),
    "options": Mapped(),
    "think": Alone(Anything(), then=_think),
    "truncate": BOOL,
    "shift": BOOL,
    "_debug_render_only": BOOL,
    "logprobs": BOOL,
    "top_logprobs": INT,
}

_FORMAT = frozenset({"format"})

CHAT = Struct(
    "api.ChatRequest",
    {
        **_COMMON,
        "messages": Listed(_MESSAGE, empty={"role": ""}, go="[]api.Message"),
        "tools": Listed(_TOOL, empty={}, go="api.Tools"),
    },
    raw=_FORMAT,
)

GENERATE = Struct(
    "api.GenerateRequest",
    {
        **_COMMON,
        "prompt": STRING,
        "suffix": STRING,
        "system": STRING,
        "template": STRING,
        "context": Listed(INT),
        "raw": BOOL,
        "images": _IMAGES,
    },
    raw=_FORMAT,
)

SHOW = Struct(
    "api.ShowRequest",
    {
        "model": STRING,
        "system": STRING,
        "template": STRING,
        "verbose": BOOL,
        "options": Mapped(),
        "name": STRING,
    },
)


NAMED = Struct("api.DeleteRequest", {"model": STRING})


_OPENAI_MESSAGE = Struct(
    "openai.Message",
    {
        "role": STRING,
        "content": Anything(),
        "reasoning": STRING,
        "tool_calls": Listed(Mapped("openai.ToolCall")),
        "name": STRING,
        "tool_call_id": STRING,
    },
)

_STREAM_OPTIONS = Struct("openai.StreamOptions", {"include_usage": BOOL})

OPENAI_CHAT = Struct(
    "openai.ChatCompletionRequest",
    {
        "model": STRING,
        "messages": Listed(_OPENAI_MESSAGE, empty={}),
        "stream": BOOL,
        "stream_options": _STREAM_OPTIONS,
        "max_tokens": INT,
        "seed": INT,
        "stop": Anything(),
        "temperature": FLOAT,
        "frequency_penalty": FLOAT,
        "presence_penalty": FLOAT,
        "top_p": FLOAT,
        "response_format": Mapped("openai.ResponseFormat"),
        "tools": Listed(_TOOL, empty={}),
        "reasoning": Mapped("openai.Reasoning"),
        "reasoning_effort": STRING,
        "logprobs": BOOL,
        "top_logprobs": INT,
        "_debug_render_only": BOOL,
    },
)

OPENAI_TEXT = Struct(
    "openai.CompletionRequest",
    {
        "model": STRING,
        "prompt": STRING,
        "frequency_penalty": FLOAT,
        "max_tokens": INT,
        "presence_penalty": FLOAT,
        "seed": INT,
        "stop": Anything(),
        "stream": BOOL,
        "stream_options": _STREAM_OPTIONS,
        "temperature": FLOAT,
        "top_p": FLOAT,
        "suffix": STRING,
        "logprobs": INT,
    },
)

ANTHROPIC = Struct(
    "anthropic.MessagesRequest",
    {
        "model": STRING,
        "max_tokens": INT,
        "messages": Listed(Mapped("anthropic.MessageParam"), empty={}),
        "system": Anything(),
        "stream": BOOL,
        "temperature": FLOAT,
        "top_p": FLOAT,
        "top_k": INT,
        "stop_sequences": Listed(STRING),
        "tools": Listed(Mapped("anthropic.Tool"), empty={}),
        "thinking": Mapped("anthropic.ThinkingConfig"),
        "output_config": Mapped("anthropic.OutputConfig"),
    },
)


def read(body: bytes, form: Struct, *, empty: str = "missing request body") -> JsonObject:
    """Return the members of a body that the form knows.

    Args:
        body: As it came.
        form: What it is to be.
        empty: What is said of a body with nothing in it.

    Raises:
        Refusal: The body is none of this form.
    """
    text = body.decode("utf-8", errors="replace").lstrip(" \t\r\n")
    if not text:
        raise Refusal(400, empty)
    try:
        value, _ = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        raise Refusal(400, mistake(body)) from None
    if value is None:
        return {}
    return take(value, form)


def take(value: Json, form: Struct) -> JsonObject:
    """Return the members of an object that the form knows.

    Raises:
        Refusal: It is none of this form.
    """
    place = Place()
    try:
        found = form.read(value, place)
        place.check()
    except WireError as err:
        raise Refusal(400, str(err)) from err
    return dict(found)


def _no_constant(name: str) -> Json:
    raise ValueError(name)


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


OPTIONS: dict[str, str] = {
    **dict.fromkeys(
        (
            "num_ctx",
            "num_batch",
            "num_gpu",
            "main_gpu",
            "num_thread",
            "draft_num_predict",
            "num_keep",
            "seed",
            "num_predict",
            "top_k",
            "repeat_last_n",
        ),
        "integer",
    ),
    **dict.fromkeys(
        (
            "top_p",
            "min_p",
            "typical_p",
            "temperature",
            "repeat_penalty",
            "presence_penalty",
            "frequency_penalty",
        ),
        "float32",
    ),
    "use_mmap": "boolean",
    "stop": "array",
}
"""Ollama's options with their types; others it reads past."""


def read_options(given: JsonObject) -> JsonObject:
    """Return the options that Ollama knows.

    Raises:
        Refusal: One has a wrong type.
    """
    found: JsonObject = {}
    for name, value in given.items():
        go = OPTIONS.get(name)
        if go is not None and value is not None:
            found[name] = _option(name, value, go)
    return found


def _option(name: str, value: Json, go: str) -> Json:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    match go:
        case "integer" if number:
            return int(value)
        case "float32" if number:
            return float(value)
        case "boolean" if isinstance(value, bool):
            return value
        case "array" if isinstance(value, list):
            if all(isinstance(item, str) for item in value):
                return value
            raise Refusal(500, f'option "{name}" must be of an array of strings')
    raise Refusal(500, f'option "{name}" must be of type {go}')


def format_of(request: JsonObject) -> bytes | None:
    """Return the format of a request as JSON, ``None`` where it has none."""
    return encode(request["format"]) if "format" in request else None
