"""What an arm is: anything that can answer a recorded request.

An arm opens once, plays any number of requests, and closes. What goes wrong before the first
request is an ``ArmUnavailable``; what goes wrong with one request is a take that says so, because
the other turns can still be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tonearm.model import ChatRequest, Take


class Arm(Protocol):
    """Something that answers chat requests and shows what it saw at each layer."""

    @property
    def name(self) -> str:
        """The name in reports, unique within a run."""

    async def open(self, models: Sequence[str]) -> None:
        """Get ready to answer for these models.

        Raises:
            ArmUnavailable: It cannot run here; the message says what to do.
        """

    async def play(self, request: ChatRequest) -> Take:
        """Answer one request. Failures are takes with ``error``, not exceptions."""

    async def close(self) -> None:
        """Let go of connections and processes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmOptions:
    """What a user can set for an arm."""

    name: str | None = None
    """The name in reports, where the arm's own is not wanted or taken."""
    url: str = "http://127.0.0.1:11434"
    model: str | None = None
    """Asked instead of the recorded model."""
    timeout_s: float = 600.0
    """The longest silence from a server, seconds. Loading a large model is silent."""
    layers: bool = True
    """Ask for what makes the inner layers visible; without it only the plain request is sent."""
