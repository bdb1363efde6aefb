"""Does a server print the control tokens of a raw answer?

Ollama from 0.30 on asks its engine to print them for the chat endpoint alone. In a raw answer,
tokens that the model file types as control come out as nothing: no thought, no call, only their
insides as text. That must never be taken for an answer without a call, so arm B finds out before it
starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from tonearm.model import Decoded, WireShape

PROBE_TOKENS = 24
"""Enough to end a call that the prompt began."""


class Printing(StrEnum):
    """What is known of a server's printing."""

    PRINTED = "printed"
    STRIPPED = "stripped"
    UNKNOWN = "unknown"


def printing(decoded: Decoded, shape: WireShape, markers: Sequence[str]) -> Printing:
    """Judge by an answer to a prompt that asks for a marker.

    A token without text brings no log-prob either, so stripped tokens show as a difference between
    the tokens that were counted and those that came.
    """
    if any(marker in decoded.completion for marker in markers):
        return Printing.PRINTED
    return Printing.STRIPPED if missing(decoded, shape) else Printing.UNKNOWN


def missing(decoded: Decoded, shape: WireShape) -> int:
    """Return how many counted tokens came without text, the one that ended the turn aside."""
    ended = 1 if shape.done_reason == "stop" else 0
    return max(0, (decoded.eval_count or 0) - ended - len(decoded.tokens))
