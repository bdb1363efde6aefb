"""The canonical form of arguments, rule by rule."""

import pytest

from tonearm.replay.arguments import (
    Canon,
    DiffKind,
    Rule,
    differences,
    faults,
    read_json,
    rules_needed,
    spelling,
)
from tonearm.replay.schema import Fault, ToolSchema, tool_schema


def same(left, right, parameters=None, unordered=()):
    canon = Canon(tool=tool_schema(parameters), unordered=frozenset(unordered))
    return spelling(canon.arguments(left)) == spelling(canon.arguments(right))


def optional(**declared):
    return {"properties": {"a": declared}}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, 1.0),
        (0, -0.0),
        (2**60, float(2**60)),
        ("é", "e\u0301"),
        ("a\r\nb", "a\nb"),
        ('{"b": [1, 2], "a": 1}', '{"a":1.0,"b":[1,2]}'),
        (' [1,\r\n "e\u0301"]', '[1,"é"]'),
    ],
)
def test_these_are_one_value(left, right):
    assert same({"a": left}, {"a": right})
    assert same({"x": [{"a": left}]}, {"x": [{"a": right}]})


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (1, True),
        (0, False),
        (1, "1"),
        (None, ""),
        (None, False),
        ([], {}),
        (2**53 + 1, float(2**53)),
        (0.3, 0.1 + 0.2),
        ("a", "A"),
        ("1", "１"),
        ("a b", "a\u00a0b"),
        ("a\rb", "a\nb"),
        ("a\rb", "ab"),
        ("a", "a "),
        ([1, 2], [2, 1]),
        ([1, 1, 2], [1, 2]),
        ('{"a": 1}', {"a": 1}),
        ('{"a": 1}', '{"a": 1, "a": 1}'),
        ("[1e999]", "[1e998]"),
        ("[NaN]", "[ NaN]"),
        ('"x"', ' "x"'),
        ("1", "1.0"),
        ('{"a": "{\\"b\\": 1}"}', '{"a": "{\\"b\\":1}"}'),
    ],
)
def test_these_are_two_values(left, right):
    assert not same({"a": left}, {"a": right})


def test_keys_are_compared_as_they_are():
    assert not same({"é": 1}, {"e\u0301": 1})


def test_arguments_may_come_as_json_text():
    assert same({"a": 1}, ' {"a": 1.0} ')
    assert same({}, "null")
    assert same({}, None)
    assert not same({}, "")
    assert not same({"a": 1}, '{"a": 1')
    assert not same({"a": 1}, '{"a": 1, "a": 1}')


def test_an_absent_optional_is_its_default():
    assert same({}, {"a": 3.0}, optional(default=3))
    assert not same({}, {"a": 4}, optional(default=3))
    assert not same({}, {"a": None}, optional(default=3))


def test_defaults_are_filled_within_objects_and_lists():
    inner = {"properties": {"n": {"default": 3}}}

    assert same({"a": {}}, {"a": {"n": 3}}, optional(**inner))
    assert same({"a": [{}]}, {"a": [{"n": 3}]}, optional(items=inner))
    assert same({"a": [1, {}]}, {"a": [1, {"n": 3}]}, optional(prefixItems=[{}, inner]))
    assert same({"b": {}}, {"b": {"n": 3}}, {"additionalProperties": inner})
    assert same({}, {"a": {"n": 3}}, optional(default={}, **inner))
    assert not same({}, {"a": {"n": 3}}, optional(**inner))


def test_defaults_are_found_behind_references_and_optional_branches():
    defs = {"$defs": {"x": {"properties": {"n": {"default": 3}}}}}
    reference = {"$ref": "#/$defs/x"}

    assert same({"a": {}}, {"a": {"n": 3}}, optional(**reference) | defs)
    nullable = {"anyOf": [reference, {"type": "null"}]}
    assert same({"a": {}}, {"a": {"n": 3}}, optional(**nullable) | defs)


def test_a_default_that_contains_itself_is_filled_once():
    inner = {"$ref": "#", "default": {}}
    canon = Canon(tool=tool_schema({"properties": {"a": inner, "b": inner}}))

    assert canon.arguments({}) == {"a": {}, "b": {}}


def test_the_default_of_a_required_argument_is_not_filled():
    assert not same({}, {"a": 3}, optional(default=3) | {"required": ["a"]})


def test_null_is_absent_where_the_schema_allows_both():
    assert same({}, {"a": None}, optional(type=["string", "null"]))
    assert same({}, {"a": None}, optional(anyOf=[{"type": "string"}, {"type": "null"}]))
    assert same({}, {"a": None}, optional(type="STRING", nullable=True))
    assert same({}, {"a": None}, optional(type="string", default=None))
    assert not same({}, {"a": None}, optional(type="string"))
    assert not same({}, {"a": None}, optional(type=["string", "null"]) | {"required": ["a"]})
    assert not same({}, {"b": None}, optional(type="null"))


@pytest.mark.parametrize("empty", ["", [], {}])
def test_empty_is_not_absent(empty):
    assert not same({}, {"a": empty}, optional())


def test_a_list_whose_order_means_nothing_is_a_bag():
    left, right = {"a": [{"x": 1}, {"x": 2}, {"x": 1}]}, {"a": [{"x": 1.0}, {"x": 1}, {"x": 2}]}

    assert same(left, right, unordered=["/a"])
    assert not same(left, right)
    assert not same(left, right, unordered=["/b"])
    assert not same(left, {"a": [{"x": 1}, {"x": 2}, {"x": 2}]}, unordered=["/a"])


