"""Read the vectors, and turn conversations of one form into the other."""

from __future__ import annotations

import json
from pathlib import Path

from tonearm.canonical import Json, JsonObject
from tonearm.model import Answer, Decoded, Pin, Rendered, Take, ToolCall
from tonearm.replay.translator.conversation import Conversation, as_text
from tonearm.templates import get

DATA = Path(__file__).parents[2] / "data" / "conformance"
IMAGE = "iVBORw0KGgo="
VERSIONS = ("0.20.0", "0.20.7", "0.21.0", "0.24.0", "0.33.0")
"""Releases whose renderers wrote gemma4-ollama-versions.jsonl."""

CAUSES = {
    "tool-param-named-like-schema-keyword": "tool-param-named-like-schema-keyword",
    "key-order-mixed-case": "key-order-bytewise",
    "schema-order-mixed-case": "key-order-bytewise",
    "float-integral": "float-spelling",
    "big-int": "integer-rounding",
    "response-name-no-ids-parallel": "response-name",
    "response-name-no-ids-no-names": "response-name",
    "response-name-duplicate-ids": "response-name",
    "response-dict": "structured-result",
    "response-dict-legacy-vs-json-string": "structured-result",
    "response-none": "structured-result",
    "property-without-type": "type-omitted",
    "anyof-simple": "any-of-union",
    "anyof-complex": "type-omitted",
    "ref": "type-omitted",
    "nullable": "nullable-dropped",
    "object-additionalProperties": "object-without-properties",
    "object-additionalProperties-false": "object-without-properties",
    "enum-nonstring-values": "enum-as-text",
    "items-nested-union": "union-as-list",
    "items-nested-keyword-name": "tool-param-named-like-schema-keyword",
    "function-response-schema": "response-schema-dropped",
    "parameters-without-type": "parameters-without-type",
    "description-null": "null-as-none",
    "boolean-schema": "boolean-schema",
    "system-parts": "text-parts-joined",
    "user-parts": "text-parts-joined",
    "image-position": "image-tag",
    "image-in-tool-response": "image-tag",
    "stray-channel-close": "channel-tag-kept",
    "nested-channel": "channel-tag-kept",
    "control-whitespace-trim": "control-whitespace-kept",
}
"""Our name of each class of the divergence file."""


def load(name: str) -> list[JsonObject]:
    """Return the vectors of a file."""
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def divergences() -> list[JsonObject]:
    """Return the divergence file; one entry lists a form that its canonical side does not use."""
    entries = load("gemma4-ollama-divergence.jsonl")
    for entry in entries:
        if entry["class"] == "response-dict-legacy-vs-json-string":
            native = {"tool_responses": [{"name": "a", "response": {"b": 1}}]}
            question, call, _ = entry["messages"]
            entry["template_messages"] = [question, call | native]
    return entries


def to_ollama(message: JsonObject) -> JsonObject:
    """Return a message of Hugging Face's form as a client of ``/api/chat`` sends it."""
    content = message.get("content")
    sent: JsonObject = {"role": message["role"], "content": as_text(content)}
    if isinstance(content, list):
        sent["images"] = [IMAGE for part in content if part["type"] != "text"]
    if thought := message.get("reasoning") or message.get("reasoning_content"):
        sent["thinking"] = thought
    if "name" in message:
        sent["tool_name"] = message["name"]
    if "tool_responses" in message:
        sent["tool_responses"] = [
            native | {"response": json.dumps(native["response"], separators=(",", ":"))}
            for native in message["tool_responses"]
        ]
    return sent | {key: message[key] for key in ("tool_calls", "tool_call_id") if key in message}


def conversation(vector: JsonObject) -> Conversation:
    """Return the conversation of a vector in Hugging Face's form."""
    messages = vector.get("template_messages") or vector["messages"]
    return Conversation(
        messages=messages,
        sent=[to_ollama(message) for message in messages],
        tools=vector["tools"] or (),
        large=vector["variant"] == "31b",
        thinks=bool(vector["enable_thinking"]),
        preserve_thinking=bool(vector.get("preserve_thinking")),
        add_generation_prompt=vector["add_generation_prompt"],
    )


def from_body(body: JsonObject) -> Conversation:
    """Return the conversation of an ``/api/chat`` body."""
    return Conversation(
        messages=get("gemma4-large").from_ollama(body["messages"]),
        sent=body["messages"],
        tools=body.get("tools", ()),
        large="31b" in body["model"],
        thinks=body.get("think", True),
        think_said="think" in body,
    )


def take(
    *,
    prompt: str | None = None,
    completion: str | None = None,
    answer: Answer | None = None,
    version: str | None = "0.33.0",
    model: str = "m:31b",
    **more: Json,
) -> Take:
    """Return what an arm saw that lets Ollama translate."""
    return Take(
        arm="ollama-json",
        translated=True,
        rendered=Rendered(prompt=prompt) if prompt is not None else None,
        decoded=Decoded(completion=completion) if completion is not None else None,
        answer=answer,
        pin=Pin(model=model, server_version=version),
        **more,
    )


def answer(content: str = "", thinking: str = "", *calls: tuple[str, Json]) -> Answer:
    """Return a message of Ollama's."""
    return Answer(
        content=content,
        thinking=thinking,
        tool_calls=tuple(ToolCall(name=name, arguments=arguments) for name, arguments in calls),
    )
