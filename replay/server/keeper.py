"""Keep what an upstream answers: on the shelf for the next run, and in memory for this one."""

from __future__ import annotations

from pathlib import Path

from tonearm.cassette import Shelf
from tonearm.errors import CassetteError
from tonearm.proxy.capture import Capture
from tonearm.proxy.filing import Filing
from tonearm.proxy.tally import Tally
from tonearm.proxy.writer import Writer
from tonearm.replay.server.loading import Stock, introduce

FLUSH_S = 10.0

_THIS_RUN = Path("this-run")
"""Stands for the cassette of a recording that the writer has yet to place."""


class Keeper:
    """Hands captures to the recorder's writer and to the repertoire."""

    def __init__(self, shelf: Path, stock: Stock) -> None:
        """Start the writer.

        Raises:
            CassetteError: The shelf is no folder and cannot be made one.
        """
        try:
            shelf.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as err:
            raise CassetteError(shelf, f"cannot be recorded into: {err.strerror}") from err
        self.tally = Tally()
        self._stock = stock
        self._kept = 0
        self._writer = Writer(Filing(Shelf(shelf), self.tally), self.tally)
        self._writer.start()

    def keep(self, capture: Capture) -> None:
        """Take the capture of an exchange that has ended; it is redacted on its way to the disk."""
        exchange = capture.exchange()
        self._writer.put(capture)
        recording = self._stock.repertoire.add(exchange, _THIS_RUN, self._kept, keep_body=True)
        recording.served = 1  # to the client that made the upstream answer
        introduce(self._stock.lineup, exchange)
        self._kept += 1

    def close(self) -> None:
        """Write what is still to be written."""
        self._writer.close(FLUSH_S)
