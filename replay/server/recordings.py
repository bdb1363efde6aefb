"""The source that plays recordings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tonearm import wire
from tonearm.errors import WireError
from tonearm.replay.server.ledger import Ledger
from tonearm.replay.server.loading import Stock
from tonearm.replay.server.miss import Miss
from tonearm.replay.server.playback import Pace, Playback
from tonearm.replay.server.problem import no_model_text, problem
from tonearm.replay.server.repertoire import NOT_BY_SERVER, Absent, Found, Recording
from tonearm.replay.server.reply import Asked, Reply, Source
from tonearm.replay.server.standing import Standing
from tonearm.terminal import one_line

if TYPE_CHECKING:
    from tonearm.replay.server.explain import Explainer

logger = logging.getLogger(__name__)


class Recordings:
    """Answers what was recorded; what was not is a miss, or is asked elsewhere."""

    def __init__(
        self,
        stock: Stock,
        *,
        pace: Pace | None = None,
        beyond: Source | None = None,
        report: Callable[[Miss], None] = lambda miss: None,
    ) -> None:
        """Take what can be played.

        Args:
            stock: The recordings, and the models that they know.
            pace: How fast recordings are played; at once where absent.
            beyond: Answers what was not recorded; where absent, that is an error.
            report: Is told of every miss.
        """
        self.repertoire = stock.repertoire
        self.ledger = Ledger()
        self._lineup = stock.lineup
        self._disguises = stock.disguises
        self._pace = pace or Pace()
        self._beyond = beyond
        self._report = report
        self._standing = Standing(stock.lineup)
        self._explainer: Explainer | None = None
        self._explaining = asyncio.Lock()

    async def answer(self, asked: Asked) -> Reply:
        """Return the recording whose turn it is, or what there is in its place."""
        taken = self.repertoire.take(asked)
        if isinstance(taken, Found):
            return self._play(taken, asked)
        written, taken = self._disguised(asked, taken)
        if isinstance(taken, Found):
            return self._play(taken, asked)
        if self._beyond is not None:
            return await self._go_beyond(self._beyond, asked, taken)
        standing = self._standing.answer(asked)
        if standing is not None:
            self.ledger.standing += 1
            return standing
        return self._refuse(asked, await self._miss(written, taken))

    def _disguised(self, asked: Asked, taken: Found | Absent) -> tuple[Asked, Found | Absent]:
        """Look a request up as it would have been written, its secrets taken out."""
        written = asked
        for disguise in self._disguises:
            if isinstance(taken, Found) or taken.reason is not None:
                break
            body = disguise(asked.body)
            if body != asked.body:
                written = replace(asked, body=body)
                taken = self.repertoire.take(written)
        return written, taken

    def _play(self, found: Found, asked: Asked) -> Playback:
        recording = found.recording
        self.ledger.served += 1
        self.ledger.converted += found.converted
        if found.converted:
            form = recording.question.form
            logger.warning("%s was recorded %s and is converted", recording.name, form)
        if recording.exchange.outcome in NOT_BY_SERVER:
            logger.warning("%s breaks off: %s", recording.name, recording.exchange.error)
        logger.info("%s %s: %s", asked.method, asked.path, recording.name)
        return Playback(found.framed, self._pace, asked.at_s)

    async def _go_beyond(self, beyond: Source, asked: Asked, absent: Absent) -> Reply:
        self.ledger.forwarded += 1
        if self._standing.answer(asked) is None:
            request = f"{asked.method} {one_line(asked.path)}"
            self._count(Miss(request=request, reason=absent.reason or "it was not recorded"))
        return await beyond.answer(asked)

    async def _miss(self, asked: Asked, absent: Absent) -> Miss:
        async with self._explaining:  # one at a time: each may read the whole shelf
            return await asyncio.to_thread(self._explain, asked, absent, list(self.repertoire))

    def _explain(self, asked: Asked, absent: Absent, recordings: Sequence[Recording]) -> Miss:
        if self._explainer is None:
            from tonearm.replay.server.explain import Explainer  # costs more than a start

            self._explainer = Explainer(self.repertoire.free)
        return self._explainer.explain(asked, absent, recordings)

    def _count(self, miss: Miss) -> None:
        self.ledger.misses.append(miss)
        self._report(miss)

    def _refuse(self, asked: Asked, miss: Miss) -> Reply:
        self._count(miss)
        model = _model(asked.body)
        if model is not None and self._lineup.find(model) is None:
            return problem(asked.path, 404, f"{no_model_text(model)}; tonearm: {miss.line()}")
        return problem(asked.path, 400, f"tonearm: {miss.line()}")


def _model(body: bytes) -> str | None:
    try:
        model = wire.parse_object(body, "request body").get("model")
    except WireError:
        return None
    return model if isinstance(model, str) and model else None
