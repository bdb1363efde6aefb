"""What three arms show together, for people and for programs."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

from tonearm.canonical import JsonObject
from tonearm.replay import excess
from tonearm.replay.attribution import Conclusion, TurnAttribution
from tonearm.replay.distribution import Distance
from tonearm.replay.excess import Excess
from tonearm.replay.triangle import Numerics, Triangle

EXAMPLES = 10
"""Turns that the text shows."""

WORDS = {
    Conclusion.FAITHFUL: "the path is faithful",
    Conclusion.RENDERER: "the server's renderer writes other prompts",
    Conclusion.PARSER: "the server's parser reads completions otherwise",
    Conclusion.SAMPLER: "the server samples otherwise behind the same prompt: options, caching "
    "or noise",
    Conclusion.RUNTIME: "the engine computes otherwise than the reference, with weights that are "
    "not quantised",
    Conclusion.ENGINE: "the engine or the quantisation of its weights; weights that are not "
    "quantised would tell which",
    Conclusion.BOTH: "the translator and the engine, each by itself",
    Conclusion.REFERENCE: "nothing, the reference is known to compute this model wrongly",
    Conclusion.UNDECIDED: "undecided",
}

NUMERIC_WORDS = {
    Numerics.EQUAL: "equal but for rounding",
    Numerics.WITHIN_NOISE: "within the reference's own noise",
    Numerics.DIFFERENT: "different",
    Numerics.UNKNOWN: "not decided without the reference in a second precision",
}


def describe(found: Triangle) -> list[str]:
    """Return the result for people, a line for each part of it."""
    parts = found.parts
    names = [
        f"{letter} {name}" for letter, name in zip("ABC", (parts.a, parts.b, parts.c), strict=True)
    ]
    lines = [f"attribution ({', '.join(n for n in names if not n.endswith('None'))}):"]
    if parts.a and parts.b:
        lines.append(f"  A against B: {_excess(found.ab)}")
    lines.append(f"  {'B' if parts.b else 'A'} against C: {_excess(found.bc)}")
    lines.append(f"  conclusion: {WORDS[found.conclusion]}")
    if found.distance:
        numbers = _distance(found.distance)
        lines.append(f"  log-probs against C: {NUMERIC_WORDS[found.numerics]}; {numbers}")
    if found.noise:
        lines.append(f"  noise of C ({parts.other_c}): {_distance(found.noise)}")
    if found.hazard:
        departing = sum(turn.departs is not None for turn in found.turns)
        lines.append(f"  C departs in {departing} turns, {found.hazard:.2g} times a token")
    if found.defect:
        lines.append(f"  reference_defect of C: {found.defect}")
    kinds = ", ".join(
        f"{kind} {found.conclusions[kind]}" for kind in Conclusion if found.conclusions[kind]
    )
    lines.append(f"  turn by turn: {kinds}")
    lines += _examples(found.turns)
    whys = Counter(turn.why for turn in found.turns if turn.why)
    lines += [f"  {count} turns: {why}" for why, count in sorted(whys.items())]
    return lines


def _examples(turns: Sequence[TurnAttribution]) -> list[str]:
    """Return a line for each turn that is not faithful, with where and how C departs."""
    odd = [
        turn
        for turn in turns
        if turn.departs is not None
        or turn.conclusion not in (Conclusion.FAITHFUL, Conclusion.UNDECIDED)
    ]
    lines = [f"    {turn.key} {turn.conclusion}{_departure(turn)}" for turn in odd[:EXAMPLES]]
    if len(odd) > EXAMPLES:
        lines.append(f"    {len(odd) - EXAMPLES} more: --format json has them all")
    return lines


def _departure(turn: TurnAttribution) -> str:
    if turn.judged is None or turn.departs is None:
        return ""
    token = turn.judged.tokens[turn.departs]
    best = f"{token.top[0][0]!r}" if token.top else "another token"
    return (
        f", at token {turn.departs} C has {best} for {token.text!r}, "
        f"mean log-prob {turn.mean_logprob:.2g}"
    )


def _excess(found: Excess) -> str:
    words = f"{found.relation}, {found.differing} of {found.turns} turns differ"
    if not found.differing and found.turns:
        words += f", more than {100 * found.upper:.1f} % would have shown"
    if found.turns_needed:
        words += f", {found.turns_needed} more turns for {100 * excess.MARGIN:.0f} %"
    return words


def _distance(apart: Distance) -> str:
    top = "" if apart.same_top_p is None else f", same top {apart.same_top_p:.2f} %"
    return (
        f"{apart.tokens} tokens, mean {apart.mean_delta:.2g}, max {apart.max_delta:.2g}, "
        f"RMS delta p {apart.rms_delta_p:.2g} %{top}, "
        f"KLD {apart.kld_low:.2g} to {apart.kld_high:.2g}"
    )


def to_json(found: Triangle) -> JsonObject:
    """Return the result for programs."""
    return {
        "arms": dataclasses.asdict(found.parts),
        "quantization": found.quantization,
        "a_against_b": dataclasses.asdict(found.ab),
        "b_against_c": dataclasses.asdict(found.bc),
        "conclusion": found.conclusion.value,
        "numerics": found.numerics.value,
        "reference_defect": found.defect or None,
        "distance": _json(found.distance),
        "noise": _json(found.noise),
        "hazard": found.hazard,
        "conclusions": {kind.value: found.conclusions[kind] for kind in Conclusion},
        "turns": [_turn(turn) for turn in found.turns],
    }


def _turn(turn: TurnAttribution) -> JsonObject:
    return {
        "key": turn.key,
        "a_against_b": turn.ab,
        "b_against_c": turn.bc,
        "conclusion": turn.conclusion.value,
        "why": turn.why,
        "departs": turn.departs,
        "mean_logprob": turn.mean_logprob,
        "distance": _json(turn.distance),
    }


def _json(apart: Distance | None) -> JsonObject | None:
    return None if apart is None else dataclasses.asdict(apart)
