"""When the pieces of a body came, in a form that costs nothing until somebody asks.

Most readers of a cassette never look at the pieces, and building them would take a third of the
time of loading a file. What is stored is therefore checked at once and taken apart later.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import overload

from tonearm.canonical import JsonObject
from tonearm.cassette.shape import ShapeError, member
from tonearm.model import Chunk

US_PER_S = 1_000_000

_WHERE = "response.tonearm.chunks."
_NUMBERS = re.compile(r"-?[0-9]{1,15}(?: -?[0-9]{1,15})*+")


def to_us(seconds: float) -> int:
    """Return a time in whole microseconds."""
    return round(seconds * US_PER_S)


def to_s(microseconds: int) -> float:
    """Return a time in seconds."""
    return microseconds / US_PER_S


def pack_chunks(chunks: Sequence[Chunk]) -> JsonObject:
    """Return sizes and waiting times, which are shorter to write than offsets and times.

    Each is one text: a YAML reader spends microseconds on every number in a list.
    """
    ends = [0, *(chunk.end for chunk in chunks)]
    times = [0, *(to_us(chunk.at_s) for chunk in chunks)]
    return {
        "bytes": " ".join(str(b - a) for a, b in pairwise(ends)),
        "us": " ".join(str(b - a) for a, b in pairwise(times)),
    }


class StoredChunks(Sequence[Chunk]):
    """The chunks that a cassette holds; equal to a tuple of the same chunks."""

    __slots__ = ("_built", "_sizes", "_waits")

    def __init__(self, packed: JsonObject) -> None:
        """Take what ``pack_chunks`` returned.

        Raises:
            ShapeError: It is not that.
        """
        self._sizes = _numbers(packed, "bytes")
        self._waits = _numbers(packed, "us")
        self._built: tuple[Chunk, ...] | None = None
        if self._sizes.count(" ") != self._waits.count(" "):
            raise ShapeError(f"{_WHERE}bytes and {_WHERE}us are not of one length")

    def _chunks(self) -> tuple[Chunk, ...]:
        if self._built is None:
            ends = accumulate(map(int, self._sizes.split(" ")))
            times = accumulate(map(int, self._waits.split(" ")))
            self._built = tuple(map(Chunk, ends, map(to_s, times)))
        return self._built

    def __len__(self) -> int:
        return self._sizes.count(" ") + 1

    @overload
    def __getitem__(self, index: int) -> Chunk: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Chunk, ...]: ...

    def __getitem__(self, index: int | slice) -> Chunk | tuple[Chunk, ...]:
        return self._chunks()[index]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, StoredChunks | tuple):
            return self._chunks() == tuple(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._chunks())

    def __repr__(self) -> str:
        return repr(self._chunks())


def _numbers(packed: JsonObject, name: str) -> str:
    text = member(packed, name, str, _WHERE)
    if _NUMBERS.fullmatch(text) is None:
        raise ShapeError(f"{_WHERE}{name} is not a row of integers")
    return text
