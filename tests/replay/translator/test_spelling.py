"""Values as Python and as Go spell them."""

from __future__ import annotations

import pytest

from tonearm.replay.translator.causes import Cause
from tonearm.replay.translator.quirks import Quirks
from tonearm.replay.translator.spelling import go_float, go_number, go_text, literal


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1e5, "100000"),
        (1e6, "1e+06"),
        (100000.5, "100000.5"),
        (1234567.5, "1.2345675e+06"),
        (123456789.25, "1.2345678925e+08"),
        (0.0001, "0.0001"),
        (0.00001, "1e-05"),
        (-0.000012, "-1.2e-05"),
        (1e20, "1e+20"),
        (1.5e300, "1.5e+300"),
        (5e-324, "5e-324"),
    ],
)
def test_floats_are_written_as_go_writes_them(value, text):
    assert go_float(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        (-0.0, "0"),
        (1e16, "10000000000000000"),
        (2**53 + 1, "9007199254740992"),
        (2**63, "9.223372036854776e+18"),
        (10**30, "1e+30"),
        (1.5, "1.5"),
    ],
)
def test_whole_numbers_are_written_as_integers_as_far_as_they_fit(value, text):
    assert go_number(value) == text


def test_any_value_can_stand_in_an_enum():
    assert go_text({"b": [1, "x", None], "a": True}) == "map[a:true b:[1 x <nil>]]"


def test_each_habit_changes_its_own_part_of_a_value():
    value = {"b": 1.0, "A": None, "c": 2**53 + 1}

    assert literal(value, Quirks()) == "{A:null,b:1.0,c:9007199254740993}"
    assert literal(value, Quirks([Cause.FLOAT_SPELLING])) == "{A:null,b:1,c:9007199254740993}"
    assert literal(value, Quirks([Cause.INTEGER_ROUNDING])) == "{A:null,b:1.0,c:9007199254740992}"
    assert literal(value, Quirks([Cause.NULL_SPELLING])) == "{A:<nil>,b:1.0,c:9007199254740993}"
    assert literal({"a": 1, "B": 2}, Quirks([Cause.KEY_ORDER])) == "{B:2,a:1}"


def test_keys_of_schemas_are_quoted():
    assert literal({"k": [{"z": True}]}, Quirks(), quote_keys=True) == (
        '{<|"|>k<|"|>:[{<|"|>z<|"|>:true}]}'
    )
