"""What a tool declares, read from schemas that nobody checked."""

import pytest

from tonearm.replay.schema import MAX_DEPTH, Fault, declarations, pointer, too_deep, tool_schema


def kinds(parameters, arguments):
    return [(fault.path, fault.kind) for fault in tool_schema(parameters).faults(arguments)]


def nested(depth, inside):
    for _ in range(depth):
        inside = {"items": inside}
    return inside


def test_every_broken_keyword_is_named_with_its_place():
    parameters = {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "minimum": 1},
            "unit": {"enum": ["c", "f"]},
            "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 1},
        },
        "required": ["city", "day"],
        "additionalProperties": False,
    }

    found = kinds(parameters, {"n": 0, "unit": "C", "tags": ["a", 1], "x/y": 1})

    assert found == [
        ("", "additional"),
        ("", "required"),
        ("/n", "minimum"),
        ("/tags", "maxItems"),
        ("/tags/1", "type"),
        ("/unit", "enum"),
    ]


@pytest.mark.parametrize("value", [5, 5.0])
def test_an_integer_may_be_spelled_with_a_fraction_of_zero(value):
    parameters = {"properties": {"n": {"type": "integer"}}}
    assert kinds(parameters, {"n": value}) == []
    assert (
        kinds(parameters | {"$schema": "http://json-schema.org/draft-04/schema#"}, {"n": value})
        == []
    )


def test_true_is_no_number():
    assert kinds({"properties": {"n": {"type": "number"}}}, {"n": True}) == [("/n", "type")]
    assert kinds({"properties": {"n": {"enum": [1]}}}, {"n": True}) == [("/n", "enum")]


def test_type_names_are_read_in_any_case():
    parameters = {"type": "OBJECT", "properties": {"a": {"type": ["STRING", "Null"]}}}

    assert kinds(parameters, {"a": None}) == []
    assert kinds(parameters, {"a": 1}) == [("/a", "type")]


def test_nullable_allows_null():
    parameters = {"properties": {"a": {"type": "STRING", "nullable": True}}}
    assert kinds(parameters, {"a": None}) == []


def test_a_type_that_json_does_not_have_constrains_nothing():
    tool = tool_schema({"properties": {"a": {"type": "float"}, "b": {"type": {"x": 1}}}})

    assert tool.problem is None
    assert tool.faults({"a": "x", "b": 1}) == []


def test_a_property_may_have_the_name_of_a_keyword():
    """Nothing in ``properties`` or ``default`` is taken for a keyword and changed."""
    parameters = {
        "properties": {
            "type": {"type": "STRING"},
            "pattern": {"type": "string"},
            "o": {"default": {"type": "STRING", "pattern": "x"}},
        }
    }

    tool = tool_schema(parameters)

    assert tool.faults({"type": 1, "pattern": 2}) == [
        Fault(path="/pattern", kind="type"),
        Fault(path="/type", kind="type"),
    ]
    assert tool.root["properties"]["o"] == parameters["properties"]["o"]


def test_a_pattern_is_never_run():
    """This one would take for ever on this text."""
    parameters = {
        "properties": {"a": {"pattern": "(x+x+)+y"}},
        "patternProperties": {"(x+x+)+y": {}},
        "additionalProperties": False,
    }
    assert kinds(parameters, {"a": "x" * 60, "x" * 60: 1}) == []


@pytest.mark.parametrize(
    "parameters",
    [
        [],
        "text",
        {"properties": []},
        {"required": "city"},
        {"properties": {"a": {"required": True}}},
        {"properties": {"a": {"$ref": "http://example.invalid/schema"}}},
        {"properties": {"a": {"$ref": "#/$defs/gone"}}},
        {"properties": {"a": {"$ref": "#elsewhere"}}},
        nested(MAX_DEPTH + 1, {}),
    ],
)
def test_a_schema_that_cannot_be_used_is_named_and_promises_nothing(parameters):
    tool = tool_schema(parameters)

    assert tool.problem
    assert tool.root == {}
    assert tool.faults({"a": 1}) == []
    assert not tool.accepts_null({})


def test_an_unusable_schema_says_where_it_is_wrong():
    assert tool_schema({"properties": {"a": {"enum": 1}}}).problem == (
        "/properties/a/enum: 1 is not of type 'array'"
    )


def test_local_references_are_followed():
    parameters = {
        "properties": {"a": {"$ref": "#/$defs/one~1two"}, "b": {"$ref": "#/properties/c/anyOf/0"}},
        "$defs": {"one/two": {"type": "string"}, "x y": {"type": "string"}},
    }
    parameters["properties"]["c"] = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
    parameters["properties"]["d"] = {"$ref": "#/$defs/x%20y"}

    assert kinds(parameters, {"a": 1, "b": "x", "d": 1}) == [
        ("/a", "type"),
        ("/b", "type"),
        ("/d", "type"),
    ]


@pytest.mark.parametrize(
    "parameters",
    [
        {"$ref": "#"},
        {"properties": {"a": {"$ref": "#/properties/a"}}},
        {"properties": {"a": {"allOf": [{"$ref": "#/properties/a"}]}}},
    ],
)
def test_references_in_a_circle_constrain_nothing(parameters):
    tool = tool_schema(parameters)

    assert tool.problem is None
    assert tool.faults({"a": 1}) == []
    assert not tool.accepts_null(
        {"$ref": "#/properties/a"} if "properties" in parameters else parameters
    )


def test_a_reference_in_a_circle_leads_to_an_empty_schema():
    tool = tool_schema({"properties": {"a": {"$ref": "#/properties/a"}}})
    assert tool.inside({"$ref": "#/properties/a"}) == {}


def test_the_inside_of_an_optional_object_is_its_one_branch_that_is_not_null():
    branch = {"properties": {"n": {"default": 3}}}
    tool = tool_schema({"$defs": {"x": branch}})

    assert tool.inside({"anyOf": [{"$ref": "#/$defs/x"}, {"type": ["null"]}]}) == branch
    assert tool.inside({"anyOf": [{"$ref": "#/$defs/x"}, {"type": ["null"]}]}, refs=False) == {}


def test_a_schema_of_an_older_draft_is_read_as_such():
    """A list under ``items`` is a tuple in draft 7 and an error in 2020-12."""
    parameters = {"properties": {"a": {"items": [{"type": "string"}]}}}

    assert tool_schema(parameters).problem
    older = parameters | {"$schema": "http://json-schema.org/draft-07/schema#"}
    assert kinds(older, {"a": [1]}) == [("/a/0", "type")]


def test_a_tool_may_declare_nothing():
    assert tool_schema(None).problem is None
    assert tool_schema(None).faults({"a": 1}) == []


def test_only_tools_that_have_a_name_are_offered():
    tools = [
        {"type": "function", "function": {"name": "a", "parameters": {}}},
        {"type": "function", "function": {"name": "b"}},
        {"type": "function", "function": {"name": ["c"]}},
        {"name": "d"},
        "e",
        None,
    ]
    assert declarations(tools) == {"a": {}, "b": None}


def test_pointers_are_escaped():
    assert pointer(["a/b", "m~n", 0, ""]) == "/a~1b/m~0n/0/"


def test_depth_counts_containers_within_one_another():
    at_limit, beyond = [], []
    for _ in range(MAX_DEPTH - 1):
        at_limit = [at_limit]
    beyond = {"a": at_limit}

    assert not too_deep(at_limit)
    assert too_deep(beyond)
    assert not too_deep(1)
