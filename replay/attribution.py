"""Which part of the path a difference belongs to, when three arms answered the same turns.

A is the server's own translation, B the same engine given a finished prompt, C the reference. A
against B is the translator, B against C the engine. A against C decides nothing: two effects can
cancel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from tonearm.arms import recorded
from tonearm.model import Layer, Scored, Take
from tonearm.replay.compare import Comparison, compare
from tonearm.replay.distribution import Distance, Pair, aligned, distance
from tonearm.replay.excess import Relation
from tonearm.replay.prompts import mismatch, mistranslation
from tonearm.replay.runfile import Run, RunTurn
from tonearm.replay.verdict import is_certain

UNQUANTIZED = frozenset({"F32", "F16", "BF16"})

REFERENCE = "gemma "
"""Begins the runtime of takes that the model's own code made."""

REFERENCE_DEFECT = "reference_defect"
"""Stands in the runtime of a reference that computes wrongly, before the name of what is wrong."""


class Conclusion(StrEnum):
    """What the relations of the arms say."""

    FAITHFUL = "faithful"
    """All arms agree."""
    RENDERER = "renderer"
    """The server writes another prompt."""
    PARSER = "parser"
    """The server reads the same completion otherwise."""
    SAMPLER = "sampler"
    """The same engine wrote something else behind the same prompt: options, caching or noise."""
    RUNTIME = "runtime"
    """The engine computes otherwise, and its weights are not quantised."""
    ENGINE = "runtime_or_quantization"
    """The engine or the quantisation of its weights."""
    BOTH = "translator_and_engine"
    REFERENCE = "reference_defect"
    """The reference is known to compute the model wrongly: nothing follows from it."""
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """Which arm of a run plays which part."""

    a: str | None
    b: str | None
    c: str
    other_c: str | None = None
    """The reference in another precision; how far both are apart is the reference's own noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnAttribution:
    """What one turn shows."""

    key: str
    ab: Relation | None
    bc: Relation | None
    """``None`` where one of the two is not in the run."""
    conclusion: Conclusion
    why: str = ""
    """What stands in the way of a conclusion, or behind it."""
    distance: Distance | None = None
    """The engine's log-probs of its own tokens, held against the reference's."""
    judged: Scored | None = None
    """What the reference thinks of the engine's tokens."""

    @property
    def departs(self) -> int | None:
        """The first token of the engine's that the reference would not have written."""
        return self.judged.departs if self.judged else None

    @property
    def mean_logprob(self) -> float | None:
        """Of the engine's tokens, by the reference; the token that ends the turn is one."""
        tokens = self.judged.tokens if self.judged else ()
        return math.fsum(token.logprob for token in tokens) / len(tokens) if tokens else None


def cast(run: Run) -> Cast | None:
    """Return the parts, ``None`` where there is no reference or nothing to hold against it."""
    first = {name: take for turn in run.turns for name, take in turn.takes.items()}
    arms = {name: first[name] for name in run.arms if name in first}
    references = [name for name, take in arms.items() if _is_reference(take)]
    a = next((name for name, take in arms.items() if take.translated), None)
    b = next((n for n, t in arms.items() if n not in references and not t.translated), None)
    if a is None and recorded.NAME in first and first[recorded.NAME].translated:
        a = recorded.NAME
    if not references or (a is None and b is None):
        return None
    precise = sorted(references, key=lambda name: _quantization(arms[name]) != "F32")
    return Cast(a=a, b=b, c=precise[0], other_c=next(iter(precise[1:]), None))


def _is_reference(take: Take) -> bool:
    return bool(take.scored) or bool(take.pin and (take.pin.runtime or "").startswith(REFERENCE))


def is_quantized(take: Take | None) -> bool:
    """Return whether an engine's weights are quantised, or may be."""
    return take is None or _quantization(take) not in UNQUANTIZED


def _quantization(take: Take) -> str | None:
    return take.pin.quantization if take.pin else None


def attribute(turn: RunTurn, parts: Cast) -> TurnAttribution:
    """Return what one turn shows."""
    a, b = _take(turn, parts.a), _take(turn, parts.b)
    c = turn.takes.get(parts.c)
    engine = b or a
    same_completion = bool(a and b and a.decoded and b.decoded) and _completion(a) == _completion(b)
    ab, ab_why = _relation(turn, a, b)
    if ab is Relation.DIFFERENT and not same_completion and not _same_engine(a, b):
        ab, ab_why = None, f"{parts.a} and {parts.b} are different engines and wrote other texts"
    bc, bc_why = _relation(turn, engine, c)
    if b is not None and _other_prompt(b, c):
        bc, bc_why = Relation.UNDECIDED, f"{b.arm} and {parts.c} were given different prompts"
    conclusion = conclude(
        ab,
        bc,
        other_prompt=_other_prompt(a, b or c),
        same_completion=same_completion,
        quantized=is_quantized(engine),
        defect=bool(defect_of(c)),
    )
    whys = (ab_why, bc_why, *(mistranslation(take) for take in (a, b, c)))
    why = "; ".join(dict.fromkeys(w for w in whys if w))
    greedy = engine is not None and is_certain(turn.request, [engine.pin])
    return TurnAttribution(
        key=turn.key,
        ab=ab,
        bc=bc,
        conclusion=conclusion,
        why=why,
        distance=distance(pairs(engine, c), greedy=greedy),
        judged=judged(engine, c),
    )


