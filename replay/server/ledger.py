"""What a run of the server amounted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tonearm.replay.server.miss import Miss

NAMED = 10
"""Recordings that are named in the summary; more are counted."""


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Counts of the requests of one run."""

    served: int = 0
    """Requests answered with a recording."""
    converted: int = 0
    """Those among them whose recording has the other value of ``stream``."""
    standing: int = 0
    """Requests answered from what is known of server and models."""
    forwarded: int = 0
    """Requests that went on to the upstream."""
    misses: list[Miss] = field(default_factory=list)
    """Requests that were not recorded and should have been."""

    def summary(self, unasked: Sequence[str]) -> list[str]:
        """Return what is worth saying at the end; ``unasked`` names recordings nobody asked for."""
        converted = f" ({self.converted} converted)" if self.converted else ""
        parts = [
            f"{self.served} served from recordings{converted}",
            f"{len(self.misses)} missed",
            f"{len(unasked)} never asked for",
            f"{self.standing} answered from the pins" if self.standing else "",
            f"{self.forwarded} forwarded" if self.forwarded else "",
        ]
        lines = ["; ".join(filter(None, parts))]
        if unasked:
            more = len(unasked) - NAMED
            names = ", ".join(unasked[:NAMED])
            lines.append(f"never asked for: {names}" + (f" and {more} more" if more > 0 else ""))
        return lines
