"""Do two arms answer differently, beyond what each differs from itself?

The statistic of a turn is the chance that two independent answers of different arms differ, less
the mean chance that two answers of one arm do. It is 0 exactly when both arms answer alike, and
half the squared distance of their distributions otherwise. Turns of a conversation go together, so
the error is taken from the means of conversations.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

MARGIN = 0.03
"""The largest excess that counts as the same."""

ALPHA = 0.01
"""Chance of calling equal arms different."""

ICC = 0.1
"""How alike turns of a conversation are at least assumed to be."""

SHUFFLES = 999

Z_95 = 1.6448536269514722

type Answers = Sequence[Hashable]
"""What one arm answered to one turn, so that equal answers are equal values."""

type TurnAnswers = tuple[Answers, Answers]


class Relation(StrEnum):
    """How two arms stand to each other."""

    SAME = "same"
    DIFFERENT = "different"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Excess:
    """How two arms compare over many turns."""

    turns: int
    differing: int
    """Turns on which any answers of the two differ."""
    mean: float
    upper: float
    """The excess is below this with 95 % confidence."""
    p: float
    """Chance of so much difference between equal arms."""
    relation: Relation
    turns_needed: int = 0
    """How many more turns without a difference would make it ``same``."""


def excess(left: Answers, right: Answers) -> float:
    """Return the excess disagreement of one turn.

    An arm that answered once is taken to agree with itself, which only greedy decoding does.
    """
    return _apart(left, right) - (_within(left) + _within(right)) / 2


def _apart(left: Answers, right: Answers) -> float:
    ours, theirs = Counter(left), Counter(right)
    same = sum(count * theirs[answer] for answer, count in ours.items())
    return 1 - same / (len(left) * len(right))


def _within(answers: Answers) -> float:
    size = len(answers)
    if size < 2:
        return 0.0
    same = sum(count * (count - 1) for count in Counter(answers).values())
    return 1 - same / (size * (size - 1))


def compare(conversations: Mapping[str, Sequence[TurnAnswers]], *, seed: int = 0) -> Excess:
    """Return how two arms compare.

    Args:
        conversations: The answers of both arms to each turn, by conversation.
        seed: Of the shuffles, so that the same answers give the same result.
    """
    turns = [turn for conversation in conversations.values() for turn in conversation]
    means = [_mean([excess(*turn) for turn in c]) for c in conversations.values() if c]
    differing = sum(len({*left, *right}) > 1 for left, right in turns)
    mean = _mean(means) if means else 0.0
    per_conversation = len(turns) / max(1, len(means))
    upper = _upper(means, differing, per_conversation)
    p = _shuffled(turns, seed) if differing else 1.0
    relation = _relation(p, upper)
    needed = 0
    if relation is Relation.UNDECIDED and not differing:
        needed = _turns_for_margin(per_conversation) - len(turns)
    return Excess(
        turns=len(turns),
        differing=differing,
        mean=mean,
        upper=upper,
        p=p,
        relation=relation,
        turns_needed=max(0, needed),
    )


def _relation(p: float, upper: float) -> Relation:
    if p < ALPHA:
        return Relation.DIFFERENT
    return Relation.SAME if upper < MARGIN else Relation.UNDECIDED


def _upper(means: Sequence[float], differing: int, per_conversation: float) -> float:
    if not differing:
        effective = len(means) * per_conversation / _design(per_conversation)
        return 1.0 - 0.05 ** (1 / effective) if effective else 1.0
    if len(means) < 4:
        return 1.0
    middle = _mean(means)
    variance = sum((m - middle) ** 2 for m in means) / (len(means) - 1)
    return middle + _t_95(len(means) - 1) * math.sqrt(variance / len(means))


def _design(per_conversation: float) -> float:
    """Return how many turns are worth one, because those of a conversation are alike."""
    return 1 + (per_conversation - 1) * ICC


def _turns_for_margin(per_conversation: float) -> int:
    return math.ceil(math.log(0.05) / math.log(1 - MARGIN) * _design(max(1.0, per_conversation)))


def _t_95(freedom: int) -> float:
    """Return the one-sided 95 % quantile of Student's t, right to 0.01 from 3 degrees on."""
    z, n = Z_95, freedom
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
    )


def _shuffled(turns: Sequence[TurnAnswers], seed: int) -> float:
    """Return the chance of so much excess when the arms' names are shuffled within each turn.

    Turns with one answer of each arm say nothing when shuffled. There both arms are taken to be
    certain, and any difference is one.
    """
    if any(len(left) == len(right) == 1 and left != right for left, right in turns):
        return 0.0
    source = np.random.default_rng(seed)
    observed, shuffled = 0.0, np.zeros(SHUFFLES)
    for left, right in turns:
        if len({*left, *right}) > 1:
            observed += excess(left, right)
            shuffled += _shuffles(left, right, source)
    reached = int(np.sum(shuffled >= observed - 1e-9))
    return (1 + reached) / (1 + SHUFFLES)


def _shuffles(left: Answers, right: Answers, source: np.random.Generator) -> NDArray[np.float64]:
    """Return the excess of one turn for each shuffle of its answers."""
    pooled = [*left, *right]
    size, cut = len(pooled), len(left)
    alike = np.array([[a == b for b in pooled] for a in pooled], float)
    order = source.permuted(np.tile(np.arange(size), (SHUFFLES, 1)), axis=1)
    both = alike[order[:, :, None], order[:, None, :]]
    apart = 1 - both[:, :cut, cut:].mean(axis=(1, 2))
    within = _within_all(both[:, :cut, :cut]) + _within_all(both[:, cut:, cut:])
    return np.asarray(apart - within / 2)


def _within_all(alike: NDArray[np.float64]) -> NDArray[np.float64]:
    size = alike.shape[1]
    if size < 2:
        return np.zeros(len(alike))
    return np.asarray(1 - (alike.sum(axis=(1, 2)) - size) / (size * (size - 1)))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
