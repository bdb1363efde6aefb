"""Cut a completion into plain text and the special tokens of Gemma 4, in pieces of any size.

A piece may end within a token, so the scanner holds back the few characters that could still
become one, never more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

QUOTE = '<|"|>'
CALL, CALL_END = "<|tool_call>", "<tool_call|>"
CHANNEL, CHANNEL_END = "<|channel>", "<channel|>"
RESPONSE = "<|tool_response>"

STOPS = frozenset({"<turn|>", RESPONSE, "<eos>"})
"""Tokens that end an answer; the runtime stops at them and may show them or not."""

STRAYS = frozenset(
    {"<bos>", "<|turn>", "<|think|>", "<|tool>", "<tool|>", "<tool_response|>", QUOTE}
)
"""Tokens that have no place in an answer outside a call."""

SPECIAL = frozenset({CALL, CALL_END, CHANNEL, CHANNEL_END, *STOPS, *STRAYS})

_SPECIAL = re.compile("|".join(re.escape(token) for token in sorted(SPECIAL)))
_BEGINNINGS = frozenset(token[:size] for token in SPECIAL for size in range(1, len(token)))
_LONGEST = max(map(len, _BEGINNINGS))


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of plain text or one special token."""

    text: str
    offset: int
    """Characters from the start of the completion."""

    @property
    def special(self) -> bool:
        """Whether this is a special token."""
        return self.text in SPECIAL


class Scanner:
    """Cut text that arrives in parts."""

    def __init__(self) -> None:
        self._held = ""
        self._offset = 0

    def feed(self, text: str) -> Iterator[Piece]:
        """Yield what is certain so far."""
        text = self._held + text
        keep = len(text) - _unfinished(text)
        self._held = text[keep:]
        yield from self._cut(text[:keep])

    def close(self) -> Iterator[Piece]:
        """Yield what was held back."""
        text, self._held = self._held, ""
        yield from self._cut(text)

    def _cut(self, text: str) -> Iterator[Piece]:
        start, done = self._offset, 0
        self._offset += len(text)
        for match in _SPECIAL.finditer(text):
            if match.start() > done:
                yield Piece(text[done : match.start()], start + done)
            yield Piece(match[0], start + match.start())
            done = match.end()
        if done < len(text):
            yield Piece(text[done:], start + done)


def _unfinished(text: str) -> int:
    """Return how many characters at the end may be the beginning of a special token."""
    for size in range(min(_LONGEST, len(text)), 0, -1):
        if text[-size] == "<" and text[-size:] in _BEGINNINGS:
            return size
    return 0
