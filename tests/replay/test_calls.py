"""Two lists of calls: what the vectors do not say."""

import json

import pytest

from tonearm.model import ToolCall
from tonearm.replay.calls import CallsDiff, CallVerdict, Order, compare_calls


def call(name, arguments=None, id=None):
    return ToolCall(name=name, arguments={} if arguments is None else arguments, id=id)


def tool(name, **parameters):
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


A, B, C = call("a"), call("b"), call("c")


def test_no_calls_are_identical_to_no_calls():
    diff = compare_calls([], [])

    assert diff == CallsDiff()
    assert diff.verdict is CallVerdict.IDENTICAL
    assert diff.severity == 0


def test_identical_calls_are_not_judged_by_any_schema():
    """What the recording did wrong as well is no regression, offered tool or not."""
    broken = [call("gone", {"a": 1}), call("a", "{")]
    assert compare_calls(broken, broken, [tool("a")]).verdict is CallVerdict.IDENTICAL


def test_a_second_copy_of_a_broken_recorded_call_is_extra_and_no_new_fault():
    broken = call("a", "{")

    diff = compare_calls([broken], [broken, broken], [tool("a")])

    assert diff.verdict is CallVerdict.EXTRA_CALL
    assert diff.schema_errors == ()


def test_the_worst_class_is_the_verdict():
    tools = [tool(name) for name in "abcd"]
    x, y = call("d", {"n": 1}), call("d", {"n": 2})

    assert compare_calls([A, B], [B, A], tools).verdict is CallVerdict.ORDER
    assert compare_calls([A, B, x], [B, A, y], tools).verdict is CallVerdict.WRONG_ARGS
    assert compare_calls([x], [y, A], tools).verdict is CallVerdict.EXTRA_CALL
    assert compare_calls([A, x], [B, y], tools).verdict is CallVerdict.WRONG_NAME
    assert compare_calls([A, x, C], [B, y], tools).verdict is CallVerdict.MISSING_CALL
    assert compare_calls([A, x, C], [call("e")], tools).verdict is CallVerdict.SCHEMA_INVALID


def test_the_severity_is_that_of_the_worst_difference_not_of_the_verdict():
    """A blank at an end is minor; that two writes changed places beside it is not."""
    left, right = [A, B, call("c", {"t": "x"})], [B, A, call("c", {"t": "x "})]

    flagged = compare_calls(left, right)
    strict = compare_calls(left, right, order="strict")

    assert (flagged.verdict, flagged.severity) == (CallVerdict.WRONG_ARGS, 1)
    assert (strict.verdict, strict.severity) == (CallVerdict.WRONG_ARGS, 3)


def test_of_two_swapped_calls_the_stricter_rule_counts():
    order = {"a": "strict", "c": "ignore", "d": "ignore"}

    def swap(left, right):
        return compare_calls([left, right], [right, left], order=order).swapped

    assert swap(A, B) is swap(B, A) is Order.STRICT
    assert swap(A, C) is swap(C, A) is Order.STRICT
    assert swap(B, C) is swap(C, B) is Order.FLAG
    assert swap(C, call("d")) is Order.IGNORE


def test_a_strict_call_that_stays_where_it_is_does_not_make_others_strict():
    diff = compare_calls([A, B, C], [A, C, B], order={"a": "strict"})
    assert diff.swapped is Order.FLAG


def test_a_free_order_is_named_as_a_rule():
    diff = compare_calls([A, call("b", {"n": 1})], [call("b", {"n": 1.0}), A], order="ignore")

    assert diff.verdict is CallVerdict.EQUIVALENT
    assert diff.rules == ("number_form", "call_order")
    assert diff.order_changed


@pytest.mark.parametrize("order", ["strictly", "", {"a": "no"}])
def test_an_unknown_order_rule_is_a_mistake(order):
    with pytest.raises(ValueError, match="is not a valid Order"):
        compare_calls([A], [A], order=order)


def test_equal_calls_in_another_spelling_do_not_look_reordered():
    """In order they are equivalent; paired by spelling they would have changed places."""
    one, float_one = call("a", {"n": 1}), call("a", {"n": 1.0})
    assert compare_calls([one, float_one], [float_one, one]).verdict is CallVerdict.EQUIVALENT


def test_a_schema_that_cannot_be_used_is_named():
    tools = [tool("a", required=1), tool("b", required=1)]

    diff = compare_calls([call("a", {"n": 1})], [call("a", {"n": 2})], tools)

    assert diff.verdict is CallVerdict.WRONG_ARGS
    assert diff.unusable_schemas == {"a": "/required: 1 is not of type 'array'"}
    assert diff.to_json()["details"]["unusable_schemas"] == diff.unusable_schemas


@pytest.mark.parametrize("rubbish", [None, "", "{", "[]", [], 1, True, "null", {"a": [{}]}])
def test_any_arguments_are_identical_to_themselves_and_not_to_others(rubbish):
    tools = [tool("a", type="object")]

    assert compare_calls([call("a", rubbish)], [call("a", rubbish)], tools).severity == 0
    assert not compare_calls([call("a", rubbish)], [call("a", {"b": 1})], tools).same


def test_ids_are_not_compared():
    assert compare_calls([call("a", id="1")], [call("a", id="2")]).verdict is CallVerdict.IDENTICAL


def test_the_outcome_is_json():
    diff = compare_calls([A, call("b", {"n": 1})], [call("b", {"n": "1"}), call("c", "{")])

    text = json.dumps(diff.to_json())

    assert json.loads(text)["verdict"] == "schema_invalid"
    assert json.loads(text)["details"]["arg_diffs"] == [
        {"call": [1, 0], "path": "/n", "kind": "type"}
    ]
    assert json.loads(text)["details"]["schema_errors"] == [
        {"call": 1, "path": "", "kind": "bad_json"}
    ]
