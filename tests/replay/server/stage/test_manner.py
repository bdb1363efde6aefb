"""The stage as OpenAI's and Anthropic's clients hear it."""

from __future__ import annotations

import json

import pytest

from tests.replay.server.stage.puppet import Puppet
from tests.replay.server.stage.test_stage import ADD, CALL, HELLO, MODEL, ask
from tonearm import anthropic, openai, sse
from tonearm.errors import ArmError

THOUGHT = ["<|channel>", "thought\n", "Hm.", "<channel|>"]
LINES = {
    "a text": ["Yes", "."],
    "a thought and a text": [*THOUGHT, "Yes", "."],
    "a text and a call": ["I see.", CALL],
    "a thought and two calls": [*THOUGHT, CALL, CALL],
    "nothing": [],
}


def openai_body(**fields):
    tools = [ADD]
    return {"model": MODEL, "messages": HELLO, "reasoning_effort": "high", "tools": tools} | fields


def anthropic_body(**fields):
    tools = [{"name": "add", "input_schema": {"type": "object"}}]
    thinking = {"type": "enabled"}
    return {"max_tokens": 99, "messages": HELLO, "thinking": thinking, "tools": tools} | fields


PROTOCOLS = [
    pytest.param("/v1/chat/completions", openai_body, openai, id="OpenAI"),
    pytest.param("/v1/messages", anthropic_body, anthropic, id="Anthropic"),
]


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize(("path", "body", "dialect"), PROTOCOLS)
def test_a_stream_reads_as_the_answer_in_one_piece(path, body, dialect, line):
    puppet = Puppet([LINES[line]])
    usage = {"stream_options": {"include_usage": True}}
    whole, stream = ask(puppet, body(), body(stream=True) | usage, path=path)

    read = [dialect.read_reply(a.status_code, a.content).body for a in (whole, stream)]

    for reply in read:
        for call in reply["message"].get("tool_calls", []):
            call.pop("id")
    assert read[0] == read[1]
    assert read[0]["done_reason"] == "stop"
    assert read[0]["eval_count"] == len(LINES[line]) + 1


@pytest.mark.parametrize(("path", "body", "dialect"), PROTOCOLS)
def test_calls_are_told_as_the_reason_to_stop(path, body, dialect):
    whole, stream = ask(Puppet([[CALL]]), body(), body(stream=True), path=path)

    reason = "tool_calls" if dialect is openai else "tool_use"
    assert reason in whole.text
    assert reason in stream.text


def test_each_event_of_anthropics_has_its_name_and_every_block_an_end():
    puppet = Puppet([LINES["a text and a call"]])
    (stream,) = ask(puppet, anthropic_body(stream=True), path="/v1/messages")

    names = [line[7:] for line in stream.text.splitlines() if line.startswith("event: ")]
    events = [json.loads(data) for data in sse.data(stream.content)]
    assert [event["type"] for event in events] == names
    assert names.count("content_block_start") == names.count("content_block_stop") == 2
    assert [e["index"] for e in events if e["type"] == "content_block_start"] == [0, 1]


def test_sampling_is_openais_where_its_client_is_silent():
    puppet = Puppet([["x"]])
    ask(puppet, openai_body(max_tokens=3, stop="."), path="/v1/chat/completions")
    ask(puppet, {"prompt": "Hi", "stop": [";"]}, path="/v1/completions")

    chat, text = (passage.options for passage in puppet.passages)
    assert (chat["temperature"], chat["top_p"], chat["num_predict"]) == (1.0, 1.0, 3)
    assert chat["stop"] == ["."]
    assert (text["temperature"], text["top_p"], text["stop"]) == (1.0, 1.0, [";"])


@pytest.mark.parametrize(
    ("path", "body", "end"),
    [
        ("/api/chat", {"messages": HELLO}, '{"error":"gone"}\n'),
        ("/v1/chat/completions", openai_body(stream=True), '"type":"api_error","param":null,'),
        ("/v1/messages", anthropic_body(stream=True), '"message":"gone"},"request_id":'),
    ],
)
def test_a_stream_that_breaks_ends_with_an_error_in_the_form_of_the_endpoint(path, body, end):
    (answer,) = ask(Puppet([["a", "b"]], breaks=ArmError("puppet", "gone")), body, path=path)

    assert answer.status_code == 200
    *_, last = answer.text.rstrip("\n").rsplit("\n\n" if "/v1/" in path else "\n", 1)
    assert end.strip() in last


@pytest.mark.parametrize("path", ["/v1/responses", "/api/pull", "/api/create", "/v1/embeddings"])
def test_what_the_stage_cannot_do_is_said_in_the_form_of_the_endpoint(path):
    (answer,) = ask(Puppet([[]]), {}, path=path)

    error = answer.json()["error"]
    assert answer.status_code == 501
    assert isinstance(error, dict) is path.startswith("/v1/")
