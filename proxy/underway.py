"""Keep on the disk what has come of running exchanges, in case the recorder is killed.

One thread looks at them every second and writes what is new into a journal. It changes nothing that
it looks at, so the event loop never waits for it. Text is redacted before it is written, and the
end of an answer is kept back for as long as a secret could still be growing there.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path

from tonearm.canonical import JsonObject
from tonearm.cassette import Clean
from tonearm.cassette.journal import JournalWriter
from tonearm.model import Chunk, Exchange, HttpRequest
from tonearm.proxy.capture import Capture
from tonearm.proxy.writer import Progress
from tonearm.redaction.unfinished import settled_end

logger = logging.getLogger(__name__)

EVERY_S = 1.0
SHARE = 50
"""Looking takes no more than this part of a processor, however much is under way."""
FULL_BYTES = 64 << 20
"""A journal that has grown to this is begun anew."""


@dataclass(slots=True, kw_only=True)
class _Known:
    """An exchange that is in the journal, and how much of it."""

    capture: Capture
    number: int
    pieces: int = -1
    status: int = 0
    size: int = 0
    """Of the answer, as it was written."""
    digest: bytes = b""
    """Of these bytes: a later look may read them differently."""
    redaction: JsonObject | None = None

    def grown(self, body: bytes) -> bool:
        """Return whether what was written stands at the beginning of a body."""
        return _digest(body[: self.size]) == self.digest


@dataclass(slots=True, kw_only=True)
class _Over:
    """What is to be done once the writer has brought everything so far onto the disk."""

    then: Callable[[], None]
    mark: int | None = None
    """How many captures the writer must have settled by then."""


class UnderWay:
    """The thread and its journal."""

    def __init__(
        self,
        shelf: Path,
        captures: Callable[[], list[Capture]],
        progress: Callable[[], Progress],
        *,
        clean: Clean,
        token: str,
        clock: Callable[[], float] = time.monotonic,
        full_bytes: int = FULL_BYTES,
    ) -> None:
        """Take what is needed; nothing is written before the first look.

        Args:
            shelf: Where the journal is to be.
            captures: Returns what is under way.
            progress: How far the writer is, whose records take the place of the journal's.
            clean: Redacts an exchange; no other thread may use it.
            token: Names the journal.
            clock: The one that the captures' times are of.
            full_bytes: How large a journal may become.
        """
        self._shelf = shelf
        self._captures = captures
        self._progress = progress
        self._clean = clean
        self._names = (f"{token}-{n}" for n in count())
        self._clock = clock
        self._full_bytes = self._limit_bytes = full_bytes
        self._numbers = count()
        self._known: dict[int, _Known] = {}
        self._over: list[_Over] = []
        self._journal: JournalWriter | None = None
        self._failed = False
        self._stop = threading.Event()
        # A daemon, so that a disk that hangs cannot keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="tonearm-under-way", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self, timeout_s: float) -> None:
        """End the thread, after the writer; a journal that is not needed any more is deleted."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)

    def _run(self) -> None:
        wait_s = EVERY_S
        while not self._stop.wait(wait_s):
            began_s = time.thread_time()
            self.look()
            wait_s = max(EVERY_S, SHARE * (time.thread_time() - began_s))
        self.look()
        self.look()

    def look(self) -> None:
        """Bring what is new of the exchanges under way onto the disk."""
        try:
            self._look()
        except Exception as err:  # a journal is worth less than a recorder
            if not self._failed:
                logger.warning("a kill would lose what is under way: %s", err)
            self._failed = True
            self._forget()
        else:
            self._failed = False

    def _look(self) -> None:
        now_s = self._clock()
        live = {id(c): c for c in self._captures() if now_s - c.started_s >= EVERY_S}
        self._let_go(live)
        full = self._full()
        for key, capture in live.items():
            known = self._known.get(key)
            if known is None:
                known = self._known[key] = _Known(capture=capture, number=next(self._numbers))
            self._write(known, capture.so_far(now_s))
        if self._journal is not None:
            self._journal.sync()
        if full is not None:
            self._over.append(_Over(then=full.remove))
            live_bytes = self._journal.size_bytes if self._journal else 0
            self._limit_bytes = max(self._full_bytes, 2 * live_bytes)
        if not self._known and not self._over:
            self._forget()

    def _full(self) -> JournalWriter | None:
        """Return a journal that has become too large, after which another one begins."""
        full = self._journal
        if full is None or full.size_bytes <= self._limit_bytes:
            return None
        self._journal = None
        for known in self._known.values():
            known.pieces = -1
        return full

    def _let_go(self, live: dict[int, Capture]) -> None:
        """Note what has ended, once it is on the disk as a record."""
        accepted, settled = self._progress()
        for over in self._over[:]:
            if over.mark is None:
                over.mark = accepted  # a look ago it had ended, so by now it is among these
            if settled >= over.mark:
                over.then()
                self._over.remove(over)
        for key in self._known.keys() - live.keys():
            known = self._known.pop(key)
            if self._journal is not None:
                self._over.append(_Over(then=partial(self._journal.end, known.number)))

    def _write(self, known: _Known, capture: Capture) -> None:
        pieces = len(capture.tee.pieces) if capture.tee else 0
        if (pieces, capture.status) == (known.pieces, known.status):
            return
        fresh = known.pieces < 0
        known.pieces, known.status = pieces, capture.status
        raw = capture.exchange()
        exchange = None if fresh else self._cleaned(_answer_alone(raw, known.redaction))
        goes_on = exchange is not None and known.grown(exchange.response.body)
        if not goes_on:
            exchange = self._cleaned(raw)
        if exchange is None:
            return
        if self._journal is None:
            self._journal = JournalWriter(self._shelf, next(self._names))
        if goes_on:
            self._journal.go_on(known.number, exchange, known.size)
        else:
            self._journal.begin(known.number, exchange)
        body = exchange.response.body
        known.size, known.digest, known.redaction = len(body), _digest(body), exchange.redaction

    def _cleaned(self, exchange: Exchange | None) -> Exchange | None:
        """Return what of an exchange can be written by now, ``None`` where it makes no sense."""
        if exchange is None:
            return None
        body = exchange.response.body
        lines = body.count(b"\n", 0, settled_end(body))
        try:
            return _cut(self._clean(exchange), lines)
        except Exception as err:  # the others are to be kept all the same
            logger.debug("an exchange under way is not kept: %s", type(err).__name__)
            return None

    def _forget(self) -> None:
        """Delete the journal."""
        if self._journal is not None:
            self._journal.remove()
        self._journal = None
        self._known.clear()
        self._over.clear()


def _answer_alone(exchange: Exchange, redaction: JsonObject | None) -> Exchange | None:
    """Return an exchange without its question, which was redacted at an earlier look.

    Where secrets were found ``None``: what stands for them in the answer depends on the question.
    """
    if redaction is None or redaction.get("secrets"):
        return None
    question = HttpRequest(method=exchange.request.method, uri=exchange.request.uri)
    return replace(exchange, request=question, redaction=redaction)


def _cut(exchange: Exchange, lines: int) -> Exchange:
    """Return an exchange with no more than the first lines of its answer."""
    body = exchange.response.body
    end = len(body) - len(body.split(b"\n", lines)[lines])
    chunks = [chunk for chunk in exchange.chunks if chunk.end <= end]
    rest = exchange.chunks[len(chunks) :]
    if rest and end > (chunks[-1].end if chunks else 0):
        chunks.append(Chunk(end, rest[0].at_s))
    return replace(exchange, response=replace(exchange.response, body=body[:end]), chunks=chunks)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()
