"""Argument literals: what is written can be read back, and what cannot is refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonearm.templates.gemma4 import literal
from tonearm.templates.gemma4.literal import MAX_DEPTH, Reader, Unreadable

KEYS = st.text(st.characters(exclude_characters=":,[]{}"), max_size=8).filter(
    lambda key: key == key.strip() and key[:1] not in ("'", '"') and literal.QUOTE not in key
)
TEXTS = st.text().filter(lambda text: literal.QUOTE not in text)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4)
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=5)


def read(text, **declared):
    notes = {}
    reader = Reader(text, 0, declared=declared, notes=notes)
    value = reader.object()
    assert reader.position == len(text) or "missing_object_close" in notes
    return value, set(notes)


def exactly(value):
    """Return a value in which 1, 1.0 and true are different, and so are 0.0 and -0.0."""
    match value:
        case dict():
            return {key: exactly(item) for key, item in value.items()}
        case list():
            return [exactly(item) for item in value]
    return type(value), repr(value)


@settings(deadline=None)
@given(OBJECTS)
def test_what_is_written_is_read_back(value):
    result, notes = read(literal.write(value))

    assert exactly(result) == exactly(value)
    assert notes == set()


@settings(deadline=None)
@given(OBJECTS)
def test_what_is_read_is_written_the_same(value):
    text = literal.write(value)

    assert literal.write(read(text)[0]) == text


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"s": 'a<|"|>b'}, id="delimiter in a string"),
        pytest.param({"a:b": 1}, id="colon in a key"),
        pytest.param({" a": 1}, id="blank before a key"),
        pytest.param({'"a"': 1}, id="quoted key"),
        pytest.param({"x": math.inf}, id="infinity"),
        pytest.param({"x": math.nan}, id="not a number"),
        pytest.param({"x": {1, 2}}, id="not JSON"),
    ],
)
def test_what_cannot_be_read_back_is_not_written(value):
    with pytest.raises(ValueError, match=r"read back|cannot be written"):
        literal.write(value)


def nested(levels):
    value = {}
    for _ in range(levels - 1):
        value = {"a": value}
    return value


def test_nesting_has_the_same_limit_in_both_directions():
    text = literal.write(nested(MAX_DEPTH))

    assert read(text)[0] == nested(MAX_DEPTH)
    with pytest.raises(ValueError, match="levels deep"):
        literal.write(nested(MAX_DEPTH + 1))
    with pytest.raises(Unreadable, match="nesting_too_deep"):
        read(f"{{a:{text}}}")


@pytest.mark.parametrize(
    ("text", "value", "notes"),
    [
        ("{a: 1 , b:2}", {"a": 1, "b": 2}, {"whitespace"}),
        ('{"a":"x\\ny"}', {"a": "x\ny"}, {"json_quotes"}),
        (r'{a:"\w+"}', {"a": r"\w+"}, {"json_quotes"}),
        (r'{a:"\ud800"}', {"a": "�"}, {"json_quotes"}),
        ('{<|"|>a<|"|>:1}', {"a": 1}, {"delimited_key"}),
        ("{a:'it''s'}", {"a": "it''s"}, {"single_quotes"}),
        ("{'a':1}", {"a": 1}, {"single_quotes"}),
        ("{a:'x'<|\"|>,b:['y']}", {"a": "x", "b": ["y"]}, {"single_quotes"}),
        ('{a:<|"|>echo ${X}}', {"a": "echo ${X}"}, {"unterminated_string"}),
        (
            '{a:[{b:<|"|>x}] }',
            {"a": [{"b": "x"}]},
            {"unterminated_string", "whitespace"},
        ),
        ('{a:<|"|>x', {"a": "x"}, {"unterminated_string", "missing_object_close"}),
        ("{a:1,a:2}", {"a": 2}, {"duplicate_key"}),
    ],
)
def test_departures_are_read_over_and_noted(text, value, notes):
    assert read(text) == (value, notes)


@pytest.mark.parametrize(
    ("text", "value", "notes"),
    [
        ("{s:a, b,t:c}", {"s": "a, b", "t": "c"}, {"bare_string"}),
        ("{s:'tis,n:1}", {"s": "'tis", "n": 1}, {"bare_string"}),
        ("{s: 5 , n:1}", {"s": 5, "n": 1}, {"whitespace"}),
        ("{s:}", {"s": ""}, {"bare_string"}),
        ("{s:a{b}}", {"s": "a{b}"}, {"bare_string"}),
        ("{s:a \n", {"s": "a \n"}, {"bare_string", "missing_object_close"}),
    ],
)
def test_a_declared_string_may_be_bare(text, value, notes):
    assert read(text, s=True, t=True, n=False) == (value, notes)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("{a:1", "missing_object_close"),
        ("{a:1,", "missing_object_close"),
        ("{a", "missing_object_close"),
        ("{a:", "missing_object_close"),
        ("{a:1,}", "trailing_comma"),
        ("{a:[1,]}", "trailing_comma"),
        ("{a:True}", "python_literals"),
        ("{a:+5}", "number_format"),
        ("{a:01}", "number_format"),
        ("{a:.5}", "number_format"),
        ("{a:1e999}", "number_range"),
        (f"{{a:{'9' * 4301}}}", "number_range"),
        ("{a:hello}", "bare_string"),
        ("{o:{s:hello}}", "bare_string"),
        ("{a:,b:1}", "missing_value"),
        ("{a:[1 2]}", "bare_string"),
        ("{a:[1}", "unexpected_text"),
        ("{a b}", "unexpected_text"),
        ('{a<|"|>b:1}', "unexpected_text"),
        ('{a:"x}', "unterminated_string"),
    ],
)
def test_what_cannot_be_read_has_a_kind(text, kind):
    with pytest.raises(Unreadable, match=kind):
        read(text, s=True)
