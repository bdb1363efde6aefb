"""Put every exchange into the cassette of its conversation.

One thread uses this, the writer's. A conversation that an earlier recorder began goes on in its own
file; exchanges that belong to no conversation share one file for each run of the recorder. Of the
files only a bounded number is open at a time.
"""

from __future__ import annotations

import logging
import secrets
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tonearm import wire
from tonearm.canonical import JsonObject
from tonearm.cassette import CassetteWriter, Clean, Sealer, Shelf, cleaner
from tonearm.errors import CassetteError, WireError
from tonearm.model import Exchange, Outcome
from tonearm.proxy.leftovers import Leftovers
from tonearm.proxy.pins import PinBook
from tonearm.proxy.recall import recall
from tonearm.proxy.tally import Tally
from tonearm.stitch import Placement, Stitcher

logger = logging.getLogger(__name__)

LOOSE = -1
"""Stands for the conversation of exchanges that have none."""

MAX_OPEN = 64


class Filing:
    """The cassettes of one shelf and what belongs where."""

    def __init__(
        self,
        shelf: Shelf,
        tally: Tally,
        *,
        clean: Clean | None = None,
        pins: PinBook | None = None,
        token: Callable[[], str] = lambda: secrets.token_hex(4),
        max_open: int = MAX_OPEN,
        sealer: Sealer | None = None,
    ) -> None:
        """Take a shelf and where to count; by default the shelf's own redaction is in force.

        Raises:
            RedactionError: The key or the rules of the shelf cannot be used.
        """
        self._shelf = shelf
        self._tally = tally
        self._clean = clean or cleaner(shelf.root)
        self._pins = pins or PinBook()
        self._token = token
        self._max_open = max_open
        self._sealer = sealer or Sealer()
        self._stitcher = Stitcher()
        self._paths: dict[int, Path] = {}
        self._writers: OrderedDict[int, CassetteWriter] = OrderedDict()
        self._unsynced: Counter[int] = Counter()
        self._conversations: set[int] = set()
        self._files: set[Path] = set()

    @property
    def unsynced(self) -> int:
        """How many exchanges were written and are not synced; any thread may ask."""
        return sum(self._unsynced.values())

    @property
    def dirty(self) -> bool:
        """Whether something was written that is not synced."""
        return bool(self._unsynced)

    def read_shelf(self, enough: Callable[[], bool] = lambda: False) -> None:
        """Learn which conversations the shelf holds; what cannot be read is left alone.

        Args:
            enough: Asked before every file; a conversation of a file that was not read goes on in
                a new one.
        """
        left = Leftovers(self._shelf.root)
        paths = self._shelf.paths()
        found = recall(paths, left.wanted, enough)
        for one in found:
            path = Path(one.path)
            if one.problem is not None:
                logger.warning("a cassette is left alone: %s", one.problem)
                continue
            if not one.foreign:
                self._sealer.touch(path)
            left.strike(one.present)
            self._paths |= dict.fromkeys(self._stitcher.adopt(one.known), path)
        if len(found) == len(paths):
            self._take_over(left)

    def _take_over(self, left: Leftovers) -> None:
        """Record what recorders that were killed had under way."""
        try:
            for exchange in left.exchanges:
                placement = self._place(exchange)
                key, writer = self._writer_for(exchange, placement, _body(exchange))
                writer.append(exchange)
                writer.sync()
                self._sealer.touch(self._paths[key])
                self._tally.recovered += 1
        except CassetteError as err:
            logger.warning("what a killed recorder had under way waits for the next start: %s", err)
        else:
            left.remove()

    def file(self, exchange: Exchange) -> None:
        """Write one exchange into the cassette that it belongs to.

        Raises:
            CassetteError: The file cannot be created or written.
        """
        exchange = self._clean(exchange)
        placement = self._place(exchange)
        starts = placement is not None and placement.index == 0
        body = _body(exchange)
        pin = self._pins.pin(exchange, body, starts=starts)
        key, writer = self._writer_for(exchange, placement, body)
        writer.append(replace(exchange, pin=pin))
        self._count(key, exchange)

    def sync(self) -> None:
        """Bring everything written to the disk, and count it as recorded."""
        for key in list(self._unsynced):
            self._sync(key)

    @property
    def idle_wait_s(self) -> float | None:
        """How long until ``seal_idle`` may have something to do; ``None`` is for ever."""
        return self._sealer.wait_s

    def seal_idle(self) -> None:
        """Close and seal one cassette that nobody has touched for a while."""
        path = self._sealer.due()
        if path is None:
            return
        for key in [key for key, writer in self._writers.items() if writer.path == path]:
            self._shut(key)
        self._sealer.seal(path)

    def close(self) -> None:
        """Sync and close every file, then seal those that have grown large."""
        for key in list(self._writers):
            self._shut(key)
        for path in self._sealer.rest():
            self._sealer.seal(path)

    def _place(self, exchange: Exchange) -> Placement | None:
        try:
            return self._stitcher.add(exchange)
        except Exception as err:  # the facts are worth keeping even where they make no sense
            logger.warning("an exchange could not be placed: %s", type(err).__name__)
            return None

    def _count(self, key: int, exchange: Exchange) -> None:
        self._unsynced[key] += 1
        if key != LOOSE:
            self._conversations.add(key)
        self._files.add(self._paths[key])
        self._sealer.touch(self._paths[key])
        self._tally.conversations = len(self._conversations)
        self._tally.files = len(self._files)
        self._tally.unanswered += exchange.outcome is Outcome.UPSTREAM_ERROR

    def _writer_for(
        self, exchange: Exchange, placement: Placement | None, body: JsonObject
    ) -> tuple[int, CassetteWriter]:
        """Return the cassette that an exchange belongs to, and the number it is known by."""
        key = LOOSE if placement is None else placement.conversation
        name = "loose" if placement is None else str(body.get("model") or "unnamed")
        if key not in self._writers:
            while len(self._writers) >= self._max_open:
                self._shut(next(iter(self._writers)))
            self._writers[key] = self._open(key, name, exchange.started_at or "")
        self._writers.move_to_end(key)
        return key, self._writers[key]

    def _open(self, key: int, name: str, started_at: str) -> CassetteWriter:
        path = self._paths.get(key)
        if path is not None:
            try:
                return CassetteWriter.reopen(path)
            except CassetteError as err:
                logger.warning("%s; the conversation goes on in a new cassette", err)
        path = self._shelf.new_path(name, started_at, self._token())
        writer = CassetteWriter(path)
        self._paths[key] = path
        return writer

    def _sync(self, key: int) -> None:
        try:
            self._writers[key].sync()
        except CassetteError:
            self._shut(key)
        else:
            self._tally.keep(self._unsynced.pop(key, 0))

    def _shut(self, key: int) -> None:
        """Close a file, which tries once more to sync it; the next exchange opens it again."""
        writer = self._writers.pop(key)
        exchanges = self._unsynced.pop(key, 0)
        try:
            writer.close()
        except CassetteError as err:
            lost = writer.unsynced
            logger.error("%d exchanges are lost: %s", lost, err)
            self._tally.lose(err.problem, lost)
            exchanges -= lost
        self._tally.keep(exchanges)


def _body(exchange: Exchange) -> JsonObject:
    try:
        return wire.parse_object(exchange.request.body, "request body")
    except WireError:
        return {}
