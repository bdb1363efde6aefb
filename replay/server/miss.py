"""A request that was not recorded, and why.

A miss may well be the fault that a test is there to find, so the explanation goes where it is seen:
into the server's log, and into the error that the client shows.
"""

from __future__ import annotations

from dataclasses import dataclass

SHOWN = 10
"""Changes that the log names."""

SHOWN_IN_ERROR = 3
"""Changes that an error names, which clients show on one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A place where what is asked is not what was recorded."""

    place: str
    """As ``--ignore`` takes it."""
    text: str
    """What stands there on either side; safe to print."""

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """A request that cannot be answered from recordings, explained."""

    request: str
    """Method and path."""
    reason: str
    changes: tuple[Change, ...] = ()

    def line(self) -> str:
        """Return the explanation for a client."""
        shown = "; ".join(self._shown(SHOWN_IN_ERROR))
        return f"{self._head()}: {shown}" if shown else self._head()

    def lines(self) -> list[str]:
        """Return the explanation for the log."""
        return [self._head(), *(f"  {line}" for line in self._shown(SHOWN))]

    def _head(self) -> str:
        return f"no recording for {self.request}: {self.reason}"

    def _shown(self, limit: int) -> list[str]:
        shown = [str(change) for change in self.changes[:limit]]
        more = len(self.changes) - limit
        return [*shown, f"and {more} more"] if more > 0 else shown
