"""Equal JSON values have one spelling."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonearm.canonical import canonical_bytes, chain, fingerprint

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize("spelling", ["1", "1.0", "1e0", "10e-1", "100E-2"])
def test_a_number_has_one_spelling(spelling):
    assert canonical_bytes(json.loads(spelling)) == b"1"


def test_negative_zero_is_zero():
    assert canonical_bytes(-0.0) == canonical_bytes(0)


def test_key_order_and_whitespace_do_not_matter():
    left = json.loads('{"a": 1, "b": {"c": [1, 2]}}')
    right = json.loads('{"b":{"c":[1.0,2]},"a":1e0}')

    assert fingerprint(left) == fingerprint(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, True),
        (0, False),
        (1, "1"),
        (None, ""),
        (2**53, 2**53 + 1),
        (2**53 + 1, float(2**53)),
        (0.3, 0.30000000000000004),
        ([1, 2], [2, 1]),
        ({"a": None}, {}),
        ("e\u0301", "\u00e9"),
    ],
)
def test_what_differs_stays_different(left, right):
    assert fingerprint(left) != fingerprint(right)


@given(JSON)
def test_the_spelling_is_that_of_an_equal_value(value):
    """Reading the canonical bytes and writing them again changes nothing."""
    spelled = canonical_bytes(value)

    assert canonical_bytes(json.loads(spelled)) == spelled


def test_what_json_cannot_hold_is_refused():
    with pytest.raises(TypeError, match="not a JSON value: set"):
        canonical_bytes({"a": {1}})


@given(st.lists(st.text()), st.lists(st.text()))
def test_a_chain_tells_how_much_two_histories_share(left, right):
    shared = next(
        (n for n, (a, b) in enumerate(zip(left, right, strict=False)) if a != b),
        min(len(left), len(right)),
    )
    links = zip(chain(left), chain(right), strict=False)

    assert sum(a == b for a, b in links) == shared + 1
