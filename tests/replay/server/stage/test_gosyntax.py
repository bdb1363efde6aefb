"""Texts that are no JSON, in Go's words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonearm.replay.server.stage.gosyntax import CUT, mistake


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"nope", "invalid character 'o' in literal null (expecting 'u')"),
        (b'{"a":tru}', "invalid character '}' in literal true (expecting 'e')"),
        (b'{"model":"x",}', "invalid character '}' looking for beginning of object key string"),
        (b"{a:1}", "invalid character 'a' looking for beginning of object key string"),
        (b'{"a" 1}', "invalid character '1' after object key"),
        (b'{"a":1 "b":2}', "invalid character '\"' after object key:value pair"),
        (b"[1 2]", "invalid character '2' after array element"),
        (b"[1,]", "invalid character ']' looking for beginning of value"),
        (b"[[1}", "invalid character '}' after array element"),
        (b'{"a":01}', "invalid character '1' after object key:value pair"),
        (b"[-x]", "invalid character 'x' in numeric literal"),
        (b"[1.]", "invalid character ']' after decimal point in numeric literal"),
        (b"[1ex]", "invalid character 'x' in exponent of numeric literal"),
        (b'["\\x"]', "invalid character 'x' in string escape code"),
        (b'["\\u12x"]', "invalid character 'x' in \\u hexadecimal character escape"),
        (b'["a\nb"]', "invalid character '\\n' in string literal"),
        (b"'a'", "invalid character '\\'' looking for beginning of value"),
        ("é".encode(), "invalid character 'Ã' looking for beginning of value"),
        (b"NaN", "invalid character 'N' looking for beginning of value"),
        (b'{"a":', CUT),
        (b'["', CUT),
        (b"", CUT),
    ],
)
def test_the_words_are_those_of_go(text, words):
    assert mistake(text) == words


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=9,
)


@given(_VALUES, st.data())
def test_a_text_of_which_the_end_is_missing_is_only_cut(value, data):
    text = json.dumps([value]).encode()
    end = data.draw(st.integers(0, len(text) - 1))

    assert mistake(text[:end]) == CUT


@given(st.binary())
def test_no_text_is_too_much(text):
    assert mistake(text) == CUT or mistake(text).startswith("invalid character")


def test_a_text_a_million_brackets_deep_is_read():
    assert mistake(b"[" * 1_000_000) == CUT
