"""Ask references, after the others: they judge what those answered.

A conversation's turns are given together, because one pass over its end scores all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby

from tonearm.arms import Arm, Case, Reference
from tonearm.arms.recorded import NAME, take
from tonearm.model import Take, Turn
from tonearm.replay.drafts import drafts, in_force
from tonearm.templates import ChatFormat

AT_ONCE = 32
"""Turns that are judged together at least, while there are so many; then results are delivered."""


def split(arms: Sequence[Arm]) -> tuple[list[Arm], list[Reference]]:
    """Return the arms that answer by themselves, and those that judge the answers."""
    judging = [arm for arm in arms if isinstance(arm, Reference) and arm.judges]
    return [arm for arm in arms if arm not in judging], judging


async def judge(
    turns: Sequence[Turn],
    references: Sequence[Reference],
    takes: Mapping[tuple[str, str], Take],
    on_take: Callable[[Turn, Take], None],
    *,
    chat_format: ChatFormat | None = None,
) -> None:
    """Have every turn judged by references that are open.

    Args:
        turns: In the order of their conversations.
        references: Asked one after the other; they need the memory.
        takes: What the other arms answered, by turn key and arm. What is there of a reference is
            not asked for again.
        on_take: Called with each take.
        chat_format: What recorded messages are written with, where it is not the model's grammar.
    """
    judging = {reference.name for reference in references}
    answered: dict[str, dict[str, Take]] = {turn.key: {} for turn in turns}
    for (key, arm), answer in takes.items():
        if arm not in judging:
            answered[key][arm] = answer
    for reference in references:
        waiting = [turn for turn in turns if (turn.key, reference.name) not in takes]
        for part in _parts(waiting):
            cases = [_case(turn, answered[turn.key], chat_format) for turn in part]
            for turn, judged in zip(part, await reference.judge(cases), strict=True):
                on_take(turn, judged)


def _parts(turns: Sequence[Turn]) -> Iterator[list[Turn]]:
    """Yield whole conversations, as many as make up a part."""
    part: list[Turn] = []
    for _, conversation in groupby(turns, key=lambda turn: (turn.cassette, turn.conversation)):
        part += conversation
        if len(part) >= AT_ONCE:
            yield part
            part = []
    if part:
        yield part


def _case(turn: Turn, answered: Mapping[str, Take], chat_format: ChatFormat | None) -> Case:
    mine = {**answered, NAME: take(turn.exchange)}
    return Case(
        request=in_force(turn.request, mine), drafts=drafts(turn.request, mine, chat_format)
    )
