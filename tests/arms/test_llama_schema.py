"""Schemas for the engine at hand, with the meaning that llama.cpp gives them."""

from __future__ import annotations

import json

import pytest

from tonearm.arms._llama_schema import bound
from tonearm.arms.engine import EngineRefused

POINT = {"type": "object", "properties": {"x": {"type": "integer"}}}


def test_an_object_has_no_members_but_those_it_names():
    made = bound(POINT, "a")

    assert made.pop("x-guidance").keys() == {"whitespace_pattern"}
    assert made == POINT | {"additionalProperties": False}


def test_objects_within_are_closed_too_and_open_ones_stay_open():
    schema = {
        "$defs": {"p": POINT},
        "anyOf": [POINT, {"type": "array", "items": POINT}],
        "properties": {"open": POINT | {"additionalProperties": True}, "enum": {"enum": [POINT]}},
    }

    made = bound(schema, "a")

    closed = POINT | {"additionalProperties": False}
    assert made["$defs"]["p"] == made["anyOf"][0] == made["anyOf"][1]["items"] == closed
    assert made["properties"]["open"]["additionalProperties"] is True
    assert made["properties"]["enum"] == {"enum": [POINT]}
    assert schema["$defs"]["p"] == POINT


@pytest.mark.parametrize("schema", [{"type": "nope"}, {"properties": 5}, {"minimum": "x"}])
def test_what_is_no_schema_is_refused_as_llama_cpp_refuses_it(schema):
    with pytest.raises(EngineRefused) as found:
        bound(schema, "a")

    assert found.value.status == 400
    error = json.loads(found.value.body)["error"]
    assert (error["code"], error["type"]) == (400, "invalid_request_error")
    assert "JSON schema conversion failed" in error["message"]
