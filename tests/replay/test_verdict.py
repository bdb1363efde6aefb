"""What comparisons amount to, and when a difference proves nothing."""

import pytest

from tonearm.model import Answer, ChatRequest, Decoded, Layer, Pin, Rendered, Take, WireShape
from tonearm.replay.verdict import Outcome, exit_code, is_certain, judge

OK = WireShape(status=200, done=True, done_reason="stop")
GREEDY = ChatRequest(body={"options": {"temperature": 0}})
SAMPLED = ChatRequest(body={"options": {"temperature": 0.7}})


def take(arm, content, *, prompt=None, completion=None):
    return Take(
        arm=arm,
        rendered=None if prompt is None else Rendered(prompt=prompt),
        decoded=None if completion is None else Decoded(completion=completion),
        answer=Answer(content=content),
        wire=OK,
    )


def outcome(request, *takes):
    verdict = judge(request, takes)
    return verdict.outcome, verdict.layer


def test_agreement_of_all_is_the_same():
    assert outcome(GREEDY, take("recorded", "x"), take("a", "x"), take("b", "x")) == (
        Outcome.SAME,
        None,
    )


def test_a_second_arm_that_differs_decides():
    verdict = judge(GREEDY, [take("recorded", "x"), take("a", "x"), take("b", "y")])

    assert verdict.outcome is Outcome.DIVERGED
    assert (verdict.decisive.left, verdict.decisive.right) == ("a", "b")


def test_a_sampled_answer_that_differs_is_undecided():
    assert outcome(SAMPLED, take("recorded", "x"), take("a", "y")) == (
        Outcome.UNDECIDED,
        Layer.PARSE,
    )


def test_prompts_are_judged_even_when_answers_are_sampled():
    left, right = take("a", "x", prompt="p"), take("b", "y", prompt="q")

    assert outcome(SAMPLED, take("recorded", "x"), left, right) == (
        Outcome.DIVERGED,
        Layer.RENDER,
    )


def test_one_completion_read_in_two_ways_is_the_parser_even_when_sampled():
    left, right = take("a", "x", completion="c"), take("b", "y", completion="c")

    assert outcome(SAMPLED, take("recorded", "x"), left, right) == (Outcome.DIVERGED, Layer.PARSE)


def test_an_arm_without_an_answer_is_a_failure():
    broken = Take(arm="a", error="connection refused")

    assert outcome(GREEDY, take("recorded", "x"), broken) == (Outcome.FAILED, Layer.WIRE)


def test_arms_are_compared_although_the_recording_broke_off():
    cut = Take(arm="recorded", error="client_aborted: gone")

    assert outcome(GREEDY, cut, take("a", "x"), take("b", "x")) == (Outcome.SAME, None)
    assert outcome(GREEDY, cut, take("a", "x"), take("b", "y"))[0] is Outcome.DIVERGED


def test_a_broken_recording_and_one_arm_prove_nothing():
    cut = Take(arm="recorded", error="client_aborted: gone")

    assert outcome(GREEDY, cut, take("a", "x"))[0] is Outcome.UNDECIDED


@pytest.mark.parametrize(
    ("options", "pinned", "certain"),
    [
        ({"temperature": 0}, {}, True),
        ({"temperature": 0.0}, {"temperature": 1}, True),
        ({}, {"temperature": 0}, True),
        ({}, {}, False),
        ({"temperature": 1}, {}, False),
        ({"seed": 7}, {}, True),
        ({"seed": -1}, {}, False),
        ({"temperature": True}, {}, False),
    ],
)
def test_greedy_or_seeded_requests_are_certain(options, pinned, certain):
    pins = [None, Pin(model="m", options=pinned)]

    assert is_certain(ChatRequest(body={"options": options}), pins) is certain


def test_the_gravest_outcome_gives_the_exit_code():
    assert exit_code([Outcome.SAME]) == 0
    assert exit_code([Outcome.SAME, Outcome.UNDECIDED]) == 3
    assert exit_code([Outcome.FAILED, Outcome.UNDECIDED]) == 4
    assert exit_code([Outcome.FAILED, Outcome.DIVERGED, Outcome.SAME]) == 1
    assert exit_code([]) == 5
