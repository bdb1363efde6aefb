"""The pieces of a stream are found, told apart and read as one."""

import json

import pytest

from tonearm.redaction import streams


def texts(body: bytes) -> list[bytes]:
    return sorted(b"".join(body[a:b] for a, b in spans) for spans in streams.lanes(body))


def lines(*objects: object) -> bytes:
    return b"".join(json.dumps(o).encode() + b"\n" for o in objects)


def events(*objects: object) -> bytes:
    return b"".join(b"data: " + json.dumps(o).encode() + b"\n\n" for o in objects)


def test_thinking_and_content_are_two_texts():
    body = lines(
        {"message": {"content": "", "thinking": "pon"}},
        {"message": {"content": "", "thinking": "der"}},
        {"message": {"content": "an"}},
        {"message": {"content": "swer"}},
    )

    assert texts(body) == [b"answer", b"ponder"]


def test_calls_side_by_side_are_told_apart_by_their_index():
    def delta(index: int, piece: str) -> object:
        call = {"index": index, "function": {"arguments": piece}}
        return {"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}

    body = events(delta(0, '{"a'), delta(1, '{"x'), delta(0, '":1}'), delta(1, '":2}'))

    assert texts(body) == [rb"{\"a\":1}", rb"{\"x\":2}"]


def test_names_within_a_text_are_no_fields():
    body = lines({"response": 'say "content": "no"'}, {"response": "."})

    assert texts(body) == [rb"say \"content\": \"no\"."]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"a": 1}\n{"b": 2}\n', True),
        (b'{"a": 1}\n', False),
        (b'{\n  "a": 1\n}\n', False),
        (b"data: {}\n\n", True),
        (b"event: x\ndata: {}\n\n", True),
        (b": ping\n\ndata: {}\n\n", True),
        (b"prose\n{}\n{}\n", False),
        (b"", False),
    ],
)
def test_a_stream_is_known_by_its_lines(body, expected):
    assert streams.is_stream(body) == expected


def test_log_probs_are_found_whole():
    entry = {"token": "a]", "logprob": -0.1, "top_logprobs": [{"token": "]"}]}
    body = lines({"logprobs": [entry]}, {"choices": [{"logprobs": {"content": [entry]}}]})

    found = [json.loads(body[a:b]) for a, b in streams.logprobs(body)]

    assert found == [[entry], {"content": [entry]}]


def test_log_probs_that_were_cut_end_with_their_line():
    body = b'{"logprobs":[{"token":"a"\n{"done":true}\n'

    assert [body[a:b] for a, b in streams.logprobs(body)] == [b'[{"token":"a"']


def test_token_ids_are_a_context_and_a_short_list_is_not():
    ids = list(range(20))
    body = json.dumps({"context": ids, "args": {"context": [1, 2]}}).encode()

    assert [json.loads(body[a:b]) for a, b in streams.contexts(body)] == [ids]
