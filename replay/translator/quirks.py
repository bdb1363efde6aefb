"""The switches of a renderer's habits, and which of them a conversation has occasion for."""

from __future__ import annotations

from collections.abc import Collection

from tonearm.replay.translator.causes import Cause


class Quirks:
    """Choose between what the template writes and what Ollama writes instead."""

    def __init__(self, on: Collection[Cause] = ()) -> None:
        """Begin a rendering in which these habits are switched on."""
        self._on = frozenset(on)
        self.met: set[Cause] = set()
        """Habits that would have changed something so far, switched on or not."""

    def pick[T](self, cause: Cause, ours: T, theirs: T) -> T:
        """Return what is written under the current switches."""
        if ours == theirs:
            return ours
        self.met.add(cause)
        return theirs if cause in self._on else ours

    def applies(self, cause: Cause) -> bool:
        """Return whether a habit is on, at a place where it matters."""
        return self.pick(cause, False, True)
