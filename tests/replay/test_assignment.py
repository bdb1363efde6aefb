"""Pairing at least cost, against trying everything."""

from itertools import permutations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tonearm.replay.assignment import cheapest


@st.composite
def cost_tables(draw):
    rows, columns = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    cost = st.integers(0, draw(st.sampled_from([1, 4, 10**20])))
    return draw(
        st.lists(st.lists(cost, min_size=columns, max_size=columns), min_size=rows, max_size=rows)
    )


def total(costs, pairs):
    return sum(costs[row][column] for row, column in pairs)


def least(costs):
    rows, columns = len(costs), len(costs[0])
    if rows <= columns:
        ways = (list(enumerate(way)) for way in permutations(range(columns), rows))
    else:
        ways = ([(r, c) for c, r in enumerate(way)] for way in permutations(range(rows), columns))
    return min(total(costs, way) for way in ways)


@settings(deadline=None)
@given(cost_tables())
@example([[1, 1, 2, 0, 1], [0, 4, 2, 3, 4], [1, 2, 3, 2, 7], [1, 1, 9, 3, 8]])
def test_no_other_pairing_costs_less(costs):
    assert total(costs, cheapest(costs)) == least(costs)


@settings(deadline=None)
@given(cost_tables())
def test_every_row_or_every_column_gets_exactly_one_partner(costs):
    pairs = cheapest(costs)

    assert len(pairs) == min(len(costs), len(costs[0]))
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert pairs == sorted(pairs)


def test_nothing_is_paired_with_nothing():
    assert cheapest([]) == []
    assert cheapest([[], []]) == []


def test_a_bad_first_choice_is_taken_back():
    """Taking the cheapest pair first would cost 1 + 100."""
    assert cheapest([[1, 2], [1, 100]]) == [(0, 1), (1, 0)]
