"""The tiny model on the stage: what a client of Ollama gets from llama.cpp in this process."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.engines import TINY_MODEL
from tests.replay.server.stage.requests import ADD
from tests.replay.server.stage.tiny import tiny_stage

pytestmark = pytest.mark.llama

GREEDY = {"temperature": 0, "num_ctx": 1024, "num_predict": 64}


@pytest.fixture(scope="module")
def client():
    with (
        tiny_stage() as url,
        httpx.Client(base_url=url, timeout=120, trust_env=False) as client,
    ):
        yield client


def chat(client, text, **more):
    """Return the objects that answer a chat request."""
    body = {"model": TINY_MODEL, "messages": [{"role": "user", "content": text}]}
    answer = client.post("/api/chat", json={**body, "options": GREEDY, **more})
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.text.splitlines()]


def test_a_tool_call_comes_out_whole(client):
    *_, call, last = chat(client, "Add 19 and 37.", tools=[ADD], think=False)

    (made,) = call["message"]["tool_calls"]
    assert made["function"] == {"index": 0, "name": "add", "arguments": {"a": 19, "b": 37}}
    assert made["id"].startswith("call_")
    assert last["message"] == {"role": "assistant", "content": ""}
    assert (last["done"], last["done_reason"]) == (True, "stop")


def test_a_stream_says_what_the_whole_answer_says(client):
    (whole,) = chat(client, "Hello!", think=True, stream=False)
    pieces = chat(client, "Hello!", think=True)

    for name in ("content", "thinking"):
        assert "".join(p["message"].get(name, "") for p in pieces) == whole["message"][name]
    for name in ("prompt_eval_count", "eval_count", "done_reason"):
        assert pieces[-1][name] == whole[name]
    assert len(pieces) > 5


def test_a_prompt_is_completed_and_its_tokens_returned(client):
    body = {"model": TINY_MODEL, "prompt": "Hello!", "options": GREEDY, "think": False}

    answer = client.post("/api/generate", json={**body, "stream": False}).json()

    assert answer["response"] == "Hello, how can I help?"
    assert answer["context"][:2] == [2, 105]
    assert (
        "context"
        not in client.post("/api/generate", json={**body, "stream": False, "raw": True}).json()
    )


def test_a_format_binds_the_answer(client):
    (bound,) = chat(client, "Hello!", think=False, stream=False, format="json")
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    (named,) = chat(client, "Hello!", think=False, stream=False, format=schema)

    assert isinstance(json.loads(bound["message"]["content"]), dict)
    assert list(json.loads(named["message"]["content"])) == ["a"]


def test_a_client_that_leaves_stops_the_engine(client):
    """Forty thousand tokens would keep the next one waiting longer than it waits."""
    long = {"type": "string", "minLength": 1_000_000}
    body = {"model": TINY_MODEL, "prompt": "Hello!", "raw": True, "format": long}
    # An answer that repeats itself is broken off, so it must not.
    options = {"num_predict": 40_000, "temperature": 2, "repeat_penalty": 1.5, "seed": 1}

    with client.stream("POST", "/api/generate", json={**body, "options": options}) as stream:
        lines = stream.iter_lines()
        begun = [json.loads(next(lines)) for _ in range(100)]
    last = chat(client, "Hello!", think=False)[-1]

    assert not any(piece["done"] for piece in begun)
    assert last["done_reason"] == "stop"
