"""Arms that answer alike are not told apart, and others are."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonearm.replay.excess import Relation, compare, excess


def sampled(moved, *, seed, conversations=40, turns=8, k=4, steady=0.8):
    """Return answers of two arms: both say ``x`` mostly, the second something else where moved."""
    source = random.Random(seed)

    def answer(usual):
        return usual if source.random() < steady else source.choice("pq")

    found = {}
    for n in range(conversations):
        found[str(n)] = []
        for _ in range(turns):
            usual = "z" if source.random() < moved else "x"
            found[str(n)].append(
                ([answer("x") for _ in range(k)], [answer(usual) for _ in range(k)])
            )
    return found


def test_equal_answers_have_no_excess():
    assert excess("xx", "xx") == 0
    assert excess("x", "x") == 0


def test_certain_differences_count_whole():
    assert excess("xxxx", "zzzz") == 1
    assert excess("x", "z") == 1


@given(st.lists(st.sampled_from("abc"), min_size=2), st.lists(st.sampled_from("abc"), min_size=2))
def test_the_excess_is_symmetric_and_at_most_one(left, right):
    assert excess(left, right) == pytest.approx(excess(right, left))
    assert excess(left, right) <= 1


def test_the_excess_of_one_distribution_is_zero_on_average():
    source = random.Random(1)
    draws = [[source.choices("ab", k=4) for _ in range(2)] for _ in range(4000)]

    assert sum(excess(*draw) for draw in draws) / len(draws) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("seed", range(3))
def test_arms_that_answer_alike_are_the_same(seed):
    assert compare(sampled(0.0, seed=seed)).relation is Relation.SAME


@pytest.mark.parametrize("seed", range(3))
def test_an_arm_that_answers_otherwise_on_some_turns_is_different(seed):
    found = compare(sampled(0.15, seed=seed))

    assert found.relation is Relation.DIFFERENT
    assert found.p == 0.001


def test_the_result_is_repeatable():
    answers = sampled(0.05, seed=5)

    assert compare(answers) == compare(answers)


def test_one_certain_difference_is_a_difference():
    same = [("x", "x")] * 99

    found = compare({"a": same, "b": [("x", "z")]})

    assert (found.relation, found.differing, found.turns) == (Relation.DIFFERENT, 1, 100)


@pytest.mark.parametrize(("turns", "relation"), [(98, "undecided"), (99, "same")])
def test_few_turns_without_a_difference_decide_nothing(turns, relation):
    """99 single turns exclude a rate of 3 % with 95 % confidence."""
    found = compare({str(n): [("x", "x")] for n in range(turns)})

    assert found.relation == relation
    assert found.turns_needed == (99 - turns)


def test_turns_of_one_conversation_count_for_less():
    together = compare({str(n): [("x", "x")] * 10 for n in range(10)})
    apart = compare({str(n): [("x", "x")] for n in range(100)})

    assert together.upper > apart.upper
    assert together.turns_needed == 87


def test_no_turns_decide_nothing():
    found = compare({})

    assert (found.relation, found.upper, found.turns) == (Relation.UNDECIDED, 1.0, 0)


def test_three_conversations_are_too_few_to_bound_a_difference():
    answers = {str(n): [("xxxx", "xxxz")] for n in range(3)}

    assert compare(answers).relation is Relation.UNDECIDED
