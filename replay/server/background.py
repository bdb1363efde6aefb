"""The server on a thread of its own, for programs whose own loop, if any, is not ours to use."""

from __future__ import annotations

import asyncio
import threading
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import Self

from tonearm.proxy.address import Address
from tonearm.replay.server.front import Front
from tonearm.replay.server.reply import Source

LISTEN = Address(host="127.0.0.1", port=0)
STOP_S = 2.0
"""How long answers under way may take to finish when the block ends."""


class Background:
    """A block in which a source is served on a free port of loopback.

    A source that is a block itself is entered on the server's own loop.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="tonearm-server", daemon=True)
        self.address = LISTEN

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as err:  # it is the starting thread's to raise
            self._failure = err
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        async with AsyncExitStack() as stack:
            if isinstance(self._source, AbstractAsyncContextManager):
                await stack.enter_async_context(self._source)
            front = Front(self._source)
            self.address = await front.start(LISTEN)
            self._started.set()
            await self._ended.wait()
            await front.stop(STOP_S)
