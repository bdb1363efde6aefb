"""Which requests are the same, and how paths into a body are spelled."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonearm.errors import UsageError
from tonearm.replay.server.question import Form, parse_pointer, question, spell

BODY = {
    "model": "m",
    "messages": [{"role": "user", "content": "hi"}],
    "options": {"temperature": 0, "seed": 7},
}


def asked(body, path="/api/chat", free=()):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return question("POST", path, text, [parse_pointer(pointer) for pointer in free])


def with_options(**options):
    return BODY | {"options": BODY["options"] | options}


def test_spelling_does_not_count():
    other = b"""{ "options": {"seed": 7.0, "temperature": 0e3},
      "messages": [{"content": "h\\u0069", "role": "user"}], "model": "m" }"""

    assert asked(other) == asked(BODY)


@pytest.mark.parametrize(
    "other",
    [
        with_options(seed=8),
        with_options(seed="7"),
        with_options(temperature=False),
        with_options(seed=7 + 2**53),
        BODY | {"messages": [{"role": "user", "content": "hi "}]},
        BODY | {"messages": BODY["messages"] * 2},
        BODY | {"keep_alive": None},
    ],
    ids=str,
)
def test_everything_else_counts(other):
    assert asked(other) != asked(BODY)


def test_method_and_path_count():
    assert asked(BODY, "/api/generate") != asked(BODY)
    assert question("PUT", "/api/chat", b"{}") != question("POST", "/api/chat", b"{}")


@pytest.mark.parametrize(
    ("path", "body", "streamed"),
    [
        ("/api/chat", {}, True),
        ("/api/chat", {"stream": None}, True),
        ("/api/chat", {"stream": True}, True),
        ("/api/chat", {"stream": False}, False),
        ("/v1/chat/completions", {}, False),
        ("/v1/chat/completions", {"stream": True}, True),
    ],
)
def test_stream_is_kept_apart_from_the_rest(path, body, streamed):
    """Ollama streams unless told not to, OpenAI's interface the other way round."""
    found = asked(body, path)

    assert found.form.streamed is streamed
    assert found.body == asked({}, path).body


@pytest.mark.parametrize(
    ("more", "form"),
    [
        ({"stream_options": {"include_usage": True}}, Form.WHOLE),
        ({"stream": True}, Form.STREAM),
        ({"stream": True, "stream_options": {}}, Form.STREAM),
        ({"stream": True, "stream_options": {"include_usage": False}}, Form.STREAM),
        ({"stream": True, "stream_options": {"include_usage": True}}, Form.COUNTED),
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/completions"])
def test_the_counts_of_a_stream_are_kept_apart_as_well(path, more, form):
    found = asked(BODY | more, path)

    assert found.form is form
    assert found.body == asked(BODY, path).body


@pytest.mark.parametrize(
    "options", [{"include_usage": "yes"}, {"include_obfuscation": False}, [True], "all"]
)
def test_what_else_is_asked_of_a_stream_is_part_of_the_body(options):
    path = "/v1/chat/completions"

    assert asked({"stream_options": options}, path).body != asked({}, path).body


def test_a_stream_that_is_no_flag_is_part_of_the_body():
    assert asked({"stream": "yes"}).body != asked({}).body


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe\xff", b"[" * 200_000, b'{"a": 1'])
def test_a_body_that_is_no_json_is_compared_byte_by_byte(body):
    assert asked(body) == asked(body)
    assert asked(body) != asked(body + b" ")


def test_no_body_is_a_body_too():
    assert asked(b"") == asked(b"")
    assert asked(b"") != asked(b"{}")


def test_what_is_declared_free_may_differ_be_missing_or_be_more():
    free = ["options.seed", "messages[*].images", "tools[0]"]
    several = BODY | {"messages": [{"role": "user", "content": "hi", "images": ["x", "y"]}]}

    assert asked(with_options(seed=1), free=free) == asked(with_options(seed=2), free=free)
    assert asked(several, free=free) == asked(BODY, free=free)
    assert asked(several | {"tools": [1]}, free=free) == asked(several | {"tools": [2]}, free=free)
    assert asked(several | {"tools": [1, 1]}, free=free) != asked(several, free=free)


def test_items_are_removed_from_the_end_so_that_indices_hold():
    free = ["messages[*]"]

    assert asked({"messages": [1, 2, 3]}, free=free) == asked({"messages": []}, free=free)


@pytest.mark.parametrize("pointer", ["options.seed", "messages[*].tool_calls[0].id", 'a["b.c"].d'])
def test_a_pointer_is_spelled_as_it_is_read(pointer):
    assert spell(parse_pointer(pointer)) == pointer


@pytest.mark.parametrize("text", ["", "[0].a", "a..b", "a[", "a[x]", "a[-1]", "a.", "a]b"])
def test_what_is_no_pointer_is_refused_with_an_example(text):
    with pytest.raises(UsageError, match=r"options\.seed"):
        parse_pointer(text)


names = st.text(min_size=1)
steps = st.lists(st.one_of(names, st.integers(0, 99), st.none()), max_size=4)


@given(first=names, rest=steps)
def test_any_pointer_can_be_spelled(first, rest):
    pointer = (first, *rest)

    assert parse_pointer(spell(pointer)) == pointer
