"""Ollama's messages in the form that templates take: nothing lost, results with their names."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tonearm.errors import RenderError
from tonearm.templates import get
from tonearm.templates.gemma4.ollama import from_ollama

VECTORS = Path(__file__).parents[1] / "data" / "conformance" / "gemma4-render.jsonl"
FORMATS = {"31b": get("gemma4-large"), "e2b": get("gemma4-small")}
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"\0" * 20).decode()
WAV = base64.b64encode(b"RIFF\0\0\0\0WAVEfmt ").decode()
MP3 = base64.b64encode(b"ID3" + b"\0" * 20).decode()
IMAGE, AUDIO = {"type": "image"}, {"type": "audio"}


def text(words):
    return {"type": "text", "text": words}


def call(name, **fields):
    return {**fields, "function": {"index": 0, "name": name, "arguments": {}}}


def result(content, **fields):
    return {"role": "tool", "content": content, **fields}


def said(*calls):
    return {"role": "assistant", "content": "", "tool_calls": list(calls)}


def names(*messages):
    """Return the name that the template gives each result, with its content."""
    turned = from_ollama([{"role": "user", "content": "x"}, *messages])
    prompt = get("gemma4-small").render(turned)
    pieces = prompt.split("<|tool_response>response:")[1:]
    return [piece.partition('<|"|>}')[0].replace('{value:<|"|>', "=") for piece in pieces]


def as_ollama(message):
    """Return a message of the vectors as an agent sends it to Ollama, where it can."""
    turned = {"role": message["role"].upper(), "content": message["content"]}
    if thought := message.get("reasoning") or message.get("reasoning_content"):
        turned["thinking"] = thought
    if message.get("tool_calls"):
        calls = message["tool_calls"]
        turned["tool_calls"] = [{k: v for k, v in c.items() if k != "type"} for c in calls]
    if "name" in message:
        turned["tool_name"] = message["name"]
    if "tool_call_id" in message:
        turned["tool_call_id"] = message["tool_call_id"]
    return turned


def is_plain(message):
    calls = message.get("tool_calls") or []
    answered = message["role"] != "tool" or message.get("tool_call_id")
    return (
        isinstance(message["content"], str)
        and "tool_responses" not in message
        and answered
        and all(c.get("id") and isinstance(c["function"]["arguments"], dict) for c in calls)
    )


PLAIN = [
    pytest.param(vector, id=vector["id"])
    for vector in map(json.loads, VECTORS.read_text(encoding="utf-8").splitlines())
    if vector["rendered"] and all(map(is_plain, vector["messages"]))
]


@pytest.mark.parametrize("vector", PLAIN)
def test_a_conversation_through_ollama_has_the_canonical_prompt(vector):
    """Where every call has an id, the way over Ollama's messages changes nothing."""
    switches = ("enable_thinking", "preserve_thinking", "add_generation_prompt")
    turned = from_ollama([as_ollama(message) for message in vector["messages"]])

    prompt = FORMATS[vector["variant"]].render(
        turned, vector["tools"], **{k: vector[k] for k in switches if k in vector}
    )

    assert prompt == vector["rendered"]


def test_most_vectors_are_plain():
    assert len(PLAIN) > 80


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        pytest.param(
            [said(call("a"), call("b")), result("1", tool_name="a"), result("2", tool_name="b")],
            ["a=1", "b=2"],
            id="by name",
        ),
        pytest.param(
            [said(call("a"), call("b")), result("2", tool_name="b"), result("1", tool_name="a")],
            ["b=2", "a=1"],
            id="by name, in another order",
        ),
        pytest.param(
            [said(call("a"), call("b")), result("1"), result("2")],
            ["a=1", "b=2"],
            id="by position",
        ),
        pytest.param(
            [said(call("a", id="x"), call("b", id="y")), result("2", tool_call_id="y")],
            ["b=2"],
            id="by id",
        ),
        pytest.param(
            [said(call("a", id="x"), call("b", id="y")), result("1"), result("2", tool_name="b")],
            ["a=1", "b=2"],
            id="ids on one side only",
        ),
        pytest.param(
            [said(call("a"), call("b")), result("1", tool_call_id="lost"), result("2")],
            ["a=1", "b=2"],
            id="ids on the other side only",
        ),
        pytest.param(
            [said(call("a", id="x")), result("1", tool_call_id="lost")],
            ["unknown=1"],
            id="an id of no call",
        ),
        pytest.param(
            [said(call("a", id="x")), result("1", tool_call_id="lost", tool_name="z")],
            ["z=1"],
            id="an id of no call, but a name",
        ),
        pytest.param(
            [said(call("a")), result("1", tool_name="a"), result("2", tool_name="a")],
            ["a=1", "a=2"],
            id="one result more than calls",
        ),
        pytest.param(
            [said(call("a"), call("a")), result("1"), result("2")],
            ["a=1", "a=2"],
            id="the same tool twice",
        ),
        pytest.param(
            [said(call("a")), result("1"), said(call("b")), result("2")],
            ["a=1", "b=2"],
            id="one after the other",
        ),
        pytest.param(
            [said(call("a")), {"role": "user", "content": "no"}, result("1", tool_name="a")],
            [],
            id="too late",
        ),
    ],
)
def test_results_keep_the_name_of_their_call(messages, expected):
    assert names(*messages) == expected


def test_ids_that_are_made_up_are_new():
    messages = [said(call("a", id="call_0"), call("b")), said(call("c"))]

    calls = [c for message in from_ollama(messages) for c in message["tool_calls"]]

    assert [c["id"] for c in calls] == ["call_0", "call_1", "call_2"]
    assert {c["type"] for c in calls} == {"function"}


def test_roles_thinking_and_empty_content_are_turned():
    turned = from_ollama([{"role": "Assistant", "thinking": "hm", "model": "x"}, {}])

    assert turned == [
        {"role": "assistant", "content": "", "reasoning": "hm"},
        {"role": "", "content": ""},
    ]


@pytest.mark.parametrize(
    ("content", "media", "parts"),
    [
        ("see", [PNG], [IMAGE, text("see")]),
        ("", [PNG, WAV, MP3], [IMAGE, AUDIO, AUDIO]),
        (None, [PNG], [IMAGE]),
        ("a [img] b", [PNG], [text("a "), IMAGE, text(" b")]),
        ("[img]a", [WAV, PNG], [IMAGE, AUDIO, text("a")]),
        ("a [img] b [img]", [PNG], [text("a "), IMAGE, text(" b [img]")]),
        ("a [img]", [], "a [img]"),
        ("x", ["not base64!"], [IMAGE, text("x")]),
        ([text("x")], [PNG], [text("x")]),
    ],
)
def test_media_become_placeholders_where_they_stand(content, media, parts):
    message = {"role": "user", "content": content, "images": media}

    assert from_ollama([message])[0]["content"] == parts


@pytest.mark.parametrize(
    "message", ["x", {"tool_calls": "x"}, {"tool_calls": ["x"]}, {"tool_calls": [{"function": 1}]}]
)
def test_what_is_no_conversation_is_refused(message):
    with pytest.raises(RenderError, match=r"messages\[1\]"):
        from_ollama([{"role": "user"}, message])
