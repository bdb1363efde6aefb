"""Find out which of two lists of tool calls belong together.

``match`` pairs equal calls and alone decides what is missing or extra. ``pair_up`` pairs the rest,
so that a reader sees "this call changed" and not "one vanished, one appeared".
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tonearm.canonical import Json
from tonearm.model import ToolCall
from tonearm.replay.arguments import Canon, differences, spelling
from tonearm.replay.assignment import cheapest

MAX_CALLS = 64
"""Calls on one side that are paired by likeness; more are paired by position."""
MAX_CHARACTERS = 1 << 20
"""Text that all the comparisons together may read; beyond it, too, position decides."""

type Pair = tuple[int, int]
"""Index of an expected call and of an actual one, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A call with its canonical arguments."""

    call: ToolCall
    canon: Canon
    arguments: Json
    key: str
    """Equal for equal calls."""


def item(call: ToolCall, canon: Canon) -> Item:
    """Return a call with its canonical arguments."""
    arguments = canon.arguments(call.arguments)
    return Item(call=call, canon=canon, arguments=arguments, key=spelling([call.name, arguments]))


def match(left: Sequence[Item], right: Sequence[Item]) -> list[Pair]:
    """Return the pairs of equal calls, sorted; of several equal ones the first go together."""
    waiting: defaultdict[str, deque[int]] = defaultdict(deque)
    for j, other in enumerate(right):
        waiting[other.key].append(j)
    return [(i, waiting[own.key].popleft()) for i, own in enumerate(left) if waiting[own.key]]


def pair_up(
    left: Sequence[Item], right: Sequence[Item], rows: Iterable[int], columns: Iterable[int]
) -> list[Pair]:
    """Return pairs of the given calls, as many as there can be, sorted.

    Calls to the same tool come first. Among them those go together that differ in fewest places,
    then those that stand nearest to one another in the lists.
    """
    rows, columns = list(rows), list(columns)
    by_name: defaultdict[str, tuple[list[int], list[int]]] = defaultdict(lambda: ([], []))
    for i in rows:
        by_name[left[i].call.name][0].append(i)
    for j in columns:
        by_name[right[j].call.name][1].append(j)
    pairs = [pair for group in by_name.values() for pair in _likest(left, right, *group)]
    taken_rows, taken_columns = {i for i, _ in pairs}, {j for _, j in pairs}
    pairs += _likest(
        left,
        right,
        [i for i in rows if i not in taken_rows],
        [j for j in columns if j not in taken_columns],
    )
    return sorted(pairs)


def _likest(
    left: Sequence[Item], right: Sequence[Item], rows: list[int], columns: list[int]
) -> list[Pair]:
    reading = len(columns) * sum(len(left[i].key) for i in rows)
    reading += len(rows) * sum(len(right[j].key) for j in columns)
    if max(len(rows), len(columns)) > MAX_CALLS or reading > MAX_CHARACTERS:
        return list(zip(rows, columns, strict=False))
    one_place = (len(rows) + len(columns)) ** 2
    costs = [
        [one_place * _places(left[i], right[j]) + abs(m - n) for n, j in enumerate(columns)]
        for m, i in enumerate(rows)
    ]
    return [(rows[m], columns[n]) for m, n in cheapest(costs)]


def _places(left: Item, right: Item) -> int:
    return sum(1 for _ in differences(left.arguments, right.arguments, left.canon.unordered))
