"""One run of ``tonearm serve --arm``: open the arm, listen, wait for a signal, close it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from tonearm.arms.base import Arm
from tonearm.proxy.address import Address
from tonearm.replay.server.guard import Guard
from tonearm.replay.server.hosting import Voice, host
from tonearm.replay.server.stage.source import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Who plays, under which name, and where."""

    arm: Arm
    model: str
    listen: Address
    origins: Sequence[str] = ()
    """Of pages that may ask, besides local ones."""


def perform(bill: Bill, voice: Voice) -> None:
    """Serve until a signal comes.

    Raises:
        ArmUnavailable: The arm cannot run here.
        UsageError: The address cannot be listened on.
    """
    asyncio.run(_perform(bill, voice))


async def _perform(bill: Bill, voice: Voice) -> None:
    async with Stage(bill.arm, bill.model) as stage:
        greeting = f"serving {bill.model} from {bill.arm.name}"
        await host(stage, bill.listen, Guard(bill.origins), voice, greeting)