def conclude(
    ab: Relation | None,
    bc: Relation | None,
    *,
    other_prompt: bool,
    same_completion: bool,
    quantized: bool,
    defect: bool = False,
) -> Conclusion:
    """Return what two relations say together.

    Args:
        ab: The translated answer and the raw one, where both are there.
        bc: The raw answer and the reference's, where both are there.
        other_prompt: Whether the server wrote another prompt than the template.
        same_completion: Whether A and B wrote the same.
        quantized: Whether the engine's weights are, or may be, quantised.
        defect: Whether the reference is known to compute the model wrongly.
    """
    translator = ab is Relation.DIFFERENT
    engine = bc is Relation.DIFFERENT and not defect
    if translator and engine:
        return Conclusion.BOTH
    if other_prompt:
        return Conclusion.RENDERER
    if translator:
        return Conclusion.PARSER if same_completion else Conclusion.SAMPLER
    if defect:
        return Conclusion.REFERENCE
    if engine and ab is not Relation.UNDECIDED:
        return Conclusion.ENGINE if quantized else Conclusion.RUNTIME
    known = [relation for relation in (ab, bc) if relation is not None]
    faithful = bool(known) and all(relation is Relation.SAME for relation in known)
    return Conclusion.FAITHFUL if faithful else Conclusion.UNDECIDED


def defect_of(reference: Take | None) -> str:
    """Return what is known to be wrong with the reference's library, nothing where it is sound."""
    runtime = (reference.pin.runtime or "") if reference and reference.pin else ""
    _, known, name = runtime.partition(f"{REFERENCE_DEFECT}: ")
    return name if known else ""


def judged(engine: Take | None, reference: Take | None) -> Scored | None:
    """Return what the reference thinks of the engine's answer, if both read the same prompt."""
    if engine is None or reference is None or _void(engine, reference):
        return None
    tokens = engine.decoded.tokens if engine.decoded else ()
    same = (s for s in reference.scored if tokens and aligned(s.tokens, tokens))
    own = (s for s in reference.scored if s.arm == engine.arm)
    return next(same, None) or next(own, None)


def pairs(engine: Take | None, reference: Take | None) -> list[Pair]:
    """Return the engine's tokens as the reference sees them and as the engine does."""
    scored = judged(engine, reference)
    if scored is None or engine is None or engine.decoded is None:
        return []
    return aligned(scored.tokens, engine.decoded.tokens)


def _void(engine: Take, reference: Take) -> bool:
    """Whether the two were not given the same tokens, so that no log-prob can be compared."""
    return _other_prompt(engine, reference) or bool(mismatch(engine, reference))


def noise(turn: RunTurn, parts: Cast) -> list[Pair]:
    """Return how the reference sees the scored tokens in one precision and in another."""
    one, other = _take(turn, parts.c), _take(turn, parts.other_c)
    if one is None or other is None:
        return []
    for ours in one.scored:
        for theirs in other.scored:
            if found := aligned(ours.tokens, theirs.tokens):
                return found
    return []


def _take(turn: RunTurn, name: str | None) -> Take | None:
    return turn.takes.get(name) if name is not None else None


def _relation(turn: RunTurn, left: Take | None, right: Take | None) -> tuple[Relation | None, str]:
    if left is None or right is None:
        return None, ""
    failed = [f"{take.arm}: {take.error}" for take in (left, right) if take.answer is None]
    if failed:
        return Relation.UNDECIDED, "; ".join(failed)
    if cut := mismatch(left, right):
        return Relation.UNDECIDED, cut
    comparison = compare(left, right, turn.request.tools)
    if not _answers_differ(comparison):
        return Relation.SAME, ""
    same_completion = _completion(left) is not None and _completion(left) == _completion(right)
    if same_completion or is_certain(turn.request, [left.pin, right.pin]):
        return Relation.DIFFERENT, ""
    return Relation.UNDECIDED, "one sampled answer of each arm proves nothing"


def _same_engine(one: Take | None, other: Take | None) -> bool:
    """Whether two takes are of one engine with one set of weights, as far as is known."""
    if one is None or other is None or one.pin is None or other.pin is None:
        return True
    known = (
        (one.pin.digest, other.pin.digest),
        (one.pin.server_version, other.pin.server_version),
    )
    return all(left == right for left, right in known if left and right)


def _answers_differ(comparison: Comparison) -> bool:
    return any(f.layer in (Layer.PARSE, Layer.WIRE) for f in comparison.divergences)


def _completion(take: Take | None) -> str | None:
    return take.decoded.completion if take is not None and take.decoded is not None else None


def _other_prompt(one: Take | None, other: Take | None) -> bool:
    if one is None or other is None or not one.rendered or not other.rendered:
        return False
    return one.rendered.prompt != other.rendered.prompt
