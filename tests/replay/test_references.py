"""References are asked last, with what the others said, conversation by conversation."""

import asyncio

from tests.replay.test_drafts import recorded, shown
from tests.tapes import exchange, says, user
from tonearm.arms.scripted import Scripted
from tonearm.model import Answer, ChatRequest, Take, Turn
from tonearm.replay import references


class Judge(Scripted):
    """Say yes to everything, and remember what was asked."""

    def __init__(self, name, *, judges=True):
        super().__init__([], name=name)
        self.judges = judges
        self.parts = []

    async def judge(self, cases):
        self.parts.append(cases)
        return [Take(arm=self.name, answer=Answer(content="yes")) for _ in cases]


def turns(*conversations):
    """Return turns of conversations of given lengths."""
    return [
        Turn(
            cassette="t.yaml",
            conversation=number,
            index=n,
            request=ChatRequest(body={"model": "gemma4:e2b", "messages": [user(f"{number} {n}")]}),
            exchange=exchange([user("x")], says("recorded")),
        )
        for number, length in enumerate(conversations)
        for n in range(length)
    ]


def judge(asked, *arms, takes=None):
    found = []
    asyncio.run(
        references.judge(
            asked, arms, takes or {}, lambda turn, take: found.append((turn.key, take))
        )
    )
    return found


def test_arms_that_judge_are_told_from_others():
    plain, idle, judging = Scripted([]), Judge("idle", judges=False), Judge("c")

    assert references.split([judging, plain, idle]) == ([plain, idle], [judging])


def test_each_case_has_what_was_answered_to_its_turn():
    asked = turns(2)
    arm = Judge("c")
    takes = {(asked[0].key, "b"): shown("b", "one"), (asked[1].key, "b"): shown("b", "two")}

    found = judge(asked, arm, takes=takes)

    (cases,) = arm.parts
    assert [[d.completion for d in case.drafts] for case in cases] == [
        ["one", "recorded"],
        ["two", "recorded"],
    ]
    assert [key for key, _ in found] == ["t.yaml#0", "t.yaml#1"]


def test_conversations_stay_together_and_results_come_in_parts(monkeypatch):
    monkeypatch.setattr(references, "AT_ONCE", 3)
    arm = Judge("c")

    judge(turns(2, 2, 1), arm)

    assert [len(cases) for cases in arm.parts] == [4, 1]


def test_what_was_judged_before_is_not_judged_again():
    asked = turns(2)
    arm = Judge("c")

    found = judge(asked, arm, takes={(asked[0].key, "c"): recorded(content="before")})

    assert [key for key, _ in found] == ["t.yaml#1"]


def test_references_do_not_judge_one_another():
    asked = turns(1)
    one, two = Judge("c"), Judge("c-2")

    judge(asked, one, two, takes={(asked[0].key, "c-2"): shown("c-2", "mine")})

    assert [[d.arm for d in case.drafts] for case in one.parts[0]] == [["recorded"]]
    assert two.parts == []
