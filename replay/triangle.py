"""What all turns together show of three arms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from tonearm.model import Take
from tonearm.replay import excess
from tonearm.replay.attribution import (
    Cast,
    Conclusion,
    TurnAttribution,
    attribute,
    cast,
    conclude,
    is_quantized,
    noise,
    pairs,
)
from tonearm.replay.distribution import Distance, distance, hazard
from tonearm.replay.excess import Excess, Relation
from tonearm.replay.runfile import Run
from tonearm.replay.verdict import is_certain

RUNTIME_BAR = 1e-3
"""The largest difference of a log-prob that two runtimes of the same numbers may have."""

NOISE_FACTOR = 5.0
"""How far beyond the reference's own noise a mean difference is one. On small models, 8-bit
weights stay below 3.5 times that noise and 4-bit weights are beyond 15 times (measured)."""

PLAIN_BAR = 0.01
"""A mean difference of log-probs that is one where the reference's own noise is not known."""


class Numerics(StrEnum):
    """How the engine's log-probs stand to the reference's."""

    EQUAL = "equal"
    """As near as two runtimes of the same numbers are."""
    WITHIN_NOISE = "within_noise"
    """As near as the reference is to itself in another precision, or little further."""
    DIFFERENT = "different"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Triangle:
    """Three arms over a run."""

    parts: Cast
    quantization: str | None
    """Of the engine's weights."""
    turns: tuple[TurnAttribution, ...]
    ab: Excess
    bc: Excess
    conclusion: Conclusion
    numerics: Numerics
    distance: Distance | None
    noise: Distance | None
    """The reference in another precision, held against itself."""
    hazard: float | None
    """How often the reference departs from the engine, for each token until it does."""

    @property
    def conclusions(self) -> Counter[Conclusion]:
        """How many turns show what."""
        return Counter(turn.conclusion for turn in self.turns)


def triangle(run: Run) -> Triangle | None:
    """Return what a run shows, ``None`` where it has no reference."""
    parts = cast(run)
    if parts is None:
        return None
    turns = tuple(attribute(turn, parts) for turn in run.turns)
    engines = [turn.takes.get(parts.b or parts.a or "") for turn in run.turns]
    references = [turn.takes.get(parts.c) for turn in run.turns]
    ab = _compared((turn.key, turn.ab) for turn in turns)
    bc = _compared((turn.key, turn.bc) for turn in turns)
    apart = distance(
        [p for engine, c in zip(engines, references, strict=True) for p in pairs(engine, c)],
        greedy=all(is_certain(turn.request, []) for turn in run.turns),
    )
    band = distance([pair for turn in run.turns for pair in noise(turn, parts)])
    kinds = Counter(turn.conclusion for turn in turns)
    return Triangle(
        parts=parts,
        quantization=_quantization(engines),
        turns=turns,
        ab=ab,
        bc=bc,
        conclusion=_conclusion(parts, ab, bc, kinds, quantized=is_quantized(_first(engines))),
        numerics=numerics(apart, band),
        distance=apart,
        noise=band,
        hazard=hazard(_departures(turns)),
    )


def numerics(apart: Distance | None, band: Distance | None) -> Numerics:
    """Judge log-probs by how far the reference is from itself, where that is known."""
    if apart is None:
        return Numerics.UNKNOWN
    if apart.max_delta < RUNTIME_BAR and apart.same_top_p in (None, 100.0):
        return Numerics.EQUAL
    if band is not None:
        near = apart.mean_delta <= NOISE_FACTOR * band.mean_delta
        return Numerics.WITHIN_NOISE if near else Numerics.DIFFERENT
    return Numerics.DIFFERENT if apart.mean_delta >= PLAIN_BAR else Numerics.UNKNOWN


def _compared(relations: Iterable[tuple[str, Relation | None]]) -> Excess:
    conversations: dict[str, list[excess.TurnAnswers]] = {}
    for key, relation in relations:
        if relation in (Relation.SAME, Relation.DIFFERENT):
            answers = (["same"], ["same" if relation is Relation.SAME else "other"])
            conversations.setdefault(key.rpartition("#")[0], []).append(answers)
    return excess.compare(conversations)


def _conclusion(
    parts: Cast, ab: Excess, bc: Excess, kinds: Counter[Conclusion], *, quantized: bool
) -> Conclusion:
    both = parts.a is not None and parts.b is not None
    return conclude(
        ab.relation if both else None,
        bc.relation,
        other_prompt=kinds[Conclusion.RENDERER] > 0,
        same_completion=kinds[Conclusion.PARSER] >= kinds[Conclusion.SAMPLER],
        quantized=quantized,
    )


def _departures(turns: Iterable[TurnAttribution]) -> list[tuple[int, bool]]:
    return [
        (
            turn.distance.tokens if turn.departs is None else turn.departs + 1,
            turn.departs is not None,
        )
        for turn in turns
        if turn.distance is not None
    ]


def _first(takes: Iterable[Take | None]) -> Take | None:
    return next((take for take in takes if take is not None), None)


def _quantization(takes: Iterable[Take | None]) -> str | None:
    pin = getattr(_first(takes), "pin", None)
    return pin.quantization if pin else None
