"""Laws of the comparison, on calls that nobody thought of."""

import json
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from tonearm.model import ToolCall
from tonearm.replay.arguments import Canon, differences, rules_needed, spelling
from tonearm.replay.calls import CallVerdict, compare_calls, describe
from tonearm.replay.schema import tool_schema

texts = st.sampled_from(
    ["", "x", "x ", "é", "e\u0301", "a\nb", "a\r\nb", "1", "[1]", "[1.0]", '{"n": 1}', "{"]
)
numbers = st.sampled_from([0, 1, 1.0, -0.0, 2, 2**53, 2**53 + 1, float(2**53), 0.1, 1e300])
scalars = st.none() | st.booleans() | numbers | texts
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("mn"), inner),
    max_leaves=4,
)
objects = st.dictionaries(st.sampled_from("abc"), values, max_size=3)
arguments = objects | objects.map(json.dumps) | st.sampled_from([None, "", "{", [], 1, "null"])
calls = st.builds(ToolCall, name=st.sampled_from("fg"), arguments=arguments)
call_lists = st.lists(calls, max_size=5)

INNER = {"properties": {"m": {"default": 1}, "n": {"type": ["array", "null"]}}}
PARAMETERS = {
    "type": "object",
    "properties": {
        "a": {"default": 1},
        "b": {"anyOf": [INNER, {"type": "null"}], "default": {}},
        "c": {"type": ["string", "array", "null"], "items": INNER},
    },
}
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": PARAMETERS}}]
FREE = {"f": ["/c"]}


def compare(left, right, **options):
    return compare_calls(left, right, TOOLS, unordered=FREE, **options)


def law(*strategies):
    def decorate(test):
        return settings(deadline=None)(given(*strategies)(test))

    return decorate


@law(call_lists)
def test_calls_are_identical_to_themselves(some):
    copy = [ToolCall(name=c.name, arguments=json.loads(json.dumps(c.arguments))) for c in some]
    assert compare(some, copy).verdict is CallVerdict.IDENTICAL


@law(call_lists, call_lists)
def test_sameness_goes_both_ways(left, right):
    there, back = compare(left, right), compare(right, left)

    assert there.same == back.same
    assert there.rules == back.rules
    assert there.order_changed == back.order_changed or not there.same


@law(arguments, arguments, arguments)
def test_sameness_is_handed_on(a, b, c):
    a, b, c = ([ToolCall(name="f", arguments=x)] for x in (a, b, c))
    if compare(a, b).same and compare(b, c).same:
        assert compare(a, c).same


@law(call_lists.flatmap(lambda some: st.tuples(st.just(some), st.permutations(some))))
def test_a_permutation_is_the_same_calls_in_another_order(drawn):
    left, right = drawn

    diff = compare(left, right)

    assert len(diff.matched) == len(left)
    assert diff.verdict in {CallVerdict.IDENTICAL, CallVerdict.EQUIVALENT, CallVerdict.ORDER}
    assert compare(left, right, order="ignore").same


@law(call_lists, call_lists)
def test_every_call_is_accounted_for_once(left, right):
    diff = compare(left, right)
    pairs = [*diff.matched, *diff.changed, *diff.renamed]

    assert sorted([*(i for i, _ in pairs), *diff.missing]) == list(range(len(left)))
    assert sorted([*(j for _, j in pairs), *diff.extra]) == list(range(len(right)))
    assert not (diff.missing and diff.extra)


@law(call_lists, call_lists)
def test_only_the_same_is_harmless(left, right):
    diff = compare(left, right)

    assert diff.same == (diff.severity == 0)
    assert {error.call for error in diff.schema_errors}.isdisjoint(j for _, j in diff.matched)
    assert {diff_.call for diff_ in diff.arg_diffs} == set(diff.changed)


@law(objects)
def test_the_order_of_keys_never_matters(drawn):
    def turned(value):
        if isinstance(value, dict):
            return {key: turned(value[key]) for key in reversed(value)}
        return [turned(item) for item in value] if isinstance(value, list) else value

    left, right = ToolCall(name="f", arguments=drawn), ToolCall(name="f", arguments=turned(drawn))

    assert compare([left], [right]).verdict is CallVerdict.IDENTICAL


@law(st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_the_same_exactly_when_they_are_equal(whole, broken):
    for left, right in ((whole, float(whole)), (whole, broken), (round(broken), broken)):
        found = compare([call_of(left)], [call_of(right)])
        assert found.same == (left == right)


@law(st.booleans(), numbers | texts | st.none())
def test_a_boolean_is_nothing_but_itself(boolean, other):
    assert not compare([call_of(boolean)], [call_of(other)]).same
    assert not compare([call_of([boolean])], [call_of([other])]).same


@law(st.text())
def test_texts_are_the_same_when_they_are_nfc_equal(text):
    other = unicodedata.normalize("NFD", text)
    assert compare([call_of(text)], [call_of(other)]).same


@law(arguments, arguments)
def test_there_are_differences_exactly_where_the_canonical_forms_differ(left, right):
    canon = Canon(tool=tool_schema(PARAMETERS), unordered=frozenset(FREE["f"]))
    forms = canon.arguments(left), canon.arguments(right)

    same = spelling(forms[0]) == spelling(forms[1])

    assert (not list(differences(*forms, canon.unordered))) == same


@law(arguments, arguments)
def test_the_named_rules_suffice(left, right):
    canon = Canon(tool=tool_schema(PARAMETERS), unordered=frozenset(FREE["f"]))
    if spelling(canon.arguments(left)) != spelling(canon.arguments(right)):
        return

    few = Canon(tool=canon.tool, unordered=canon.unordered, rules=rules_needed(canon, left, right))

    assert spelling(few.arguments(left)) == spelling(few.arguments(right))
    assert bool(few.rules) == (spelling(left) != spelling(right))


@law(calls, calls)
def test_a_description_is_short_and_silent_only_about_equals(left, right):
    lines = describe(left, right)

    assert len(lines) <= 11
    assert all(line.isprintable() for line in lines)
    if not lines:
        assert compare([left], [right]).same


def call_of(value):
    return ToolCall(name="g", arguments={"x": value})
