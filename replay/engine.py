"""Play every turn of a plan on every arm.

Arms take their turns side by side, a bounded number of requests each. Results are delivered as they
come; their order carries no meaning.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager

from tonearm.arms import Arm
from tonearm.model import Take, Turn

type OnTake = Callable[[Turn, Take], None]


@asynccontextmanager
async def opened(arms: Sequence[Arm], models: Sequence[str]) -> AsyncIterator[None]:
    """Open arms, one after the other, and close those that opened.

    Raises:
        ArmUnavailable: An arm cannot run here.
    """
    ready: list[Arm] = []
    try:
        for arm in arms:
            await arm.open(models)
            ready.append(arm)
        yield
    finally:
        for arm in reversed(ready):
            await arm.close()


async def play(
    turns: Sequence[Turn],
    arms: Sequence[Arm],
    on_take: OnTake,
    *,
    concurrency: int = 1,
    done: Callable[[Turn, str], bool] = lambda turn, arm: False,
) -> None:
    """Play the turns on arms that are open.

    Args:
        turns: In the order in which each arm is asked.
        arms: Asked independently of one another.
        on_take: Called in the event loop's thread with each take.
        concurrency: Requests in flight, for each arm. Ollama answers one at a time by default, and
            what runs beside a request can change its numerics.
        done: Tells which takes exist already and are not asked for.
    """
    async with asyncio.TaskGroup() as group:
        for arm in arms:
            waiting = iter([turn for turn in turns if not done(turn, arm.name)])
            for _ in range(concurrency):
                group.create_task(_work(arm, waiting, on_take))


async def _work(arm: Arm, waiting: Iterator[Turn], on_take: OnTake) -> None:
    for turn in waiting:
        on_take(turn, await arm.play(turn.request))
