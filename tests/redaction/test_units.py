"""A request is cut into its messages, and nothing is lost on the way."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tonearm.redaction.units import units

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
)


@given(st.binary(max_size=40) | JSON.map(lambda v: json.dumps(v, ensure_ascii=False).encode()))
def test_the_parts_make_the_whole(data):
    body = data + b" " * 2048

    places = units(body)

    assert b"".join(body[a:b] for a, b in places) == body


def test_every_message_is_a_part():
    messages = [{"role": "user", "content": f"é {n} " + "x" * 900} for n in range(4)]
    body = json.dumps({"model": "m", "messages": messages, "stream": True}).encode()

    parts = [body[a:b] for a, b in units(body)]

    assert sum(b'"content"' in part for part in parts) == 4
    assert max(part.count(b'"content"') for part in parts) == 1


def test_a_history_that_grows_has_the_parts_that_it_had():
    messages = [{"role": "user", "content": f"{n} " + "x" * 900} for n in range(4)]
    shorter, longer = (json.dumps({"messages": messages[:n], "n": 1}).encode() for n in (3, 4))

    old = [shorter[a:b] for a, b in units(shorter)]
    new = {longer[a:b] for a, b in units(longer)}

    assert sum(len(part) for part in old if part in new) == len(shorter)


def test_a_short_body_is_one_part():
    assert units(b'{"messages": [1, 2]}') == [(0, 20)]


def test_what_is_nested_too_deeply_is_one_part():
    body = b'{"a":' + b"[" * 200_000

    assert units(body) == [(0, 5), (5, len(body))] or units(body) == [(0, len(body))]
