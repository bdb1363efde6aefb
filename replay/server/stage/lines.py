"""An answer on its way while it is made: one JSON object a line, or all in one piece."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from email.utils import formatdate

from tonearm.canonical import JsonObject
from tonearm.errors import TonearmError
from tonearm.replay.server.manner import Manner
from tonearm.replay.server.problem import problem_body
from tonearm.replay.server.reply import UNCODED, Asked, Outlet
from tonearm.replay.server.stage.refusal import Refusal
from tonearm.replay.server.stage.writing import refused


async def ahead[T](items: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """Yield items that are made however slowly they are taken, so that nobody waits for a client.

    Closing it closes the items.
    """
    queue: asyncio.Queue[T | None] = asyncio.Queue()

    async def make() -> None:
        try:
            async with aclosing(items):
                async for item in items:
                    queue.put_nowait(item)
        finally:
            queue.put_nowait(None)

    making = asyncio.create_task(make())
    try:
        while (item := await queue.get()) is not None:
            yield item
        await making
    finally:
        making.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await making


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """A stream of objects, put in a manner."""

    asked: Asked
    objects: AsyncGenerator[JsonObject]
    manner: Manner

    async def send(self, outlet: Outlet) -> None:
        """Write each object when it is there; an error has a status only before the first."""
        begun = False
        async with aclosing(self.objects):
            try:
                async for body in self.objects:
                    if not begun:
                        await outlet.write(self._head())
                        begun = True
                    await outlet.write(self._chunk(self.manner.piece(body)))
            except TonearmError as err:
                if not begun:
                    status = err.status if isinstance(err, Refusal) else 500
                    refusal = Refusal(status, str(err), kind=UNCODED, streamed=True)
                    await refused(refusal, self.asked).send(outlet)
                    return
                error = problem_body(self.asked.path, 500, str(err))
                await outlet.write(self._chunk(self.manner.broken(error)))
        if not begun:
            await outlet.write(self._head())
        if self.asked.chunked:
            await outlet.write(b"0\r\n\r\n")
        else:
            outlet.hang_up()

    def _head(self) -> bytes:
        fields = [*self.manner.stream_fields, ("Date", formatdate(usegmt=True))]
        if self.asked.chunked:
            fields.append(("Transfer-Encoding", "chunked"))
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode()

    def _chunk(self, data: bytes) -> bytes:
        return b"%x\r\n%b\r\n" % (len(data), data) if self.asked.chunked else data
