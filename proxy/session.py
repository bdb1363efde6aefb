"""One run of the recorder: start everything, wait for the end, flush, and say how it went."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tonearm.cassette import Clean, Shelf, cleaner, keep_raw
from tonearm.errors import CaptureError, UsageError, WireError
from tonearm.proxy import child
from tonearm.proxy.addon import Recorder, utc_now
from tonearm.proxy.address import Address
from tonearm.proxy.filing import Filing
from tonearm.proxy.gate import Gate
from tonearm.proxy.interrupts import Interrupts
from tonearm.proxy.launch import Proxy
from tonearm.proxy.lossnote import LossNote
from tonearm.proxy.pins import ask
from tonearm.proxy.tally import Tally
from tonearm.proxy.underway import UnderWay
from tonearm.proxy.writer import Writer

if TYPE_CHECKING:
    from tonearm.proxy.metrics import Delay

logger = logging.getLogger(__name__)

SERVER_GRACE_S = 600.0
"""How long answers under way may take to finish after a signal; a second signal ends the wait."""

COMMAND_GRACE_S = 10.0
"""The same after the command has ended, when as a rule nobody is left to read them."""

FLUSH_S = 30.0
NOTE_S = 5.0

SWITCH_S = 0.0001
"""How long the writer's thread may keep the event loop from running; Python's own value is fifty
times that, and every piece of an answer could have to wait for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to record, where to listen and where to write."""

    upstream: Address
    listen: Address
    shelf: Path
    mode: str = "reverse"
    """How traffic gets here, in mitmproxy's words."""
    token: str | None = None
    """What every request must carry."""
    metrics: Address | None = None
    """Where figures are shown to Prometheus."""
    unsafe_raw: bool = False
    """Whether everything is written as it is, secrets included."""

    def __post_init__(self) -> None:
        if self.mode in ("reverse", "regular") and self.upstream.same_place(self.listen):
            raise UsageError(
                f"the upstream {self.upstream.url} is the address that the recorder itself would "
                "listen on; give Ollama's own address with --upstream or unset OLLAMA_HOST"
            )


def make_gate(settings: Settings, tally: Tally) -> Gate:
    """Return the gate that keeps shut what the upstream would keep shut."""
    return Gate(
        tally=tally,
        forwards_to=settings.upstream if settings.mode == "regular" else None,
        token=settings.token,
        guards_host=settings.mode == "reverse" and not settings.upstream.loopback,
    )


def record(settings: Settings, command: Sequence[str], say: Callable[[str], None]) -> Result:
    """Record until the command ends, or without one until a signal comes.

    Args:
        settings: What, where and whereto.
        command: The command and its arguments; empty for none.
        say: Takes lines for the human who watches.

    Raises:
        CaptureError: The recorder cannot start.
        RedactionError: The key or the rules of the shelf's redaction cannot be used.
        UsageError: There is no such command.
    """
    prepare(settings.shelf)
    run = _Run(settings, say)
    sys.setswitchinterval(SWITCH_S)
    try:
        code = asyncio.run(run.serve(command))
    finally:
        run.close()
    return Result(code=code, tally=run.tally, address=run.address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a run of the recorder ended."""

    code: int
    """The command's exit code, 0 where there was no command."""
    tally: Tally
    address: Address
    """Where the recorder listened."""


@asynccontextmanager
async def recording(settings: Settings) -> AsyncIterator[Result]:
    """Record what a block on the caller's own event loop sends to the address that it is given.

    When the block has ended, what was recorded is on the shelf.

    Raises:
        CaptureError: The recorder cannot start.
        RedactionError: The key or the rules of the shelf's redaction cannot be used.
    """
    prepare(settings.shelf)
    run = _Run(settings, logger.info)
    try:
        async with run.listening():
            yield Result(code=0, tally=run.tally, address=run.address)
            await run.finish()
    finally:
        await asyncio.to_thread(run.close)


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


def _clean(settings: Settings) -> Clean:
    return keep_raw if settings.unsafe_raw else cleaner(settings.shelf)


class _Run:
    """The parts of one run."""

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self.tally = Tally()
        token = secrets.token_hex(4)
        self.note = LossNote(settings.shelf, self.tally, token=token, now=utc_now)
        filing = Filing(Shelf(settings.shelf), self.tally, clean=_clean(settings))
        self.writer = Writer(filing, self.tally, on_idle=self.note.update)
        self.address = settings.listen
        self._settings = settings
        self._say = say
        gate = make_gate(settings, self.tally)
        recorder = Recorder(self.writer.put, self.tally, gate=gate)
        self.under_way = UnderWay(
            settings.shelf,
            recorder.under_way,
            self.writer.progress,
            clean=_clean(settings),  # a redactor belongs to one thread
            token=token,
        )
        self._proxy = Proxy(
            recorder,
            upstream=settings.upstream,
            listen=settings.listen,
            mode=settings.mode,
            gate=gate,
        )

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        self.address = await self._proxy.start()
        self.writer.start()
        self.under_way.start()
        try:
            yield
        finally:
            await self._proxy.stop()

    async def finish(self) -> None:
        await self._proxy.drain(COMMAND_GRACE_S, asyncio.Event())

    def close(self) -> None:
        self.writer.close(FLUSH_S)
        self.under_way.close(NOTE_S)
        self.note.update_within(NOTE_S)

    async def serve(self, command: Sequence[str]) -> int:
        with Interrupts() as interrupts:
            async with self.listening(), self._figures():
                gc.freeze()  # to look through all that is loaded would hold every stream up
                await self._greet()
                if command:
                    env = child.environment(
                        os.environ,
                        self.address,
                        upstream=self._settings.upstream,
                        mode=self._settings.mode,
                    )
                    code = await child.run(command, env, interrupts)
                else:
                    code = await self._wait(interrupts)
                await self._drain(interrupts, COMMAND_GRACE_S if command else SERVER_GRACE_S)
        return code

    @asynccontextmanager
    async def _figures(self) -> AsyncIterator[None]:
        if self._settings.metrics is None:
            yield
            return
        from tonearm.proxy.metrics import MetricsServer, exposition

        def text(delay: Delay) -> str:
            backlog, size = self.writer.backlog, self.writer.backlog_bytes
            return exposition(self.tally, delay, backlog=backlog, backlog_bytes=size)

        metrics = MetricsServer(self._settings.metrics, text)
        address = await metrics.start()
        self._say(f"figures for Prometheus at {address.url}/metrics")
        try:
            yield
        finally:
            await metrics.stop()

    async def _greet(self) -> None:
        url, shelf = self._settings.upstream.url, self._settings.shelf
        way = {
            "reverse": f"clients connect to {self.address.url}",
            "regular": f"clients use the proxy {self.address.url}",
        }.get(self._settings.mode, f"mode {self._settings.mode}")
        self._say(f"recording Ollama at {url} into {shelf}; {way}")
        if self._settings.unsafe_raw:
            self._say(
                "WARNING: redaction is off (--unsafe-raw): keys, passwords and personal data are "
                f"written to {shelf} as they pass"
            )
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