def test_an_unusable_schema_fills_nothing():
    assert not same({}, {"a": 3}, optional(default=3, enum=1))


def test_arguments_nested_too_deeply_are_compared_as_text():
    def deep(leaf):
        for _ in range(200):
            leaf = {"a": leaf}
        return leaf

    assert same(deep(1), deep(1))
    assert not same(deep(1), deep(2))
    assert faults(deep(1), ToolSchema()) == [Fault(path="", kind="too_deep")]
    assert same({"t": "[" * 10000}, {"t": "[" * 10000})


@pytest.mark.parametrize(
    ("left", "right", "rules"),
    [
        ({"a": 1}, {"a": 1}, set()),
        ({"a": 1, "b": 1.0}, {"a": 1.0, "b": 1.0}, {Rule.NUMBER_FORM}),
        ({"a": "é", "b": 1}, {"a": "e\u0301", "b": 1.0}, {Rule.UNICODE_NFC, Rule.NUMBER_FORM}),
        ({"a": "[1]\n"}, {"a": "[1]\r\n"}, {Rule.JSON_IN_STRING}),
        ({"a": "[1]"}, {"a": "[ 1.0]"}, {Rule.JSON_IN_STRING, Rule.NUMBER_FORM}),
        ({"a": 1}, '{"a": 1}', {Rule.JSON_STRING_ARGS}),
        (None, "{}", {Rule.JSON_STRING_ARGS, Rule.EMPTY_ARGS}),
    ],
)
def test_only_the_rules_that_made_them_equal_are_named(left, right, rules):
    assert rules_needed(Canon(), left, right) == rules
    assert rules_needed(Canon(), right, left) == rules


def test_rules_are_enough_for_what_they_explain():
    """With the named rules alone, the two are equal."""
    tool = tool_schema(optional(default=[1, "e\u0301"]))
    left, right = {"b": None}, '{"a": [1.0, "é"], "b": null}'

    rules = rules_needed(Canon(tool=tool), left, right)

    few = Canon(tool=tool, rules=rules)
    assert few.arguments(left) == few.arguments(right)
    assert rules == {
        Rule.DEFAULT_FILLED,
        Rule.JSON_STRING_ARGS,
        Rule.NUMBER_FORM,
        Rule.UNICODE_NFC,
    }


@pytest.mark.parametrize(
    ("left", "right", "found"),
    [
        ({"a": 1}, {"a": 2}, [("/a", DiffKind.VALUE)]),
        ({"a": 1}, {"a": 1.5}, [("/a", DiffKind.VALUE)]),
        ({"a": 1}, {"a": True}, [("/a", DiffKind.TYPE)]),
        ({"a": None}, {"a": 0}, [("/a", DiffKind.TYPE)]),
        ({"a": {}}, {"a": []}, [("/a", DiffKind.TYPE)]),
        ({"a": 1}, {"b": 1}, [("/a", DiffKind.REMOVED), ("/b", DiffKind.ADDED)]),
        ({"a": "x"}, {"a": "\t x\n"}, [("/a", DiffKind.WHITESPACE)]),
        ({"a": "x"}, {"a": "x\u00a0"}, [("/a", DiffKind.VALUE)]),
        ({"a": "x y"}, {"a": "x  y"}, [("/a", DiffKind.VALUE)]),
        ({"a": [1, 2]}, {"a": [1, 3]}, [("/a/1", DiffKind.VALUE)]),
        ({"a": [1, 2]}, {"a": [1]}, [("/a", DiffKind.VALUE)]),
        ({"a": [{"b": 1}]}, {"a": [{"b": 2}]}, [("/a/0/b", DiffKind.VALUE)]),
        ({"x/y": {"m~n": 1}}, {"x/y": {"m~n": 2}}, [("/x~1y/m~0n", DiffKind.VALUE)]),
        ({}, "x", [("", DiffKind.TYPE)]),
        ({"a": float("nan")}, {"a": float("nan")}, []),
    ],
)
def test_differences_have_place_and_kind(left, right, found):
    assert list(differences(left, right)) == found


def test_a_list_whose_order_means_nothing_differs_as_a_whole():
    free = frozenset({"/a"})

    assert list(differences({"a": [1, 2]}, {"a": [3, 4]}, free)) == [("/a", DiffKind.VALUE)]
    assert list(differences({"a": [1, 2]}, {"a": [1, 2]}, free)) == []


@pytest.mark.parametrize(
    ("raw", "kind"),
    [("{", "bad_json"), ("", "bad_json"), ("[]", "type"), ([], "type"), (1, "type"), ("1", "type")],
)
def test_arguments_that_are_no_object_are_faults(raw, kind):
    assert faults(raw, ToolSchema()) == [Fault(path="", kind=kind)]


@pytest.mark.parametrize("raw", [{}, None, "{}", "null", {"a": "x"}, '{"a": "x"}'])
def test_arguments_that_fit_have_no_faults(raw):
    assert faults(raw, tool_schema(optional(type="string"))) == []


@pytest.mark.parametrize(
    "text", ["", "{", "NaN", "-Infinity", "1e999", '{"a":1,"a":2}', "[" * 9999]
)
def test_a_text_that_readers_may_take_differently_is_no_json(text):
    with pytest.raises(ValueError):  # noqa: PT011 (each reason has its own words)
        read_json(text)
