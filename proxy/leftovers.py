"""What recorders that were killed had under way, for the next one to record."""

from __future__ import annotations

import logging
from pathlib import Path

from tonearm.cassette import journal
from tonearm.errors import CassetteError
from tonearm.model import Exchange

logger = logging.getLogger(__name__)


class Leftovers:
    """The exchanges in the journals of a shelf whose recorders are gone."""

    def __init__(self, shelf: Path) -> None:
        self._journals: list[Path] = []
        self._exchanges: dict[tuple[str | None, str], Exchange] = {}
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
            other = self._exchanges.get(_identity(exchange))
            if other is None or len(other.response.body) <= len(exchange.response.body):
                self._exchanges[_identity(exchange)] = exchange

    @property
    def exchanges(self) -> list[Exchange]:
        """Those that are not recorded, oldest first."""
        return sorted(self._exchanges.values(), key=lambda exchange: exchange.started_at or "")

    def strike(self, exchange: Exchange) -> None:
        """Take note of an exchange that is recorded: its recorder was killed just after that."""
        self._exchanges.pop(_identity(exchange), None)

    def remove(self) -> None:
        """Delete the journals, now that all that they hold is recorded."""
        for path in self._journals:
            try:
                journal.remove(path)
            except CassetteError as err:
                logger.warning("%s", err)


def _identity(exchange: Exchange) -> tuple[str | None, str]:
    """Return what no two exchanges share: they start at different microseconds."""
    return exchange.started_at, exchange.request.uri
