"""One run of the recorder: start everything, wait for the end, flush, and say how it went."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tonearm.cassette import Shelf
from tonearm.errors import CaptureError, UsageError, WireError
from tonearm.proxy import child
from tonearm.proxy.addon import Recorder
from tonearm.proxy.address import Address
from tonearm.proxy.filing import Filing
from tonearm.proxy.interrupts import Interrupts
from tonearm.proxy.launch import Proxy
from tonearm.proxy.pins import ask
from tonearm.proxy.tally import Tally
from tonearm.proxy.writer import Writer

logger = logging.getLogger(__name__)

SERVER_GRACE_S = 600.0
"""How long answers under way may take to finish after a signal; a second signal ends the wait."""

COMMAND_GRACE_S = 10.0
"""The same after the command has ended, when as a rule nobody is left to read them."""

FLUSH_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to record, where to listen and where to write."""

    upstream: Address
    listen: Address
    shelf: Path

    def __post_init__(self) -> None:
        if self.upstream.same_place(self.listen):
            raise UsageError(
                f"the upstream {self.upstream.url} is the address that the recorder itself would "
                "listen on; give Ollama's own address with --upstream or unset OLLAMA_HOST"
            )


def record(settings: Settings, command: Sequence[str], say: Callable[[str], None]) -> Result:
    """Record until the command ends, or without one until a signal comes.

    Args:
        settings: What, where and whereto.
        command: The command and its arguments; empty for none.
        say: Takes lines for the human who watches.

    Raises:
        CaptureError: The recorder cannot start.
        UsageError: There is no such command.
    """
    prepare(settings.shelf)
    run = _Run(settings, say)
    try:
        code = asyncio.run(run.serve(command))
    finally:
        run.writer.close(FLUSH_S)
    return Result(code=code, tally=run.tally, address=run.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a run of the recorder ended."""

    code: int
    """The command's exit code, 0 where there was no command."""
    tally: Tally
    address: Address
    """Where the recorder listened."""


def prepare(shelf: Path) -> None:
    """Create a shelf where there is none and see that files can be made in it.

    Raises:
        CaptureError: They cannot.
    """
    try:
        shelf.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=shelf):
            pass
    except OSError as err:
        raise CaptureError(f"cannot write to the shelf {shelf}: {err.strerror}") from err


class _Run:
    """The parts of one run."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self.tally = Tally()
        self.writer = Writer(Filing(Shelf(settings.shelf), self.tally), self.tally)
        self.address = settings.listen
        self._settings = settings
        self._say = say
        self._proxy = Proxy(
            Recorder(self.writer.put, self.tally),
            upstream=settings.upstream,
            listen=settings.listen,
        )

    async def serve(self, command: Sequence[str]) -> int:
        with Interrupts() as interrupts:
            self.address = await self._proxy.start()
            self.writer.start()
            try:
                await self._greet()
                if command:
                    env = child.environment(os.environ, self.address)
                    code = await child.run(command, env, interrupts)
                else:
                    code = await self._wait(interrupts)
                await self._drain(interrupts, COMMAND_GRACE_S if command else SERVER_GRACE_S)
            finally:
                await self._proxy.stop()
        return code

    async def _greet(self) -> None:
        url, shelf = self._settings.upstream.url, self._settings.shelf
        self._say(f"recording Ollama at {url} into {shelf}; clients connect to {self.address.url}")
        try:
            await asyncio.to_thread(ask, url, "/api/version")
        except (OSError, WireError) as err:
            self._say(f"warning: Ollama at {url} does not answer yet: {err}")

    async def _wait(self, interrupts: Interrupts) -> int:
        asked = asyncio.Event()
        interrupts.hand_to(lambda number: asked.set())
        await asked.wait()
        return 0

    async def _drain(self, interrupts: Interrupts, grace_s: float) -> None:
        cut = asyncio.Event()
        interrupts.hand_to(lambda number: cut.set())
        if busy := self._proxy.busy:
            self._say(f"clients with an answer under way: {busy}; interrupt again to cut them off")
        await self._proxy.drain(grace_s, cut)
