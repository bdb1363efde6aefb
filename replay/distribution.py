"""How far apart two sides' log-probs are, over the same tokens.

Names and definitions are those of llama.cpp's ``--kl-divergence``: one side is the base, the other
is held against it. There both sides know the whole vocabulary; here a side may know a few tokens of
each place, so the divergence lies between two bounds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tonearm.model import Token

SOFTCAP = 30.0
"""Gemma 4's logits lie between plus and minus this: none is further than twice it from another."""

ROUNDING = 2e-15
"""By how much one less the sum of a few probabilities may be off."""

type Pair = tuple[Token, Token]
"""One token: what the base thinks of it, and what the other side does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """One side held against the base. Probabilities are in percent, log-probs natural."""

    tokens: int
    mean_base: float
    """Mean log-prob that the base gives the tokens."""
    mean_other: float
    mean_delta: float
    """Mean size of the difference between the two log-probs of a token."""
    max_delta: float
    mean_delta_p: float
    """Mean of the other's probability less the base's."""
    rms_delta_p: float
    max_delta_p: float
    same_top_p: float | None
    """Share of places where both find the same token likeliest; ``None`` where nobody knows."""
    kld_low: float
    """Mean divergence, at least."""
    kld_high: float
    """Mean divergence, at most."""
    kld_max: float
    """The greatest lower bound of any place."""


def aligned(base: Sequence[Token], other: Sequence[Token]) -> list[Pair]:
    """Return the places of two views of one completion; none where the tokens differ.

    One view may go on to the token that ends the turn, and the other not.
    """
    size = min(len(base), len(other))
    if abs(len(base) - len(other)) > 1:
        return []
    if any(a.text != b.text for a, b in zip(base[:size], other[:size], strict=True)):
        return []
    return list(zip(base[:size], other[:size], strict=True))


def distance(pairs: Iterable[Pair], *, greedy: bool = False) -> Distance | None:
    """Return how far the other side is from the base, ``None`` where there is no token.

    Args:
        pairs: Of one completion or of many.
        greedy: Whether the other side wrote the tokens by greedy decoding, so that each was its
            likeliest.
    """
    places = list(pairs)
    if not places:
        return None
    deltas = [other.logprob - base.logprob for base, other in places]
    shares = [100 * (math.exp(other.logprob) - math.exp(base.logprob)) for base, other in places]
    tops = [same for pair in places if (same := _same_top(*pair, greedy=greedy)) is not None]
    bounds = [divergence(*pair) for pair in places]
    return Distance(
        tokens=len(places),
        mean_base=_mean([base.logprob for base, _ in places]),
        mean_other=_mean([other.logprob for _, other in places]),
        mean_delta=_mean([abs(delta) for delta in deltas]),
        max_delta=max(abs(delta) for delta in deltas),
        mean_delta_p=_mean(shares),
        rms_delta_p=math.sqrt(_mean([share * share for share in shares])),
        max_delta_p=max(abs(share) for share in shares),
        same_top_p=100 * sum(tops) / len(tops) if tops else None,
        kld_low=_mean([low for low, _ in bounds]),
        kld_high=_mean([high for _, high in bounds]),
        kld_max=max(low for low, _ in bounds),
    )


def divergence(base: Token, other: Token) -> tuple[float, float]:
    """Return bounds of the divergence of one place.

    Tokens that both sides name count exactly. All others together count once at least as much as
    they do apart, which gives the lower bound; the cap on the logits gives the upper one.
    """
    ours, theirs = _known(base), _known(other)
    named = ours.keys() & theirs.keys()
    exact = sum(math.exp(ours[t]) * (ours[t] - theirs[t]) for t in named)
    rest = _rest(ours[t] for t in named)
    other_rest = _rest(theirs[t] for t in named)
    if rest <= 0:
        return max(0.0, exact), max(0.0, exact)
    most = max(other_rest + ROUNDING, _least(theirs))
    low = exact + rest * (math.log(rest) - math.log(most))
    likeliest = min(math.log(rest), max((p for t, p in ours.items() if t not in named), default=0))
    high = exact + rest * (likeliest - math.log(_least(theirs)))
    return max(0.0, low), max(0.0, low, high)


def _known(token: Token) -> dict[str, float]:
    return dict(token.top) | {token.text: token.logprob}


def _rest(named: Iterable[float]) -> float:
    return 1.0 - math.fsum(math.exp(p) for p in named)


def _least(known: dict[str, float]) -> float:
    """Return the least probability that the cap allows beside what is known."""
    return math.exp(max(known.values()) - 2 * SOFTCAP)


def _same_top(base: Token, other: Token, *, greedy: bool) -> bool | None:
    ours, theirs = _top(base, sure=False), _top(other, sure=greedy)
    return None if ours is None or theirs is None else ours == theirs


def _top(token: Token, *, sure: bool) -> str | None:
    if token.rank == 0 or (sure and token.rank is None):
        return token.text
    return token.top[0][0] if token.top else None


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def hazard(departures: Iterable[tuple[int, bool]]) -> float | None:
    """Return how often greedy decoding departs, for each token until it does.

    Args:
        departures: For each completion the tokens compared, and whether the last of them differed.
    """
    tokens = departed = 0
    for compared, differed in departures:
        tokens += compared
        departed += differed
    return departed / tokens if tokens else None
