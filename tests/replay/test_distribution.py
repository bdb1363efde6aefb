"""Log-probs of two sides are compared as llama.cpp does it, from as much as each side shows."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tonearm.model import Token
from tonearm.replay.distribution import aligned, distance, divergence, hazard

VOCABULARY = "abcdef"


def token(text, p, top=(), rank=None):
    return Token(
        text=text,
        logprob=math.log(p),
        rank=rank,
        top=tuple((name, math.log(share)) for name, share in top),
    )


def whole(logits):
    """Return the distribution of capped logits."""
    capped = [30 * math.tanh(x / 30) for x in logits]
    total = sum(map(math.exp, capped))
    return {name: math.exp(x) / total for name, x in zip(VOCABULARY, capped, strict=True)}


def seen(distribution, chosen, count):
    """Return a token with as many of the likeliest as a side shows."""
    best = sorted(distribution.items(), key=lambda item: -item[1])
    return token(chosen, distribution[chosen], best[:count])


logits = st.lists(st.floats(-40, 40), min_size=6, max_size=6)


@given(logits, logits, st.sampled_from(VOCABULARY), st.integers(0, 6), st.integers(0, 6))
def test_the_true_divergence_lies_between_the_bounds(one, other, chosen, ours, theirs):
    base, held = whole(one), whole(other)
    true = sum(p * math.log(p / held[name]) for name, p in base.items() if p > 0)

    low, high = divergence(seen(base, chosen, ours), seen(held, chosen, theirs))

    assert low <= true + 1e-6 + 1e-4 * true
    assert true <= high + 1e-6 + 1e-4 * true


@given(logits, logits)
def test_whole_vocabularies_leave_no_doubt(one, other):
    low, high = divergence(seen(whole(one), "a", 6), seen(whole(other), "a", 6))

    assert high - low == pytest.approx(0, abs=1e-4)


def test_what_is_shown_in_common_narrows_the_bounds():
    base, held = whole([4, 3, 2, 1, 0, -1]), whole([4, 2, 3, 1, 0, -1])
    widths = []
    for count in range(7):
        low, high = divergence(seen(base, "a", count), seen(held, "a", count))
        widths.append(high - low)

    assert widths == sorted(widths, reverse=True)
    assert widths[6] < 1e-9 < widths[0]


def test_numbers_are_those_of_llama_cpp():
    pairs = [
        (token("a", 0.5, rank=0), token("a", 0.4)),
        (token("b", 0.9, rank=0), token("b", 0.95)),
    ]

    found = distance(pairs, greedy=True)

    assert found.tokens == 2
    assert found.mean_delta_p == pytest.approx((-10 + 5) / 2)
    assert found.rms_delta_p == pytest.approx(math.sqrt((100 + 25) / 2))
    assert found.max_delta_p == pytest.approx(10)
    assert found.max_delta == pytest.approx(math.log(0.5 / 0.4))
    assert found.mean_base == pytest.approx((math.log(0.5) + math.log(0.9)) / 2)
    assert found.same_top_p == 100


@pytest.mark.parametrize(
    ("base", "other", "greedy", "same"),
    [
        (token("a", 0.3, [("b", 0.4)], rank=1), token("a", 0.6), True, 0.0),
        (token("a", 0.3, [("b", 0.4)], rank=1), token("a", 0.3, [("b", 0.5)]), False, 100.0),
        (token("a", 0.6, rank=0), token("a", 0.6), False, None),
        (token("a", 0.6), token("a", 0.6), True, None),
    ],
)
def test_the_likeliest_token_counts_where_both_sides_know_theirs(base, other, greedy, same):
    assert distance([(base, other)], greedy=greedy).same_top_p == same


def test_only_the_same_tokens_are_compared():
    one, two = [token("a", 0.5), token("b", 0.5)], [token("a", 0.4), token("b", 0.4)]
    end = token("<turn|>", 0.9)

    assert len(aligned(one, two)) == 2
    assert len(aligned([*one, end], two)) == 2
    assert aligned([*one, end, end], two) == []
    assert aligned(one, [token("ab", 0.2), token("b", 0.4)]) == []
    assert distance([]) is None


def test_the_hazard_counts_tokens_until_the_first_departure():
    assert hazard([(10, False), (4, True), (6, True)]) == 0.1
    assert hazard([]) is None
