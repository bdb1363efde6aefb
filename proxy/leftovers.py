"""What recorders that were killed had under way, for the next one to record."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from tonearm.cassette import journal
from tonearm.errors import CassetteError
from tonearm.model import Exchange
from tonearm.proxy.recall import Identity, identity

logger = logging.getLogger(__name__)


class Leftovers:
    """The exchanges in the journals of a shelf whose recorders are gone."""

    def __init__(self, shelf: Path) -> None:
        self._journals: list[Path] = []
        self._exchanges: dict[Identity, Exchange] = {}
        for path in journal.find(shelf):
            try:
                self._add(path)
            except CassetteError as err:
                logger.warning("%s", err)

    def _add(self, path: Path) -> None:
        found = journal.read(path)
        if found.live:
            return
        self._journals.append(path)
        for exchange in found.exchanges:
            other = self._exchanges.get(identity(exchange))
            if other is None or len(other.response.body) <= len(exchange.response.body):
                self._exchanges[identity(exchange)] = exchange

    @property
    def exchanges(self) -> list[Exchange]:
        """Those that are not recorded, oldest first."""
        return sorted(self._exchanges.values(), key=lambda exchange: exchange.started_at or "")

    @property
    def wanted(self) -> set[Identity]:
        """What is to be looked for on the shelf."""
        return set(self._exchanges)

    def strike(self, present: Iterable[Identity]) -> None:
        """Take note of exchanges that are recorded: their recorder was killed just after that."""
        for one in present:
            self._exchanges.pop(one, None)

    def remove(self) -> None:
        """Delete the journals, now that all that they hold is recorded."""
        for path in self._journals:
            try:
                journal.remove(path)
            except CassetteError as err:
                logger.warning("%s", err)
