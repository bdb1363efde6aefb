"""Answers from a list: for tests, and for trying a comparison without a model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from tonearm.model import Answer, ChatRequest, Take


class Scripted:
    """Answer each request with the next entry of a list."""

    def __init__(self, script: Iterable[Answer | Take], *, name: str = "scripted") -> None:
        self._script = iter(script)
        self._name = name
        self.asked: list[ChatRequest] = []
        """The requests so far."""

    @property
    def name(self) -> str:
        """The name in reports."""
        return self._name

    async def open(self, models: Sequence[str]) -> None:
        """Nothing to get ready."""

    async def close(self) -> None:
        """Nothing to let go of."""

    async def play(self, request: ChatRequest) -> Take:
        """Return the next entry; an exhausted script is a take with an error."""
        self.asked.append(request)
        entry = next(self._script, None)
        match entry:
            case None:
                return Take(arm=self._name, error="the script has ended")
            case Answer():
                return Take(arm=self._name, answer=entry)
        return replace(entry, arm=self._name)
