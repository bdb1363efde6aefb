"""Keep the note of what was lost up to date while a recorder runs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from tonearm import losses
from tonearm.proxy.tally import Tally

logger = logging.getLogger(__name__)


class LossNote:
    """The note of one run; there is no file as long as nothing is lost."""

    def __init__(self, shelf: Path, tally: Tally, *, token: str, now: Callable[[], str]) -> None:
        self._path = shelf / f"losses-{token}.json"
        self._tally = tally
        self._now = now
        self._started_at = now()
        self._noted: dict[str, int] = {}

    def update(self) -> None:
        """Write the note where the losses have changed; a disk that refuses is asked again."""
        lost = self._tally.losses()
        if lost == self._noted:
            return
        figures = losses.Losses(
            started_at=self._started_at,
            noted_at=self._now(),
            recorded=self._tally.recorded,
            lost=lost,
        )
        try:
            losses.write(self._path, figures)
        except OSError as err:
            logger.debug("the losses cannot be noted on the shelf: %s", err)
        else:
            self._noted = lost

    def update_within(self, timeout_s: float) -> None:
        """Write the note, but do not wait for a disk that hangs."""
        thread = threading.Thread(target=self.update, name="tonearm-losses", daemon=True)
        thread.start()
        thread.join(timeout_s)
