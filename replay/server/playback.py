"""Send a recorded response in its own rhythm, faster, or at once."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tonearm.errors import UsageError
from tonearm.replay.server.framing import Framed
from tonearm.replay.server.reply import Outlet

INSTANT = math.inf
RECORDED = 1.0


def parse_speed(text: str) -> float:
    """Return how many times faster than recorded a text says.

    Raises:
        UsageError: It is neither ``recorded`` nor ``instant`` nor a positive number.
    """
    names = {"instant": INSTANT, "recorded": RECORDED}
    try:
        speed = names.get(text) or float(text)
    except ValueError:
        speed = math.nan
    if not speed > 0:
        raise UsageError(f"--speed {text}: expected recorded, instant, or a number such as 4")
    return speed


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast time passes in a playback."""

    speed: float = INSTANT
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def until(self, recorded_s: float, start_s: float) -> None:
        """Wait for a moment of the recording, given the moment when the playback began."""
        wait_s = start_s + recorded_s / self.speed - self.clock()
        if wait_s > 0:
            await self.sleep(wait_s)

    def is_due(self, recorded_s: float, start_s: float) -> bool:
        """Return whether a moment of the recording has come."""
        return start_s + recorded_s / self.speed <= self.clock()


@dataclass(frozen=True, slots=True)
class Playback:
    """One recorded response on its way to one client."""

    framed: Framed
    pace: Pace
    start_s: float
    """When the request came, on the clock of the pace."""

    async def send(self, outlet: Outlet) -> None:
        """Write the whole response, in as few writes as the rhythm allows."""
        if self.pace.speed == INSTANT:
            await outlet.write(self.framed.whole)
        else:
            await self._send_paced(outlet)
        if self.framed.hang_up:
            outlet.hang_up()

    async def _send_paced(self, outlet: Outlet) -> None:
        whole = memoryview(self.framed.whole)
        sent = end = 0
        for mark, at_s in self.framed.marks:
            if not self.pace.is_due(at_s, self.start_s):
                if end > sent:
                    await outlet.write(whole[sent:end])
                    sent = end
                await self.pace.until(at_s, self.start_s)
            end = mark
        await outlet.write(whole[sent:end])
        if self.framed.hang_up:
            await self.pace.until(self.framed.end_s, self.start_s)
