"""Stand-ins are consistent, keep the shape, and prove that they are stand-ins."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonearm.redaction.standin import StandIns, shares_run

OURS, OTHERS = StandIns(b"k" * 32), StandIns(b"o" * 32)
SECRETS = st.binary(min_size=1, max_size=80)


@given(SECRETS)
def test_a_stand_in_is_as_long_as_the_secret_and_keeps_no_run_of_it(secret):
    made = OURS.make(secret)

    assert len(made) == len(secret)
    assert not shares_run(secret, made) or set(secret) == {ord("x")}


@given(SECRETS)
def test_a_stand_in_is_known_as_one_and_always_the_same(secret):
    assert OURS.is_made(OURS.make(secret))
    assert OURS.make(secret) == OURS.make(secret)


@given(st.from_regex(rb"[A-Za-z0-9]{16,40}", fullmatch=True).filter(lambda s: len(set(s)) > 3))
def test_without_the_key_nobody_knows_a_stand_in(secret):
    assert not OTHERS.is_made(OURS.make(secret))
    assert not OURS.is_made(secret)


@pytest.mark.parametrize(
    ("secret", "shape"),
    [
        (b"5513 6819 5738 7448", rb"\d{4} \d{4} \d{4} \d{4}"),
        (b"+1 601-228-1930", rb"\+\d \d{3}-\d{3}-\d{4}"),
        (b"olek_kowal13@amber-cobalt.io", rb"[a-z]{4}_[a-z]{5}\d\d@[a-z]{5}-[a-z]{6}\.io"),
        (b"bd29a5d100bd00e8dae72c4420075ab1", rb"[0-9a-f]{32}"),
        (b"sk-ant-api03-0xBybjLp3WKNPxxbI1XTVb", rb"sk-[a-z]{3}[-_][a-z]{3}\d\d[-_]\w{22}"),
        (b"Delta*+Ivsy9814", rb"[A-Z][a-z]{4}[-_]{2}[A-Z][a-z]{3}\d{4}"),
        (b"GB16PNVS84269645751577", rb"[A-Z]{2}\d\d[A-Z]{4}\d{14}"),
        (b"aW5ncmlkOkx1bWVuISFD==", rb"[A-Za-z0-9]{20}=="),
    ],
)
def test_the_shape_of_a_secret_stays(secret, shape):
    made = OURS.make(secret)

    assert re.fullmatch(shape, made), made
    assert made != secret


def test_a_number_never_begins_with_zero():
    """It may be a number of JSON, where that is not allowed."""
    numbers = [OURS.make(b"%016d" % n) for n in range(4 * 10**15, 4 * 10**15 + 200)]

    assert [n for n in numbers if n.startswith(b"0")] == []


def test_a_secret_without_room_for_a_proof_becomes_a_row_of_x():
    assert OURS.make(b"a1!b2") == b"xxxxx"
    assert OURS.is_made(b"xxxxx")


def test_strictly_nothing_stays_of_a_secret():
    assert OURS.make(b"(465) 348-4845", strict=True).strip(b"0123456789_-") == b""


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_stays_a_number_of_json(number):
    """It stands in a body without quotes, where anything else would be no JSON."""
    made = OURS.make(json.dumps(number).encode())

    assert type(json.loads(made)) is type(number)
    assert len(made) == len(json.dumps(number))
