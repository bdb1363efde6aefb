"""Pair the members of two lists so that the pairs cost least together.

The method is Kuhn's, with potentials (the "Hungarian" one): rows enter one at a time, and each
looks for the cheapest chain of swaps that frees a column. Costs are exact integers.
"""

from __future__ import annotations

from collections.abc import Sequence


def cheapest(costs: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Return the pairs (row, column) of least total cost, as many as fit, sorted by row.

    Takes time in proportion to rows * rows * columns, where there are fewer rows, else the reverse.
    """
    if not costs or not costs[0]:
        return []
    if len(costs) > len(costs[0]):
        flipped = cheapest([list(column) for column in zip(*costs, strict=True)])
        return sorted((row, column) for column, row in flipped)
    row_of: dict[int, int] = {}
    row_price = [0] * len(costs)
    column_price = [0] * len(costs[0])
    for row in range(len(costs)):
        _enter(row, costs, row_of, row_price, column_price)
    return sorted((row, column) for column, row in row_of.items())


def _enter(
    row: int,
    costs: Sequence[Sequence[int]],
    row_of: dict[int, int],
    row_price: list[int],
    column_price: list[int],
) -> None:
    """Give one more row a column, moving others along the cheapest chain (Dijkstra's search)."""
    distance: dict[int, int] = {}
    came_from: dict[int, int | None] = {}
    reached: dict[int, int] = {}
    column, here, so_far = None, row, 0
    open_columns = set(range(len(column_price)))
    while True:
        for c in open_columns:
            step = so_far + costs[here][c] - row_price[here] - column_price[c]
            if c not in distance or step < distance[c]:
                distance[c], came_from[c] = step, column
        column = min(open_columns, key=lambda c: (distance[c], c))
        open_columns.remove(column)
        so_far = reached[column] = distance[column]
        if column not in row_of:
            break
        here = row_of[column]
    row_price[row] += so_far
    for c, at in reached.items():
        if c in row_of:
            row_price[row_of[c]] += so_far - at
        column_price[c] -= so_far - at
    while column is not None:
        previous = came_from[column]
        row_of[column] = row if previous is None else row_of[previous]
        column = previous
