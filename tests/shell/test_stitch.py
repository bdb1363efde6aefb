"""Exchanges find their conversation by what they say."""

import json
import random

import pytest

from tests.tapes import calls, exchange, loop, result, says, user
from tonearm.canonical import fingerprint
from tonearm.model import Exchange, HttpRequest, HttpResponse, Link, Outcome
from tonearm.stitch import Prints, Stitcher, essence, turns


def place(exchanges):
    stitcher = Stitcher()
    placed = [stitcher.add(e) for e in exchanges]
    return [(p.conversation, p.index, p.link, p.parent) for p in placed]


MOVIES = loop(
    "movies", [(calls("search"), result("1")), (calls("get", id=1), result("x"))], says("X")
)


def test_a_tool_loop_is_one_conversation():
    assert place(MOVIES) == [
        (0, 0, Link.START, None),
        (0, 1, Link.NEXT, 0),
        (0, 2, Link.NEXT, 1),
    ]


def test_agents_side_by_side_are_kept_apart():
    """Any interleaving of loops gives the same conversations."""
    others = [loop(f"task {n}", [(calls("f", n=n), result("r"))], says("done")) for n in range(5)]
    rng = random.Random(7)
    for _ in range(50):
        queues = [list(found) for found in others]
        mixed = []
        while any(queues):
            mixed.append(rng.choice([q for q in queues if q]).pop(0))
        stitcher = Stitcher()
        first_words = {}
        for e in mixed:
            question = json.loads(e.request.body)["messages"][0]["content"]
            placement = stitcher.add(e)
            assert first_words.setdefault(placement.conversation, question) == question
        assert len(first_words) == 5


def test_the_same_task_again_is_another_conversation():
    """A second run of a deterministic agent says word for word the same."""
    assert [c for c, *_ in place([*MOVIES, *MOVIES])] == [0, 0, 0, 1, 1, 1]


def test_a_question_that_was_never_answered_is_asked_again_in_its_conversation():
    lost = exchange([user("hi")], None, outcome=Outcome.UPSTREAM_ABORTED)

    assert place([lost, exchange([user("hi")], says("hello"))]) == [
        (0, 0, Link.START, None),
        (0, 1, Link.RETRY, 0),
    ]


def test_a_turn_in_the_middle_that_is_sent_twice_is_a_retry():
    first, second, third = MOVIES

    assert place([first, second, second, third])[2] == (0, 2, Link.RETRY, 1)


def test_going_back_and_asking_something_else_is_a_fork():
    first = exchange([user("a")], says("A"))
    then = exchange([user("a"), says("A"), user("b")], says("B"))
    instead = exchange([user("a"), says("A"), user("c")], says("C"))

    assert place([first, then, instead])[2] == (0, 2, Link.FORK, 0)


@pytest.mark.parametrize(
    "resent",
    [
        says("  Hello "),
        says("Hello", thinking="hm"),
        says("Hello", tool_calls=[]),
        {**says("Hello"), "role": "Assistant"},
    ],
)
def test_agents_may_tidy_the_answer_that_they_send_back(resent):
    first = exchange([user("hi")], says("Hello", thinking="a thought"))

    assert place([first, exchange([user("hi"), resent, user("more")], says("x"))])[1] == (
        0,
        1,
        Link.NEXT,
        0,
    )


def test_arguments_sent_back_as_text_are_the_same_arguments():
    given = calls("f", a=1)
    resent = says("", tool_calls=[{"function": {"name": "f", "arguments": '{"a": 1}'}}])
    twin = [user("hi")]

    placed = place(
        [
            exchange(twin, given),
            exchange(twin, calls("f", a=2)),
            exchange([*twin, resent, result("r")], says("x")),
        ]
    )

    assert placed[2] == (0, 1, Link.NEXT, 0)


def test_an_answer_that_the_agent_rewrote_still_leads_on():
    first = exchange([user("hi")], says("a long answer"))

    assert place([first, exchange([user("hi"), says("short"), user("b")], says("x"))])[1][0] == 0


def test_a_shared_system_prompt_joins_nothing():
    system = {"role": "system", "content": "Be brief."}

    placed = place(
        [exchange([system, user("a")], says("A")), exchange([system, user("b")], says("B"))]
    )

    assert [c for c, *_ in placed] == [0, 1]


def test_two_models_asked_the_same_are_not_mixed_up():
    same = [user("hi")]
    after = [user("hi"), says("Hello"), user("b")]
    stitcher = Stitcher()
    one = stitcher.add(exchange(same, says("Hello"), model="one"))
    stitcher.add(exchange(same, says("Hello"), model="two"))

    assert stitcher.add(exchange(after, says("x"), model="one")).conversation == one.conversation


@pytest.mark.parametrize(
    "odd",
    [
        exchange([], says("")),
        exchange([user("x")], says("y"), path="/api/generate"),
        Exchange(
            request=HttpRequest(method="POST", uri="http://h/api/chat", body=b"not json"),
            response=HttpResponse(status=400),
        ),
    ],
)
def test_what_has_no_history_is_not_placed(odd):
    assert Stitcher().add(odd) is None


def test_turns_of_a_file_are_ordered_by_conversation():
    other = loop("other", [(calls("g"), result("2"))], says("Y"))
    mixed = [MOVIES[0], other[0], MOVIES[1], other[1], MOVIES[2]]

    found = turns("tape.yaml", mixed)

    assert [t.key for t in found] == [
        "tape.yaml#0",
        "tape.yaml#1",
        "tape.yaml#2",
        "tape.yaml.1#0",
        "tape.yaml.1#1",
    ]
    assert [t.exchange for t in found] == [*MOVIES, *other]


def test_a_stitcher_goes_on_from_what_another_knew():
    """Cut anywhere, and passed on as JSON, it places the rest as one stitcher would."""
    for cut in range(len(MOVIES) + 1):
        before, after = Stitcher(), Stitcher()
        after.add(exchange([user("something else")], says("no")))
        for one in MOVIES[:cut]:
            before.add(one)
        known = [tuple(turn) for turn in json.loads(json.dumps(before.known()))]

        numbers = after.adopt(known)
        placed = [after.add(one) for one in MOVIES[cut:]]

        assert numbers == [1][: len(known)]
        assert [(p.conversation, p.index) for p in placed] == [
            (1, n) for n in range(cut, len(MOVIES))
        ]


@pytest.mark.parametrize(
    "message",
    [
        {"role": "user", "content": "a"},
        {"role": "user", "content": "\ud800"},
        {"role": "tool", "content": "1", "extra": 10**30},
        {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]},
    ],
)
def test_a_fingerprint_is_the_same_whether_it_is_known_or_not(message):
    prints = Prints(limit=1)
    expected = fingerprint(essence(message))

    assert prints.of(message) == prints.of(message) == expected
    assert prints.of({"role": "user", "content": "b"}) != expected
    assert prints.of(message) == expected
