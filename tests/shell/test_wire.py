"""Ollama's JSON and NDJSON against the values they stand for."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonearm import wire
from tonearm.errors import WireError
from tonearm.model import HttpRequest

CALL = {
    "id": "call_abc",
    "function": {"index": 0, "name": "add", "arguments": {"a": 1, "b": 2.5}},
}
LOGPROBS = [
    {"token": "<|tool_call>", "logprob": -0.1, "bytes": [60, 124, 116, 111]},
    {"token": "\ufffd", "logprob": -0.2, "bytes": [0xE2, 0x82]},
    {"token": "\ufffd", "logprob": -0.3, "bytes": [0xAC]},
]
FINAL = {
    "done": True,
    "done_reason": "stop",
    "total_duration": 2_500_000_000,
    "load_duration": 1_000_000_000,
    "prompt_eval_count": 7,
    "prompt_eval_duration": 250_000_000,
    "eval_count": 3,
    "eval_duration": 1_250_000_000,
}
HEAD = {"model": "m", "created_at": "2026-11-21T10:00:00Z"}


def stream(*pieces):
    return b"".join(json.dumps({**HEAD, **p}).encode() + b"\n" for p in pieces)


def said(**fields):
    return {"message": {"role": "assistant", "content": "", **fields}, "done": False}


STREAM = stream(
    said(thinking="I "),
    said(thinking="add."),
    said(content="Sum"),
    said(content=": "),
    said(tool_calls=[CALL]),
    {**said(), **FINAL},
)


def test_a_stream_is_assembled_into_the_answer_in_one_piece():
    reply = wire.read_reply(200, STREAM)

    assert reply.body == {
        **HEAD,
        "message": {
            "role": "assistant",
            "content": "Sum: ",
            "thinking": "I add.",
            "tool_calls": [CALL],
        },
        **FINAL,
    }
    assert (reply.lines, reply.done, reply.error) == (6, True, None)


def test_nanoseconds_become_seconds():
    timing = wire.timing(wire.read_reply(200, STREAM), wall_s=3.0)

    assert (timing.wall_s, timing.load_s, timing.prompt_s, timing.decode_s) == (
        3.0,
        1.0,
        0.25,
        1.25,
    )


def test_absent_durations_are_unknown_rather_than_zero():
    """Ollama leaves out every field that is zero."""
    timing = wire.timing(wire.read_reply(200, stream({**said(content="x"), "done": True})), 1.0)

    assert (timing.load_s, timing.prompt_s, timing.decode_s) == (None, None, None)


def test_an_answer_has_content_thinking_and_calls():
    answer = wire.answer(wire.read_reply(200, STREAM))

    assert (answer.content, answer.thinking) == ("Sum: ", "I add.")
    assert [(c.name, c.arguments, c.id) for c in answer.tool_calls] == [
        ("add", {"a": 1, "b": 2.5}, "call_abc")
    ]


def test_generate_answers_read_like_chat_answers():
    body = b'{"model":"m","response":"hi","thinking":"t","done":true}'

    answer = wire.answer(wire.read_reply(200, body))

    assert (answer.content, answer.thinking) == ("hi", "t")


def test_an_error_line_within_a_stream_is_an_error_and_not_content():
    reply = wire.read_reply(200, stream(said(content="par")) + b'{"error":"engine died"}\n')

    assert reply.error == "engine died"
    assert reply.message["content"] == "par"
    assert not reply.done


def test_an_error_body_is_an_error():
    assert wire.read_reply(404, b'{"error":"model \'x\' not found"}').error == "model 'x' not found"
    assert wire.read_reply(403, b"").error == "HTTP 403"


def test_a_stream_that_ends_without_done_is_not_done():
    """Ollama ends the stream without a word after 30 blank tokens in a row."""
    reply = wire.read_reply(200, stream(said(content="x")))

    assert not reply.done
    assert reply.error is None


def test_a_cut_last_line_is_left_out():
    reply = wire.read_reply(200, STREAM[:-40])

    assert reply.message["content"] == "Sum: "
    assert not reply.done


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b'{"a":1}\nnonsense\n{"b":2}\n'])
def test_what_is_no_json_is_refused_with_the_place(body):
    with pytest.raises(WireError, match=r"line \d of the answer is not"):
        wire.read_reply(200, body)


def test_unescaped_separators_of_unicode_do_not_cut_a_line():
    body = '{"message":{"content":"a\u2028b\u0085c"},"done":true}\n'.encode()

    assert wire.read_reply(200, body).message["content"] == "a\u2028b\u0085c"


def test_tokens_spell_the_completion_byte_by_byte():
    reply = wire.read_reply(200, stream({**said(), **FINAL, "logprobs": LOGPROBS}))

    decoded = wire.decoded(reply)

    assert decoded.completion == "<|to\u20ac"
    assert [t.text for t in decoded.tokens] == ["<|tool_call>", "\ufffd", "\ufffd"]
    assert decoded.eval_count == 3


def test_an_answer_without_logprobs_shows_no_tokens():
    assert wire.decoded(wire.read_reply(200, STREAM)) is None


TEXT = st.text(min_size=1, max_size=8)
CALLS = st.builds(
    lambda name, arguments: {"function": {"name": name, "arguments": arguments}},
    TEXT,
    st.dictionaries(TEXT, st.integers() | TEXT, max_size=3),
)
METRICS = st.fixed_dictionaries(
    {},
    optional={
        "done_reason": st.sampled_from(["stop", "length", "load"]),
        "eval_count": st.integers(0, 99),
        "eval_duration": st.integers(0),
        "context": st.lists(st.integers(), max_size=3),
        "some_field_of_tomorrow": TEXT,
    },
)
LOGPROB = st.builds(lambda t: {"token": t, "logprob": -1.0}, TEXT)


@st.composite
def replies(draw):
    fields = draw(
        st.fixed_dictionaries(
            {},
            optional={"thinking": TEXT, "tool_calls": st.lists(CALLS, min_size=1, max_size=3)},
        )
    )
    content = draw(st.text(max_size=8))
    chat = draw(st.booleans())
    body = {"role": "assistant", "content": content} if chat else {"response": content}
    body |= fields
    whole = {**HEAD, **({"message": body} if chat else body), "done": True, **draw(METRICS)}
    if draw(st.booleans()):
        whole["logprobs"] = draw(st.lists(LOGPROB, min_size=1, max_size=4))
    return whole


@given(replies())
def test_splitting_and_assembling_lose_nothing(whole):
    assert wire.assemble(wire.split(whole)) == whole


@given(replies())
def test_every_piece_but_the_last_is_unfinished(whole):
    *pieces, last = wire.split(whole)

    assert last["done"] is True
    assert not any(piece["done"] for piece in pieces)


def test_endpoints_are_told_by_method_and_path():
    def asked(method, path):
        return wire.endpoint(HttpRequest(method=method, uri=f"http://h:1{path}"))

    assert asked("POST", "/api/chat") == "/api/chat"
    assert asked("POST", "/api/generate?x=1") == "/api/generate"
    assert asked("GET", "/api/chat") is None
    assert asked("POST", "/api/chatter") is None


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"messages": {}}, "messages is not a list but a dict"),
        ({"messages": ["x"]}, r"messages\[0\] is not an object but a str"),
        ({"messages": [{"content": "x"}]}, r"messages\[0\] has no role"),
        ({"tools": "x"}, "tools is not a list"),
        ({"options": []}, "options is not a dict"),
        ({"model": 3}, "model is not a str"),
    ],
)
def test_a_request_of_the_wrong_shape_is_refused(body, problem):
    with pytest.raises(WireError, match=problem):
        wire.chat_request(body)


def test_absent_fields_have_the_servers_defaults():
    request = wire.chat_request({"model": "m", "messages": [], "options": None, "think": None})

    assert (request.stream, request.options, request.tools) == (True, {}, [])
    assert (request.thinks(capable=True), request.thinks(capable=False)) == (True, False)


@pytest.mark.parametrize(("think", "thinks"), [(True, True), (False, False), ("low", True)])
def test_whether_to_think_is_the_clients_choice(think, thinks):
    assert wire.chat_request({"think": think}).thinks(capable=True) is thinks


def test_a_modelfiles_parameters_are_values():
    text = 'num_thread    1\ntemperature 0.5\nstop   "<turn|>"\nstop "x y"\nodd  some words\n'

    assert wire.parameters(text) == {
        "num_thread": 1,
        "temperature": 0.5,
        "stop": ["<turn|>", "x y"],
        "odd": "some words",
    }
    assert wire.parameters(None) == {}


def test_a_pin_is_put_together_from_what_the_server_says():
    pin = wire.pin(
        "tiny",
        version={"version": "0.24.0"},
        show={
            "modelfile": "FROM x\nRENDERER gemma4\nPARSER gemma4\n",
            "parameters": "temperature 1",
            "details": {"family": "gemma4", "quantization_level": "F32"},
        },
        tags={"models": [{"name": "tiny:latest", "digest": "abc"}, {"name": "tiny:e2b"}]},
        ps={"models": [{"name": "tiny:latest", "context_length": 2048}]},
    )

    assert (pin.server_version, pin.digest, pin.renderer, pin.parser) == (
        "0.24.0",
        "abc",
        "gemma4",
        "gemma4",
    )
    assert (pin.quantization, pin.parameters, pin.num_ctx) == ("F32", "temperature 1", 2048)
