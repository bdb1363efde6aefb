"""Whatever comes, redaction keeps the structure of a body, and takes linear time."""

import contextlib
import json
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.redaction.generator import KINDS
from tonearm.redaction import Redactor
from tonearm.redaction.edits import apply

KEY = bytes(32)


@st.composite
def secrets(draw):
    make, frames = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    return draw(st.sampled_from(frames)).format(make(random.Random(draw(st.integers(0, 99)))))


VALUES = st.recursive(
    secrets() | st.text(max_size=8) | st.integers() | st.booleans() | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["content", "password", "a", "é"]), inner, max_size=3)
        | inner.map(json.dumps)
    ),
    max_leaves=8,
)


@given(VALUES, st.booleans())
def test_a_json_text_stays_one_and_keeps_its_structure(value, ascii_only):
    before = json.dumps(value, ensure_ascii=ascii_only)

    after = Redactor(KEY).text(before)[0]

    assert shape(json.loads(after)) == shape(value)


def shape(value):
    """Return the structure of a value; a text that is JSON itself has that of what it says."""
    match value:
        case dict():
            return {len(name): shape(item) for name, item in value.items()}
        case list():
            return [shape(item) for item in value]
        case str() if value[:1] in tuple('{["'):
            with contextlib.suppress(ValueError):
                return shape(json.loads(value))
    return type(value)


@given(st.binary(max_size=60))
def test_no_body_is_too_odd(data):
    redactor = Redactor(KEY)
    for body in (data, b"data: " + data, b'{"a":1}\n{"content":"' + data):
        for redacted in (redactor.response(body, asked=True), redactor.request(body)):
            assert redacted.body == apply(body, redacted.edits)


@pytest.mark.parametrize(
    "piece",
    [
        b"password=",
        b"-----BEGIN RSA PRIVATE KEY-----",
        b"-----BEGIN PRIVATE KEY-----a1\n-----END PRIVATE KEY-----\n",
        b"\\",
        b"\\u0041",
        b"%41",
        b"a@b",
        b"a@b.cd ",
        b"://a:",
        b'"content":"',
        b"QUJDREVG",
        b"1 ",
        b"Cookie: a=",
    ],
)
def test_no_text_takes_more_than_linear_time(piece):
    """Four times the text takes about four times the time, where quadratic is sixteen times."""

    def cost(size: int) -> float:
        body = piece * (size // len(piece))
        start = time.process_time()
        Redactor(KEY).response(body)
        return time.process_time() - start

    assert cost(240_000) < 10 * max(cost(60_000), 0.02)
