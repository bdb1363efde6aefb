"""Count what was recorded, what passed and what was lost, and why."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tally:
    """The figures of one recorder; the event loop and the writer thread both count here."""

    recorded: int = 0
    """Exchanges that are on the disk, synced."""
    recovered: int = 0
    """Exchanges of recorders that were killed, as far as they had come."""
    unanswered: int = 0
    """Those among them in which the upstream gave no answer."""
    passed: int = 0
    """Requests that were let through unrecorded, as they are meant to be."""
    refused: Counter[str] = field(default_factory=Counter)
    """Requests that were not let in, by reason."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """Exchanges that were seen, by how they ended."""
    copied_bytes: int = 0
    """Of the bodies of these exchanges."""
    conversations: int = 0
    files: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    """Exchanges that should have been recorded and were not, by reason."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def lose(self, reason: str, exchanges: int = 1) -> None:
        """Count exchanges that are gone."""
        with self._lock:
            self.lost[reason] += exchanges

    def keep(self, exchanges: int) -> None:
        """Count exchanges that are safe on the disk."""
        with self._lock:
            self.recorded += exchanges

    def losses(self) -> dict[str, int]:
        """Return what is lost so far, by reason."""
        with self._lock:
            return dict(self.lost)
