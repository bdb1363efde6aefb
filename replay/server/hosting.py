"""Keep a source on an address until a signal comes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from tonearm.proxy.address import Address
from tonearm.proxy.interrupts import Interrupts
from tonearm.replay.server.front import Front
from tonearm.replay.server.guard import Guard
from tonearm.replay.server.reply import Source

GRACE_S = 5.0
"""How long answers under way may take to finish after a signal; a second signal ends the wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """Where a run of the server says what."""

    say: Callable[[str], None]
    """Takes lines for the human who watches."""
    announce: Callable[[str], None]
    """Takes the URL, once the server can be asked."""


async def host(source: Source, listen: Address, guard: Guard, voice: Voice, greeting: str) -> None:
    """Answer on an address until a signal comes.

    Args:
        source: Has the answers.
        listen: Port 0 lets the system choose.
        guard: Decides who may ask.
        voice: Says what happens.
        greeting: What is served.

    Raises:
        UsageError: The address cannot be listened on.
    """
    front = Front(source, guard=guard)
    with Interrupts() as interrupts:
        address = await front.start(listen)
        try:
            voice.say(f"{greeting}; clients connect to {address.url}")
            voice.announce(address.url)
            await _signal(interrupts)
        finally:
            await _stop(front, interrupts, voice)


async def _stop(front: Front, interrupts: Interrupts, voice: Voice) -> None:
    cut = asyncio.Event()
    interrupts.hand_to(lambda number: cut.set())
    if front.busy:
        voice.say(
            f"waiting up to {GRACE_S:g} s for {front.busy} unfinished answers; "
            "interrupt again to cut them off"
        )
    if broken := await front.stop(GRACE_S, cut):
        voice.say(f"{broken} answers were cut off")


async def _signal(interrupts: Interrupts) -> None:
    asked = asyncio.Event()
    interrupts.hand_to(lambda number: asked.set())
    await asked.wait()
