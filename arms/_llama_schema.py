"""Bind answers to a JSON schema as llama.cpp's own converter binds them.

The library's build of llama.cpp gives schemas to another engine (llguidance), which lets objects
have members that their schema does not name, takes any blanks, and binds nothing where a schema is
wrong.
"""

from __future__ import annotations

import json

from jsonschema import SchemaError
from jsonschema.validators import validator_for

from tonearm.arms.engine import EngineRefused
from tonearm.canonical import Json, JsonObject

_BLANKS = r"( |\n{1,2}[ \t]{0,20})?"
_NAMED = ("properties", "$defs", "definitions", "patternProperties")
"""Members whose members are schemas."""
_SCHEMAS = ("items", "prefixItems", "anyOf", "oneOf", "allOf", "additionalProperties")
"""Members that are schemas, or lists of them."""


def bound(schema: JsonObject, arm: str) -> JsonObject:
    """Return a schema that binds the engine at hand as the given one binds llama.cpp.

    Raises:
        EngineRefused: It is no schema.
    """
    try:
        validator_for(schema).check_schema(schema)
    except SchemaError as err:
        words = f"JSON schema conversion failed:\n{err.message}"
        problem = f"Field 'json_schema': \"json_schema\": {words}"
        error = {"code": 400, "message": problem, "type": "invalid_request_error"}
        body = json.dumps({"error": error}, separators=(",", ":"))
        raise EngineRefused(arm, problem, status=400, body=body) from err
    return {"x-guidance": {"whitespace_pattern": _BLANKS}, **_closed(schema)}


def _closed(schema: JsonObject) -> JsonObject:
    """Return a schema whose objects have no members but those that it names."""
    closed = dict(schema)
    for name in _NAMED:
        if isinstance(schema.get(name), dict):
            closed[name] = {key: _within(value) for key, value in schema[name].items()}
    for name in _SCHEMAS:
        if name in schema:
            closed[name] = _within(schema[name])
    if "properties" in schema:
        closed.setdefault("additionalProperties", False)
    return closed


def _within(value: Json) -> Json:
    if isinstance(value, dict):
        return _closed(value)
    return [_within(item) for item in value] if isinstance(value, list) else value
