"""One run of ``tonearm serve``: load, listen, wait for a signal, and say how it went."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tonearm import cassette
from tonearm.cassette import Shelf
from tonearm.errors import UsageError
from tonearm.proxy.address import Address
from tonearm.proxy.tally import Tally
from tonearm.replay.server.guard import Guard
from tonearm.replay.server.hosting import Voice, host
from tonearm.replay.server.keeper import Keeper
from tonearm.replay.server.ledger import Ledger
from tonearm.replay.server.loading import load_stock
from tonearm.replay.server.miss import Miss
from tonearm.replay.server.playback import INSTANT, Pace
from tonearm.replay.server.question import Pointer
from tonearm.replay.server.recordings import Recordings
from tonearm.replay.server.repertoire import Repeat
from tonearm.replay.server.upstream import Upstream


class OnMiss(StrEnum):
    """What becomes of a request that was not recorded."""

    FAIL = "fail"
    PASSTHROUGH = "passthrough"
    RECORD = "record"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to serve, where, and how."""

    cassettes: Sequence[Path]
    """Files, and folders of them."""
    listen: Address
    speed: float = INSTANT
    free: Sequence[Pointer] = ()
    repeat: Repeat = Repeat.LAST
    on_miss: OnMiss = OnMiss.FAIL
    upstream: Address | None = None
    """Where to ask what was not recorded."""
    shelf: Path | None = None
    """Where to record it."""
    origins: Sequence[str] = ()
    """Of pages that may ask, besides local ones."""

    def __post_init__(self) -> None:
        if self.upstream is not None and self.upstream.same_place(self.listen):
            raise UsageError(
                f"the upstream {self.upstream.url} is the address that this server would listen "
                "on; give Ollama's own address with --upstream or unset OLLAMA_HOST"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a run of the server went."""

    ledger: Ledger
    unasked: tuple[str, ...]
    """Recordings that nobody asked for."""
    recorded: int = 0
    """Exchanges that were added to the shelf."""
    lost: tuple[str, ...] = ()
    """Why exchanges that were to be recorded were not."""

    @property
    def clean(self) -> bool:
        """Whether every request was recorded and every recording was asked for."""
        return not self.ledger.misses and not self.unasked


def serve(settings: Settings, voice: Voice) -> Result:
    """Serve until a signal comes.

    Raises:
        CassetteError: A cassette cannot be read.
        NothingToTest: There is no recording to serve, and none can come.
        UsageError: The address cannot be listened on.
    """
    run = _Run(settings, voice)
    try:
        asyncio.run(run.serve())
    finally:
        run.flush()
    return run.result()


class _Run:
    """The parts of one run."""

    def __init__(self, settings: Settings, voice: Voice) -> None:
        self._settings = settings
        self._voice = voice
        self._stock = load_stock(_find(settings), free=settings.free, repeat=settings.repeat)
        gc.freeze()  # what stays anyway need not be looked at again and again, between requests
        self._keeper = self._upstream = None
        if settings.on_miss is OnMiss.RECORD and settings.shelf is not None:
            self._keeper = Keeper(settings.shelf, self._stock)
        if settings.on_miss is not OnMiss.FAIL and settings.upstream is not None:
            keep = self._keeper.keep if self._keeper else None
            self._upstream = Upstream(settings.upstream, keep=keep)
        self._source = Recordings(
            self._stock,
            pace=Pace(speed=settings.speed),
            beyond=self._upstream,
            report=self._report,
        )

    async def serve(self) -> None:
        guard = Guard(self._settings.origins)
        exchanges, cassettes = len(self._stock.repertoire), self._stock.cassettes
        greeting = f"serving {exchanges} exchanges of {cassettes} cassettes"
        try:
            await host(self._source, self._settings.listen, guard, self._voice, greeting)
        finally:
            if self._upstream is not None:
                await self._upstream.close()

    def flush(self) -> None:
        """Bring to the disk what is still to be recorded."""
        if self._keeper is not None:
            self._keeper.close()

    def result(self) -> Result:
        tally = self._keeper.tally if self._keeper else Tally()
        return Result(
            ledger=self._source.ledger,
            unasked=tuple(recording.name for recording in self._stock.repertoire.unasked()),
            recorded=tally.recorded,
            lost=tuple(f"{n} exchanges LOST: {why}" for why, n in sorted(tally.losses().items())),
        )

    def _report(self, miss: Miss) -> None:
        for line in miss.lines():
            self._voice.say(line)


def _find(settings: Settings) -> list[Path]:
    """Return the cassettes to serve; a shelf that is to be recorded into may still be empty."""
    recording = settings.on_miss is OnMiss.RECORD
    paths = [p for p in settings.cassettes if not (recording and p == settings.shelf and _empty(p))]
    return cassette.find(paths) if paths or not recording else []


def _empty(shelf: Path) -> bool:
    return not shelf.exists() or (shelf.is_dir() and not Shelf(shelf).paths())
