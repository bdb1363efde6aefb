"""JSON in Go's spelling: what Go 1.26 prints for the same values."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonearm.replay.server.gojson import encode, spell_float


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (100.0, "100"),
        (0.1, "0.1"),
        (-0.000006750486136297695, "-0.000006750486136297695"),
        (0.000001, "0.000001"),
        (0.0000001, "1e-7"),
        (-1.25e-10, "-1.25e-10"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
    ],
)
def test_numbers_have_an_exponent_only_where_they_are_very_small_or_large(value, text):
    assert spell_float(value) == text


def test_signs_of_markup_and_line_ends_of_javascript_are_escaped_and_nothing_else():
    assert encode('<b>&\u2028\u2029 é\x7f\x85 \u0001\n"\\/') == (
        '"\\u003cb\\u003e\\u0026\\u2028\\u2029 é\x7f\x85 \\u0001\\n\\"\\\\/"'.encode()
    )


def test_half_a_pair_becomes_a_sign_that_says_so():
    assert encode("a\ud83d") == '"a\ufffd"'.encode()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_has_not_is_an_error(value):
    with pytest.raises(ValueError, match="JSON has no"):
        encode([value])


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=20,
)


@given(_VALUES)
def test_what_is_written_reads_as_the_same(value):
    assert json.loads(encode(value), parse_int=float) == value
