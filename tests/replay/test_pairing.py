"""Which calls belong together, and what finding that out costs."""

from dataclasses import replace

import pytest

from tonearm.canonical import fingerprint
from tonearm.model import ToolCall
from tonearm.replay import pairing
from tonearm.replay.arguments import Canon
from tonearm.replay.calls import compare_calls
from tonearm.replay.pairing import MAX_CALLS, MAX_CHARACTERS, item, match, pair_up


def items(*calls):
    return [item(ToolCall(name=name, arguments=arguments), Canon()) for name, arguments in calls]


def numbered(numbers):
    return items(*(("f", {"n": n}) for n in numbers))


def paired(left, right):
    return pair_up(left, right, range(len(left)), range(len(right)))


@pytest.fixture
def comparisons(monkeypatch):
    """A list that grows by one for each pair of calls that is compared in depth."""
    made = []
    whole = pairing.differences

    def counted(*args):
        made.append(args)
        return whole(*args)

    monkeypatch.setattr(pairing, "differences", counted)
    return made


def test_of_several_equal_calls_the_first_go_together():
    assert match(numbered([1, 2, 1, 1]), numbered([1, 1, 2])) == [(0, 0), (1, 2), (2, 1)]


def test_calls_to_one_tool_go_together_before_likeness_counts():
    left = items(("f", {"a": 1, "b": 2}), ("g", {"c": 3}))
    right = items(("g", {"a": 1, "b": 2}), ("f", {"c": 3}))

    assert paired(left, right) == [(0, 1), (1, 0)]


def test_the_fewest_differences_together_decide():
    """Giving the first call its likest partner would leave the second one the worst."""
    left = items(("f", {"a": 1, "b": 1, "c": 1}), ("f", {"a": 9, "b": 9, "c": 1}))
    right = items(("f", {"a": 1, "b": 9, "c": 1}), ("f", {"a": 1, "b": 1, "c": 2}))

    assert paired(left, right) == [(0, 1), (1, 0)]


def test_among_equally_like_calls_the_nearest_go_together():
    """(0, 1), (1, 0), (2, 2) would differ in as few places."""
    left = items(*(("f", {"p": p, "q": q}) for p, q in [(1, 1), (2, 2), (9, 9)]))
    right = items(*(("f", {"p": p, "q": q}) for p, q in [(1, 2), (3, 1), (2, 4)]))

    assert paired(left, right) == [(0, 0), (1, 2), (2, 1)]


def test_calls_to_other_tools_are_paired_last():
    left = items(("f", {"a": 1}), ("g", {"a": 1}), ("h", {"b": 2}))
    right = items(("x", {"b": 2}), ("f", {"a": 2}))

    assert paired(left, right) == [(0, 1), (2, 0)]


def test_only_the_given_calls_are_paired():
    assert pair_up(numbered([1, 2]), numbered([3, 4]), [1], [0]) == [(1, 0)]
    assert pair_up(numbered([1, 2]), numbered([3, 4]), [1], []) == []


def test_no_call_is_compared_with_more_than_the_limit(comparisons):
    """Ten tools with 24 changed calls each: each with those to its own tool, and no others."""
    left = items(*((f"f{n % 10}", {"n": n, "m": 0}) for n in range(240)))
    right = items(*((f"f{n % 10}", {"n": n, "m": 1}) for n in reversed(range(240))))

    pairs = paired(left, right)

    assert pairs == [(n, 239 - n) for n in range(240)]
    assert len(comparisons) == 10 * 24 * 24 <= 240 * MAX_CALLS


@pytest.mark.parametrize("tools", [1, 10])
def test_a_long_shuffled_list_is_compared_in_bounded_work(comparisons, tools):
    """400 calls in another order, 240 of them changed: equal ones are found without comparing."""
    left = [ToolCall(name=f"f{n % tools}", arguments={"n": n, "m": 0}) for n in range(400)]
    right = [replace(call, arguments={"n": n, "m": int(n < 240)}) for n, call in enumerate(left)]

    diff = compare_calls(left, sorted(right, key=lambda call: fingerprint(call.arguments)))

    assert len(diff.changed) == 240
    assert len(comparisons) <= 240 * MAX_CALLS


def test_beyond_the_limit_calls_to_one_tool_are_paired_by_position(comparisons):
    left, right = numbered(range(MAX_CALLS + 1)), numbered(reversed(range(MAX_CALLS + 1)))

    assert paired(left, right) == [(n, n) for n in range(MAX_CALLS + 1)]
    assert comparisons == []


def test_beyond_the_limit_long_calls_are_paired_by_position(comparisons):
    text = "x" * (MAX_CHARACTERS // 8)
    left = items(("f", {"a": 1, "t": text}), ("f", {"a": 2, "t": text}))
    right = items(("f", {"a": 2, "t": text + "y"}), ("f", {"a": 1, "t": text + "y"}))

    assert paired(left, right) == [(0, 0), (1, 1)]
    assert comparisons == []
