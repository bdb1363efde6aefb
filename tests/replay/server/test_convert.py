"""A streamed answer and one in a piece are made from one another."""

import json

import pytest

from tests.replay.server.harness import answered, asks, last, line, streamed, whole
from tonearm import sse, wire
from tonearm.model import Outcome
from tonearm.replay.server.convert import converted
from tonearm.replay.server.question import Form

CALL = {"id": "call_1", "function": {"index": 0, "name": "f", "arguments": {"a": "\u2028"}}}


def objects(exchange):
    return [json.loads(text) for text in wire.lines(exchange.response.body)]


def test_a_stream_becomes_one_object():
    exchange = streamed(asks("a"), line("hel"), line("lo"), last())

    made = converted(exchange, Form.WHOLE)

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

    made = converted(whole(asks("a"), reply), Form.STREAM)

    assert wire.assemble(objects(made)) == reply
    assert len(made.chunks) == 4
    assert dict(made.response.headers)["Transfer-Encoding"] == "chunked"
    assert dict(made.response.headers)["Content-Type"] == "application/x-ndjson"
    assert "\u2028".encode() not in made.response.body


def test_there_and_back_is_the_same_answer():
    exchange = whole(asks("a"))

    back = converted(converted(exchange, Form.STREAM), Form.WHOLE)

    assert objects(back) == objects(exchange)


def test_an_error_in_the_middle_becomes_the_error_that_ollama_would_have_sent():
    """Where nothing was sent before it, it has a status of its own."""
    exchange = streamed(asks("a"), line("x"), b'{"error":"engine died"}\n')

    made = converted(exchange, Form.WHOLE)

    assert (made.response.status, objects(made)) == (500, [{"error": "engine died"}])


@pytest.mark.parametrize("form", list(Form))
def test_an_http_error_is_the_same_either_way(form):
    exchange = whole(asks("a"), {"error": "model 'm' not found"}, status=404)

    assert converted(exchange, form) is exchange


def test_loading_a_model_is_one_object_either_way():
    exchange = whole({"model": "m"}, json.loads(last()) | {"done_reason": "load"})

    assert converted(exchange, Form.STREAM) is exchange


@pytest.mark.parametrize(
    "exchange",
    [
        streamed(asks("a"), line("x"), outcome=Outcome.UPSTREAM_ABORTED),
        answered(asks("a"), 200, (), b"<html>"),
    ],
)
def test_what_is_no_whole_answer_cannot_be_converted(exchange):
    assert converted(exchange, Form.WHOLE) is None


def test_a_stream_that_ends_without_being_done_stays_so():
    exchange = streamed(asks("a"), line("x"))

    (found,) = objects(converted(exchange, Form.WHOLE))

    assert found["done"] is False


OPENAI = "/v1/chat/completions"
TEXT = "/v1/completions"
ANTHROPIC = "/v1/messages"
HEAD = {"id": "chatcmpl-7", "created": 1_795_000_000, "model": "m", "system_fingerprint": "fp"}
ASKED = {"model": "m", "messages": [{"role": "user", "content": "a" * 40}], "max_tokens": 9}
COUNTS = {"prompt_tokens": 17, "completion_tokens": 3, "total_tokens": 20}
EVENTS = (
    ("Content-Type", "text/event-stream"),
    ("Date", "Sat, 21 Nov 2026 11:18:28 GMT"),
    ("Transfer-Encoding", "chunked"),
)


def events(path, *objects, end=b"data: [DONE]\n\n", **more):
    """Return a stream of events, as OpenAI's clients get it."""
    texts = [b"data: %b\n\n" % json.dumps(body).encode() for body in objects]
    return answered(ASKED, 200, EVENTS, b"".join(texts) + end, path=path, **more)


