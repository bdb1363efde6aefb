"""Tools that answer from a list, the same every time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tonearm.canonical import JsonObject, fingerprint
from tonearm.model import ToolCall

NOT_FOUND = '{"error":"not found"}'
"""What a tool answers to a call that the list does not have."""


class FakeTools:
    """The tools of one task."""

    def __init__(
        self, declarations: Sequence[JsonObject], results: Iterable[tuple[ToolCall, str]]
    ) -> None:
        self.declarations = tuple(declarations)
        self._results = {_key(call): result for call, result in results}

    def declared(self, declarations: Sequence[JsonObject]) -> FakeTools:
        """Return the same tools with other declarations."""
        tools = FakeTools(declarations, ())
        tools._results = self._results
        return tools

    def call(self, call: ToolCall) -> str:
        """Return the text that a tool answers with; a call that nobody foresaw is no failure."""
        return self._results.get(_key(call), NOT_FOUND)


def _key(call: ToolCall) -> str:
    return fingerprint([call.name, call.arguments])
