"""Cut a completion as Ollama's parser does, which takes every tag at its word.

A thought ends at its closing tag and nowhere else; a call ends at the first closing tag, within a
string or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from tonearm.templates.gemma4.tokens import CALL, CALL_END, CHANNEL, CHANNEL_END, STOPS

type Kind = Literal["content", "thinking", "call"]

_OPENING = re.compile(f"{re.escape(CHANNEL)}|{re.escape(CALL)}")
_NOISE = re.compile(rf"\s*(?:(?:{re.escape(CALL_END)}|{re.escape('<|tool_response>')})\s*)*")
_NAME = "thought\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of a completion, without the tags around it."""

    kind: Kind
    text: str
    start: int
    """Characters from the start of the completion."""
    closed: bool = True
    """Whether its closing tag came; content has none."""


def cut(completion: str, *, starts_in_thinking: bool) -> Iterator[Segment]:
    """Yield the parts of a completion in their order.

    Args:
        completion: What the model wrote; the token that ended it may be there or not.
        starts_in_thinking: Whether the parser takes the beginning for a thought.
    """
    text = completion[: _end(completion)]
    kind: Kind = "thinking" if starts_in_thinking else "content"
    position = 0
    while position < len(text):
        if kind == "content":
            opening = _OPENING.search(text, position)
            end = opening.start() if opening else len(text)
            if end > position:
                yield Segment(kind=kind, text=text[position:end], start=position)
            if opening is None:
                return
            kind = "thinking" if opening[0] == CHANNEL else "call"
            position = opening.end()
            if text.startswith(_NAME, position) and kind == "thinking":
                position += len(_NAME)
            continue
        tag = CHANNEL_END if kind == "thinking" else CALL_END
        end = text.find(tag, position)
        closed = end >= 0
        end = end if closed else len(text)
        yield Segment(kind=kind, text=text[position:end], start=position, closed=closed)
        position = end + len(tag)
        if kind == "call" and (noise := _NOISE.match(text, position)):
            position = noise.end()
        kind = "content"


def _end(completion: str) -> int:
    """Return where the tokens that end an answer begin; a server stops at them."""
    end = len(completion)
    while True:
        last = end
        while last and completion[last - 1].isspace():
            last -= 1
        stop = next((s for s in STOPS if completion.endswith(s, 0, last)), None)
        if stop is None:
            return end
        end = last - len(stop)
