"""Take the signals that ask a program to end, and hand them to whoever deals with them now."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from types import FrameType
from typing import Self

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


class Interrupts:
    """A block in which such signals call ``react`` on the event loop.

    What the caller of this process chose to ignore, as ``nohup`` does, stays ignored.
    """

    def __init__(self) -> None:
        self.react: Callable[[signal.Signals], None] = lambda number: None
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()

        def take(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(lambda: self.react(signal.Signals(number)))

        for name in NAMES:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, take)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
