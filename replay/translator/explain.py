"""Find the smallest set of habits with which Ollama's prompt can be written.

The search starts with what the server's version is known for and changes one habit at a time, as
long as a longer part of the prompt comes out right; where that leads nowhere, it starts again with
what other versions are known for. At the end, every habit without which the prompt comes out the
same is taken back. Where no set gives the whole prompt, the part up to some offset is explained and
the rest is not.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import combinations

from tonearm.errors import RenderError
from tonearm.replay.translator.causes import Cause, eras
from tonearm.replay.translator.conversation import Conversation
from tonearm.replay.translator.dialect import render
from tonearm.replay.translator.findings import shared

MAX_PAIRED = 12
"""Habits of which two are changed at once, where changing one does not help."""

_SYSTEM = "<bos><|turn>system\n"

type Habits = frozenset[Cause]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one cause first shows."""

    cause: Cause
    offset: int
    """Characters of the prompt before it."""
    without: str
    """The prompt that would have been written but for this cause, or why there would be none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a prompt is what it is."""

    places: tuple[Place, ...]
    """In the order of the prompt; a part that no cause explains comes last."""
    dropped: int = 0
    """How many of the oldest messages were left out."""


def explain(conversation: Conversation, prompt: str, likely: Habits) -> Explanation:
    """Explain a prompt that is not the template's.

    Args:
        conversation: What the prompt was made from.
        prompt: What Ollama made of it.
        likely: Habits that the server's version is known for.
    """
    search = _Search(conversation, prompt, likely)
    on = search.climb(likely)
    for era in eras():
        if search.score(on).exact:
            break
        on = max(on, search.climb(era), key=search.score)
    on = search.simplest(on)
    places = [search.place(cause, on) for cause in on]
    if not search.score(on).exact:
        places.append(search.place(search.shortfall(on), on))
    places.sort(key=lambda place: (place.offset, place.cause is Cause.UNEXPLAINED, place.cause))
    return Explanation(
        places=tuple(places), dropped=search.dropped if Cause.HISTORY_DROPPED in on else 0
    )


@dataclass(frozen=True, slots=True, order=True)
class _Score:
    exact: bool
    shared: int
    """Characters at the beginning that are right; -1 where there is no prompt at all."""


@dataclass(frozen=True, slots=True)
class _Attempt:
    score: _Score
    occasions: Habits
    """Habits that make a difference beside others that are on."""


class _Search:
    """One prompt and everything that was tried to write it."""

    def __init__(self, conversation: Conversation, prompt: str, likely: Habits) -> None:
        self._conversation = conversation
        self._prompt = prompt
        self._attempts: dict[Habits, _Attempt] = {}
        self._system = _foreign_system(conversation, prompt)
        self.dropped = self._count_dropped(likely)

    def climb(self, on: Habits) -> Habits:
        """Change habits one by one, or two by two, as long as that helps."""
        while not (score := self.score(on)).exact:
            occasions = sorted(self._attempt(on).occasions)
            steps = [on ^ {cause} for cause in occasions]
            best = max(steps, key=self.score, default=on)
            if self.score(best) <= score and len(occasions) <= MAX_PAIRED:
                steps = [on ^ set(pair) for pair in combinations(occasions, 2)]
                best = max(steps, key=self.score, default=on)
            if self.score(best) <= score:
                break
            on = best
        return on

    def simplest(self, on: Habits) -> Habits:
        """Take back every habit that contributes nothing."""
        score = self.score(on)
        on &= self._attempt(on).occasions
        for cause in sorted(on):
            if self.score(on - {cause}) >= score:
                on -= {cause}
        return on

    def score(self, on: Habits) -> _Score:
        """Return how well the prompt comes out."""
        return self._attempt(on).score

    def place(self, cause: Cause, on: Habits) -> Place:
        """Return where one of the causes shows: what is written without it, and from where on."""
        try:
            without = self._render(on - {cause})[0]
        except RenderError as err:
            without = str(err)
        return Place(cause=cause, offset=shared(without, self._prompt), without=without)

    def shortfall(self, on: Habits) -> Cause:
        """Return the cause of what is wrong with the best attempt."""
        return Cause.UNEXPLAINED if self.score(on).shared >= 0 else Cause.TEMPLATE_REFUSES

    def _attempt(self, on: Habits) -> _Attempt:
        if on not in self._attempts:
            self._attempts[on] = self._try(on)
        return self._attempts[on]

    def _try(self, on: Habits) -> _Attempt:
        more = [Cause.MODELFILE_SYSTEM] * bool(self._system)
        more += [Cause.HISTORY_DROPPED] * bool(self.dropped)
        try:
            text, met = self._render(on)
        except RenderError:
            return _Attempt(_Score(False, -1), frozenset(more))
        score = _Score(text == self._prompt, shared(text, self._prompt))
        return _Attempt(score, met.union(more))

    def _render(self, on: Habits) -> tuple[str, Habits]:
        conversation = self._conversation
        if Cause.MODELFILE_SYSTEM in on and self._system:
            conversation = conversation.with_system(self._system)
        if Cause.HISTORY_DROPPED in on:
            conversation = conversation.without_oldest(self.dropped)
        return render(conversation, on)

    def _count_dropped(self, on: Habits) -> int:
        """Guess how many messages are missing, where the prompt is shorter than it should be."""
        whole, size = self._conversation, len(self._prompt)
        if self._system:
            whole = whole.with_system(self._system)

        def cut(count: int) -> str:
            return render(whole.without_oldest(count), on)[0]

        try:
            if len(self._render(on)[0]) <= size:
                return 0
            most = len(whole.messages) - 1
            fewest = bisect_left(range(most), True, key=lambda count: len(cut(count)) <= size)
            near = range(max(1, fewest - 2), min(fewest, most) + 1)
            return max(near, key=lambda count: shared(cut(count), self._prompt), default=0)
        except RenderError:
            return 0


def _foreign_system(conversation: Conversation, prompt: str) -> str | None:
    """Return the text of a system turn that the client has no message for."""
    first = conversation.messages[0] if conversation.messages else {}
    if first.get("role") == "system" or not prompt.startswith(_SYSTEM):
        return None
    text = prompt.removeprefix(_SYSTEM).removeprefix("<|think|>").removeprefix("\n")
    text = text.partition("<turn|>\n")[0].partition("<|tool>declaration:")[0]
    return text if text.strip() else None
