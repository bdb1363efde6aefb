"""A streamed answer and one in a piece are made from one another."""

import json

import pytest

from tests.replay.server.harness import answered, asks, last, line, streamed, whole
from tonearm import wire
from tonearm.model import Outcome
from tonearm.replay.server.convert import converted

CALL = {"id": "call_1", "function": {"index": 0, "name": "f", "arguments": {"a": "\u2028"}}}


def objects(exchange):
    return [json.loads(text) for text in wire.lines(exchange.response.body)]


def test_a_stream_becomes_one_object():
    exchange = streamed(asks("a"), line("hel"), line("lo"), last())

    made = converted(exchange, streamed=False)

    (found,) = objects(made)
    assert found["message"] == {"role": "assistant", "content": "hello"}
    assert (found["done"], found["done_reason"], found["eval_count"]) == (True, "stop", 3)
    assert not made.response.body.endswith(b"\n")
    assert made.response.headers == (
        ("Content-Type", "application/json; charset=utf-8"),
        ("Date", "Sat, 21 Nov 2026 11:18:28 GMT"),
    )
    assert [chunk.at_s for chunk in made.chunks] == [exchange.chunks[-1].at_s]


def test_one_object_becomes_a_stream():
    message = {"role": "assistant", "content": "hi", "thinking": "hm", "tool_calls": [CALL]}
    reply = json.loads(last()) | {"message": message}

    made = converted(whole(asks("a"), reply), streamed=True)

    assert wire.assemble(objects(made)) == reply
    assert len(made.chunks) == 4
    assert dict(made.response.headers)["Transfer-Encoding"] == "chunked"
    assert dict(made.response.headers)["Content-Type"] == "application/x-ndjson"
    assert "\u2028".encode() not in made.response.body


def test_there_and_back_is_the_same_answer():
    exchange = whole(asks("a"))

    back = converted(converted(exchange, streamed=True), streamed=False)

    assert objects(back) == objects(exchange)


def test_an_error_in_the_middle_becomes_the_error_that_ollama_would_have_sent():
    """Where nothing was sent before it, it has a status of its own."""
    exchange = streamed(asks("a"), line("x"), b'{"error":"engine died"}\n')

    made = converted(exchange, streamed=False)

    assert (made.response.status, objects(made)) == (500, [{"error": "engine died"}])


@pytest.mark.parametrize("streams", [True, False])
def test_an_http_error_is_the_same_either_way(streams):
    exchange = whole(asks("a"), {"error": "model 'm' not found"}, status=404)

    assert converted(exchange, streamed=streams) is exchange


def test_loading_a_model_is_one_object_either_way():
    exchange = whole({"model": "m"}, json.loads(last()) | {"done_reason": "load"})

    assert converted(exchange, streamed=True) is exchange


@pytest.mark.parametrize(
    "exchange",
    [
        streamed(asks("a"), line("x"), outcome=Outcome.UPSTREAM_ABORTED),
        answered(asks("a"), 200, (), b"<html>"),
    ],
)
def test_what_is_no_whole_answer_cannot_be_converted(exchange):
    assert converted(exchange, streamed=False) is None


def test_a_stream_that_ends_without_being_done_stays_so():
    exchange = streamed(asks("a"), line("x"))

    (found,) = objects(converted(exchange, streamed=False))

    assert found["done"] is False
