"""Every turn is played on every arm, a bounded number at a time."""

import asyncio

import pytest

from tonearm.arms.scripted import Scripted
from tonearm.errors import ArmUnavailable
from tonearm.model import Answer, ChatRequest, Exchange, HttpRequest, HttpResponse, Take, Turn
from tonearm.replay import engine


def make_turns(count):
    exchange = Exchange(
        request=HttpRequest(method="POST", uri="http://h/api/chat"),
        response=HttpResponse(status=200),
    )
    return [
        Turn(
            cassette="t.yaml",
            conversation=0,
            index=n,
            request=ChatRequest(body={"model": "m", "n": n}),
            exchange=exchange,
        )
        for n in range(count)
    ]


class Slow(Scripted):
    """Counts how many requests are in flight."""

    def __init__(self, count, **more):
        super().__init__([Answer(content="x")] * count, **more)
        self.running = self.most = 0

    async def play(self, request):
        self.running += 1
        self.most = max(self.most, self.running)
        for _ in range(3):
            await asyncio.sleep(0)
        self.running -= 1
        return await super().play(request)


class Absent(Scripted):
    async def open(self, models):
        raise ArmUnavailable(self.name, "is not there", fix="bring it")


class Closing(Scripted):
    closed = False

    async def close(self):
        self.closed = True


@pytest.mark.parametrize("concurrency", [1, 3])
def test_the_number_in_flight_is_bounded(concurrency):
    turns, arm, takes = make_turns(10), Slow(10), []

    asyncio.run(
        engine.play(
            turns, [arm], lambda turn, take: takes.append(turn.key), concurrency=concurrency
        )
    )

    assert sorted(takes) == sorted(turn.key for turn in turns)
    assert arm.most == concurrency


def test_what_is_done_is_not_asked_again():
    turns, arm, asked = make_turns(4), Scripted([Answer()] * 4), []

    asyncio.run(
        engine.play(
            turns,
            [arm],
            lambda turn, take: asked.append(turn.index),
            done=lambda turn, name: name == "scripted" and turn.index < 2,
        )
    )

    assert asked == [2, 3]


def test_arms_that_opened_are_closed_when_a_later_one_cannot():
    first = Closing([])

    async def main():
        async with engine.opened([first, Absent([], name="absent")], ["m"]):
            pytest.fail("must not get here")

    with pytest.raises(ArmUnavailable, match="arm absent: is not there; bring it"):
        asyncio.run(main())
    assert first.closed


def test_a_script_that_ends_is_a_failure_and_not_an_answer():
    takes = []
    turns = make_turns(2)

    asyncio.run(engine.play(turns, [Scripted([Answer()])], lambda turn, take: takes.append(take)))

    assert [take.error for take in takes] == [None, "the script has ended"]
    assert isinstance(takes[0], Take)
