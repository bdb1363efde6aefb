"""Cut a request into the parts that come again in the next one: its messages, above all.

An agent sends its whole history with every request. What was looked through once, as a part that is
the same to the byte, need not be looked through again.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise

_WORTH_CUTTING = 2048
_SPACE = re.compile(r"[ \t\n\r]*")
_raw_decode = json.JSONDecoder(strict=False).raw_decode


def units(body: bytes) -> list[tuple[int, int]]:
    """Return the places of the parts of a body, in order and without gaps.

    There is a part for each member of the outermost object, and for each element where that is a
    list. What is not JSON is one part.
    """
    if len(body) < _WORTH_CUTTING:
        return [(0, len(body))]
    try:
        cuts = _members(body.decode("latin-1"))  # so that a character is a byte
    except (ValueError, RecursionError, IndexError):
        cuts = []
    return list(pairwise(sorted({0, *cuts, len(body)})))


def _members(text: str) -> list[int]:
    cuts: list[int] = []
    at = _next(text, 0)
    if text[at] != "{":
        return cuts
    while text[at] in "{,":
        at = _next(text, at + 1)
        cuts.append(at)
        _, at = _raw_decode(text, at)
        at = _next(text, _next(text, at) + 1)
        at = _elements(text, at, cuts) if text[at] == "[" else _raw_decode(text, at)[1]
        at = _next(text, at)
    return cuts


def _elements(text: str, at: int, cuts: list[int]) -> int:
    """Add the places behind a list's elements and return the place behind the list.

    What stands between two elements goes with the second, so that an element that was the last one
    is the same part when another one follows.
    """
    at = _next(text, at + 1)
    while text[at] != "]":
        _, at = _raw_decode(text, at)
        cuts.append(at)
        at = _next(text, at)
        if text[at] == ",":
            at = _next(text, at + 1)
    return at + 1


def _next(text: str, at: int) -> int:
    """Return the place of the next character that is no space."""
    space = _SPACE.match(text, at)
    return space.end() if space else at