def chunk(delta, reason=None):
    return HEAD | {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def piece(index, name=None, arguments="", key=None):
    function = {"arguments": arguments} | ({"name": name} if name else {})
    call = {"index": index, "function": function} | ({"id": key, "type": "function"} if key else {})
    return chunk({"tool_calls": [call]})


CHUNKS = (
    chunk({"role": "assistant", "content": "", "reasoning": "h"}),
    chunk({"reasoning": "m"}),
    chunk({"content": "x\u0085"}),
    piece(0, "f", '{"a":', key="call_1"),
    piece(1, "g", "{}", key="call_2"),
    piece(0, arguments="1}"),
    chunk({}, "tool_calls"),
)
USAGE = HEAD | {"choices": [], "usage": COUNTS}


def asked(exchange, form):
    return converted(exchange, form, body=exchange.request.body)


def test_openais_events_become_a_completion():
    made = asked(events(OPENAI, *CHUNKS, USAGE), Form.WHOLE)

    found = json.loads(made.response.body)
    (choice,) = found["choices"]
    assert (found["id"], found["created"], found["usage"]) == ("chatcmpl-7", 1_795_000_000, COUNTS)
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"] == {
        "role": "assistant",
        "content": "x\u0085",
        "reasoning": "hm",
        "tool_calls": [
            {
                "id": key,
                "index": n,
                "type": "function",
                "function": {"name": name, "arguments": arguments},
            }
            for n, (key, name, arguments) in enumerate(
                [("call_1", "f", '{"a":1}'), ("call_2", "g", "{}")]
            )
        ],
    }
    assert made.response.body.endswith(b"}\n")
    assert made.response.headers == (("Content-Type", "application/json"), EVENTS[1])


def test_counts_that_were_not_recorded_are_left_out_and_that_is_said():
    made = asked(events(OPENAI, *CHUNKS), Form.WHOLE)

    assert "usage" not in json.loads(made.response.body)
    assert ("Tonearm-Not-Recorded", "usage") in made.response.headers


@pytest.mark.parametrize(("form", "counted"), [(Form.STREAM, False), (Form.COUNTED, True)])
def test_a_completion_becomes_openais_events(form, counted):
    exchange = asked(events(OPENAI, *CHUNKS, USAGE), Form.WHOLE)

    made = asked(exchange, form)

    *texts, done = sse.data(made.response.body)
    objects = [json.loads(text) for text in texts]
    assert done == sse.DONE
    assert {body["id"] for body in objects} == {"chatcmpl-7"}
    assert [body["usage"] for body in objects if "usage" in body] == [COUNTS] * counted
    assert made.response.headers == EVENTS
    assert "\u0085".encode() not in made.response.body
    again = asked(made, Form.WHOLE).response.body
    assert (again == exchange.response.body) is counted


@pytest.mark.parametrize("form", [Form.STREAM, Form.COUNTED])
def test_the_texts_of_a_completion_come_either_way(form):
    choice = {"text": "one", "index": 0, "finish_reason": "length"}
    body = HEAD | {"object": "text_completion", "choices": [choice], "usage": COUNTS}
    exchange = answered(ASKED, 200, (), json.dumps(body).encode() + b"\n", path=TEXT)

    made = asked(exchange, form)
    back = json.loads(asked(made, Form.WHOLE).response.body)

    assert back["choices"] == [choice]
    assert back.get("usage") == (COUNTS if form is Form.COUNTED else None)


def test_anthropics_message_comes_either_way():
    content = [
        {"type": "thinking", "thinking": "hm"},
        {"type": "text", "text": "hi"},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": [1]}},
    ]
    message = {
        "id": "msg_7",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": content,
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 17, "output_tokens": 3},
    }
    fields = (("Content-Type", "application/json"),)
    exchange = answered(ASKED, 200, fields, json.dumps(message).encode(), path=ANTHROPIC)

    made = asked(exchange, Form.STREAM)

    first, *_, last = [json.loads(text) for text in sse.data(made.response.body)]
    assert first["message"]["usage"] == {"input_tokens": 11, "output_tokens": 0}
    assert last == {"type": "message_stop"}
    assert dict(made.response.headers)["Cache-Control"] == "no-cache"
    back = asked(made, Form.WHOLE)
    assert json.loads(back.response.body) == message
    assert back.response.headers == fields


def test_an_error_in_openais_stream_becomes_one_of_its_own_form():
    error = {"error": {"message": "engine died", "type": "api_error", "param": None, "code": None}}
    exchange = events(OPENAI, CHUNKS[0], error, end=b"")

    made = asked(exchange, Form.WHOLE)

    assert made.response.status == 500
    assert made.response.headers[0] == ("Content-Type", "application/json")
    assert json.loads(made.response.body) == error
    assert asked(exchange, Form.COUNTED) is exchange


@pytest.mark.parametrize(
    "exchange",
    [
        events(OPENAI, *CHUNKS[:3]),
        events(OPENAI, end=b""),
        events(OPENAI, *CHUNKS, outcome=Outcome.UPSTREAM_ABORTED),
        answered(ASKED, 200, (), b"data: x\n\n", path=ANTHROPIC),
        answered(ASKED, 200, (), b"data: {}\n\n", path="/v1/responses"),
    ],
)
def test_what_is_no_whole_answer_of_v1_cannot_be_converted(exchange):
    assert asked(exchange, Form.WHOLE) is None
