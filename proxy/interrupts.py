"""Take the signals that ask a program to end, and hand them to whoever deals with them now.

None is missed: what comes before anybody deals with them waits.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from types import FrameType
from typing import Self

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


type Reaction = Callable[[signal.Signals], None]


class Interrupts:
    """A block in which such signals call the present reaction on the event loop.

    What the caller of this process chose to ignore, as ``nohup`` does, stays ignored.
    """

    def __init__(self) -> None:
        self._waiting: list[signal.Signals] = []
        self._react: Reaction = self._waiting.append
        self._before: dict[signal.Signals, object] = {}

    def hand_to(self, react: Reaction) -> None:
        """Let a function deal with signals from now on, and with those that wait."""
        self._react = react
        while self._waiting:
            react(self._waiting.pop(0))

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()

        def take(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(lambda: self._react(signal.Signals(number)))

        for name in NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, take)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
