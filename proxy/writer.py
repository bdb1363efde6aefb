"""Take finished captures off the event loop and write them in one thread.

The queue between the two is bounded by number and by bytes. What does not fit is dropped and
counted: the traffic never waits for the disk.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import NamedTuple

from tonearm.errors import CassetteError
from tonearm.proxy.capture import Capture
from tonearm.proxy.filing import Filing
from tonearm.proxy.tally import Tally

logger = logging.getLogger(__name__)

MAX_ITEMS = 10_000
MAX_BYTES = 256 << 20
GATHER_S = 0.04
"""How long the thread lets captures come together once it is awake; each of its wakings takes time
from the event loop, and most of all right after an answer, when the next question comes."""

SYNC_S = 0.2
"""How long a record may wait for the disk while others follow it; one that is alone waits for
nothing more."""

LAST_S = 5.0
"""How long a thread that is given up may take to bring what it has written onto the disk."""


class Progress(NamedTuple):
    """How far the writer is."""

    accepted: int
    """Captures that were queued since the start."""
    settled: int
    """The first so many of them are on the disk, or counted as lost."""


class Writer:
    """One thread and the queue that leads to it."""

    def __init__(
        self,
        filing: Filing,
        tally: Tally,
        *,
        max_items: int = MAX_ITEMS,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = time.monotonic,
        on_idle: Callable[[], None] = lambda: None,
    ) -> None:
        self._filing = filing
        self._tally = tally
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._clock = clock
        self._on_idle = on_idle
        self._queue: SimpleQueue[Capture | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._items = 0
        self._bytes = 0
        self._accepted = 0
        self._written = 0
        self._settled = 0
        self._closed = False
        self._given_up = False
        self._closing = threading.Event()
        self._synced_s = float("-inf")
        # A daemon, so that a disk that hangs cannot keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="tonearm-writer", daemon=True)

    @property
    def backlog(self) -> int:
        """How many captures wait to be written, the one being written included."""
        return self._items

    @property
    def backlog_bytes(self) -> int:
        """How much memory the bodies of these hold."""
        return self._bytes

    def progress(self) -> Progress:
        """Return how far the writer is; any thread may ask."""
        return Progress(self._accepted, self._settled)

    def start(self) -> None:
        """Start the thread; it first reads what the shelf already holds."""
        self._thread.start()

    def put(self, capture: Capture) -> None:
        """Queue a capture, or count it as lost; returns at once in either case."""
        size = capture.size_bytes
        with self._lock:
            reason = self._refuse(size)
            if reason is None:
                self._items += 1
                self._accepted += 1
                self._bytes += size
        if reason is None:
            self._queue.put(capture)
        else:
            self._tally.lose(reason)

    def close(self, timeout_s: float) -> None:
        """Write what is queued and end the thread; what takes longer is counted as lost."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        self._closing.set()
        self._queue.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
            self._given_up = True
            self._thread.join(LAST_S)
        if missing := self._items + self._filing.unsynced:
            self._tally.lose(f"not written within {timeout_s:g} s of the end", missing)

    def _refuse(self, size: int) -> str | None:
        if self._closed:
            return "the recorder was closed"
        if self._thread.ident is not None and not self._thread.is_alive():
            return "the writer thread has ended"
        if self._items >= self._max_items or self._bytes + size > self._max_bytes:
            return "the queue to the writer was full"
        return None

    def _run(self) -> None:
        try:
            self._filing.read_shelf(self._is_needed)
        except Exception as err:  # the shelf may be gone, the thread must not
            logger.error("the shelf cannot be read: %s", err)
        while (capture := self._next()) is not None and not self._given_up:
            if self._queue.empty():
                self._closing.wait(GATHER_S)
            self._write(capture)
        self._filing.close()
        self._settled = self._written

    def _is_needed(self) -> bool:
        """Return whether to read the shelf has to stop, lest captures are dropped meanwhile."""
        full = self._items > self._max_items // 2 or self._bytes > self._max_bytes // 2
        return full or self._closed

    def _next(self) -> Capture | None:
        """Return the next capture, ``None`` at the end; sync where the wait allows or forces it."""
        while self._filing.dirty:
            wait_s = self._synced_s + SYNC_S - self._clock()
            try:
                if wait_s > 0:
                    return self._queue.get(timeout=wait_s)
            except Empty:
                pass
            self._filing.sync()
            self._settled = self._written
            self._synced_s = self._clock()
        self._settled = self._written
        self._on_idle()
        return self._rest()

    def _rest(self) -> Capture | None:
        """Return the next capture; what nobody has touched for long is sealed while none comes."""
        while True:
            try:
                return self._queue.get(timeout=self._filing.idle_wait_s)
            except Empty:
                self._filing.seal_idle()

    def _write(self, capture: Capture) -> None:
        try:
            self._filing.file(capture.exchange())
        except Exception as err:  # whatever one exchange brings, the next one has its chance
            self._tally.lose(_reason(err))
            logger.error("an exchange is lost: %s", err)
        self._written += 1
        with self._lock:
            self._items -= 1
            self._bytes -= capture.size_bytes


def _reason(err: Exception) -> str:
    if isinstance(err, CassetteError):
        return err.problem
    return f"recorder fault in the writer: {type(err).__name__}"
