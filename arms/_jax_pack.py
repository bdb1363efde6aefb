"""Put many token sequences into few passes of few shapes.

Turns of a conversation extend one another, so that one pass over the longest gives the log-probs of
all. Lengths and batch sizes are rounded up to a few fixed ones, because every new shape costs a
compilation.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LENGTHS = tuple(n << k for k in range(13) for n in (128, 192))
"""Lengths that are compiled for: neighbours differ by a half or a third."""

BATCHES = (1, 2, 4, 8, 16)

PLACES = 1 << 23
"""Pairs of tokens that attend to each other in one pass; the attention's size in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One sequence of a pass, and the sequences it stands for: all of them begin it."""

    ids: tuple[int, ...]
    members: tuple[int, ...]
    """Indices into what was packed."""


def rows(sequences: Sequence[Sequence[int]]) -> list[Row]:
    """Return rows that hold every sequence, each only once; the order is of no meaning."""
    order = sorted(range(len(sequences)), key=lambda n: tuple(sequences[n]), reverse=True)
    found: list[tuple[tuple[int, ...], list[int]]] = []
    for n in order:
        ids = tuple(sequences[n])
        # Sorted backwards, what begins a sequence comes right behind it and others that it begins.
        if found and found[-1][0][: len(ids)] == ids:
            found[-1][1].append(n)
        else:
            found.append((ids, [n]))
    return [Row(ids=ids, members=tuple(members)) for ids, members in found]


def bucket(length: int) -> int:
    """Return the length that a sequence is padded to."""
    at = bisect_left(LENGTHS, length)
    return LENGTHS[at] if at < len(LENGTHS) else length


def batches(packed: Sequence[Row]) -> Iterator[tuple[int, int, list[Row]]]:
    """Yield length, batch size and rows of each pass."""
    by_length: dict[int, list[Row]] = {}
    for row in packed:
        by_length.setdefault(bucket(len(row.ids)), []).append(row)
    for length, mine in sorted(by_length.items()):
        most = max((b for b in BATCHES if b * length * length <= PLACES), default=1)
        for start in range(0, len(mine), most):
            part = mine[start : start + most]
            yield length, next(b for b in BATCHES if b >= len(part)), part
