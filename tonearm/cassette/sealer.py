"""When to seal: cassettes that have grown large, once nobody has touched them for a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from tonearm.cassette.names import plain_name
from tonearm.cassette.sealing import seal

logger = logging.getLogger(__name__)

IDLE_S = 600.0
FROM_BYTES = 1 << 20
"""Smaller files stay plain, for people and for stock vcrpy: there is little to be saved."""


class Sealer:
    """The cassettes of a recorder that may have to be sealed; it belongs to one thread."""

    def __init__(
        self,
        *,
        idle_s: float = IDLE_S,
        from_bytes: int = FROM_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._idle_s = idle_s
        self._from_bytes = from_bytes
        self._clock = clock
        self._touched: dict[Path, float] = {}
        """Plain names, the one that was touched longest ago first."""

    def touch(self, path: Path) -> None:
        """Note that a cassette is in use."""
        plain = plain_name(path)
        self._touched.pop(plain, None)
        self._touched[plain] = self._clock()

    @property
    def wait_s(self) -> float | None:
        """How long until a cassette is due, at least 0; ``None`` when there is none."""
        first = next(iter(self._touched.values()), None)
        return None if first is None else max(0.0, first + self._idle_s - self._clock())

    def due(self) -> Path | None:
        """Return the plain name of a cassette that is idle, and forget it."""
        return self._next() if self.wait_s == 0 else None

    def rest(self) -> list[Path]:
        """Return the plain names of all that are left, and forget them: the recorder ends."""
        rest = list(self._touched)
        self._touched.clear()
        return rest

    def seal(self, path: Path) -> bool:
        """Seal a closed cassette if it is large enough; one that cannot be sealed stays plain."""
        try:
            if path.stat().st_size < self._from_bytes:
                return False
            seal(path)
        except FileNotFoundError:
            return False
        except Exception as err:  # to save space is not worth a recorder
            logger.warning("a cassette stays plain: %s", err)
            return False
        return True

    def _next(self) -> Path:
        path = next(iter(self._touched))
        del self._touched[path]
        return path
