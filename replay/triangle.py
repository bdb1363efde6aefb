"""What all turns together show of three arms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
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
    defect_of,
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

NOISE_FACTORS = {"F32": 0.5, "F16": 0.5, "BF16": 2.0}
QUANTIZED_FACTOR = 8.0
"""How far beyond the reference's own noise a mean difference is one, by the engine's weights.

Measured on small models: f32 and f16 weights stay below 0.3 times that noise, bf16 ones below 1.3
times, 8-bit ones below 5.5 times; 4-bit ones are beyond 14 times."""

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
    defect: str
    """What is known to be wrong with the reference, nothing where it is sound."""
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
    engine, defect = _first(engines), defect_of(_first(references))
    weights = engine.pin.quantization if engine and engine.pin else None
    standing = numerics(apart, band, weights)
    return Triangle(
        parts=parts,
        quantization=weights,
        turns=turns,
        ab=ab,
        bc=bc,
        conclusion=_conclusion(parts, turns, ab, bc, standing, engine, defect),
        numerics=standing,
        defect=defect,
        distance=apart,
        noise=band,
        hazard=hazard(_departures(turns)),
    )


def numerics(apart: Distance | None, band: Distance | None, weights: str | None) -> Numerics:
    """Judge log-probs by how far the reference is from itself, where that is known.

    Args:
        apart: The engine held against the reference.
        band: The reference in another precision, held against itself.
        weights: Type of the engine's.
    """
    if apart is None:
        return Numerics.UNKNOWN
    if apart.max_delta < RUNTIME_BAR and apart.same_top_p in (None, 100.0):
        return Numerics.EQUAL
    if band is not None:
        factor = NOISE_FACTORS.get(weights or "", QUANTIZED_FACTOR)
        near = apart.mean_delta <= factor * band.mean_delta
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
    parts: Cast,
    turns: Sequence[TurnAttribution],
    ab: Excess,
    bc: Excess,
    standing: Numerics,
    engine: Take | None,
    defect: str,
) -> Conclusion:
    kinds = Counter(turn.conclusion for turn in turns)
    quantized = is_quantized(engine)
    both = parts.a is not None and parts.b is not None
    if bc.relation is Relation.DIFFERENT and not ab.differing:
        both = False  # too few turns to call A and B the same do not hide that B and C differ
    found = conclude(
        ab.relation if both else None,
        bc.relation,
        other_prompt=kinds[Conclusion.RENDERER] > 0,
        same_completion=kinds[Conclusion.PARSER] >= kinds[Conclusion.SAMPLER],
        quantized=quantized,
        defect=bool(defect),
    )
    silent = found in (Conclusion.FAITHFUL, Conclusion.UNDECIDED)
    if silent and standing is Numerics.DIFFERENT and not quantized:
        return Conclusion.RUNTIME  # equal answers hide it; such weights have no excuse
    return found


def _departures(turns: Iterable[TurnAttribution]) -> list[tuple[int, bool]]:
    return [
        (len(turn.judged.tokens), False) if turn.departs is None else (turn.departs + 1, True)
        for turn in turns
        if turn.judged is not None
    ]


def _first(takes: Iterable[Take | None]) -> Take | None:
    return next((take for take in takes if take is not None), None)
