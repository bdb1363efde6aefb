"""What a turn's comparisons amount to: a closed set, with the layer and the severity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tonearm.canonical import Json, JsonObject
from tonearm.errors import (
    EXIT_COULD_NOT_RUN,
    EXIT_DIVERGED,
    EXIT_INCONCLUSIVE,
    EXIT_NOTHING,
    EXIT_SAME,
)
from tonearm.model import ChatRequest, Layer, Pin, Take
from tonearm.replay.compare import Comparison, Finding, Kind, compare
from tonearm.replay.translator import check
from tonearm.templates import ChatFormat


class Outcome(StrEnum):
    """How the takes of one turn stand to one another, the mildest first."""

    SAME = "same"
    UNDECIDED = "undecided"
    """A difference that proves nothing: sampling without a noise floor, or no whole recording."""
    FAILED = "failed"
    """An arm gave no answer."""
    DIVERGED = "diverged"


EXIT_CODES = {
    Outcome.SAME: EXIT_SAME,
    Outcome.UNDECIDED: EXIT_INCONCLUSIVE,
    Outcome.FAILED: EXIT_COULD_NOT_RUN,
    Outcome.DIVERGED: EXIT_DIVERGED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of one turn."""

    outcome: Outcome
    layer: Layer | None
    """The first layer that differs."""
    severity: int
    comparisons: tuple[Comparison, ...]
    decisive: Comparison | None
    """The comparison that the outcome rests on."""

    @property
    def finding(self) -> Finding | None:
        """The first difference of the decisive comparison."""
        findings = self.decisive.findings if self.decisive else ()
        return max(findings, key=lambda f: f.severity > 0, default=None)


def judge(
    request: ChatRequest, takes: Sequence[Take], chat_format: ChatFormat | None = None
) -> Verdict:
    """Judge the takes of one turn.

    Each take that a server translated is first held against our own template and parser. Then the
    first take, the recording, is compared with the second, and the second with every other one:
    those were asked now, so that they differ in nothing but the path.

    Args:
        request: What was asked.
        takes: The recording first.
        chat_format: What translations are checked by, where it is not the model's grammar.
    """
    checks = [check(request, take, chat_format) for take in takes if take.translated]
    pairs = [(takes[0], takes[1]), *((takes[1], take) for take in takes[2:])]
    return _weigh(request, pairs, [c for c in checks if _sees(c)])


def judge_pairs(request: ChatRequest, pairs: Sequence[tuple[Take, Take]]) -> Verdict:
    """Judge one turn by comparing the takes of each pair; the left one is the expectation."""
    return _weigh(request, pairs, [])


def _weigh(
    request: ChatRequest, pairs: Sequence[tuple[Take, Take]], checks: Sequence[Comparison]
) -> Verdict:
    comparisons = [compare(left, right, request.tools) for left, right in pairs]
    certain = is_certain(request, [take.pin for pair in pairs for take in pair])
    outcomes = [(_outcome(c, certain=certain), c) for c in comparisons if not _void(c)]
    if not outcomes:
        outcomes = [(Outcome.UNDECIDED, comparisons[0])]
    outcomes = [(_outcome(c, certain=True), c) for c in checks] + outcomes
    rank = list(Outcome)
    outcome, decisive = max(outcomes, key=lambda item: (rank.index(item[0]), _severity(item[1])))
    first = next(iter(decisive.divergences), None)
    return Verdict(
        outcome=outcome,
        layer=first.layer if first else None,
        severity=_severity(decisive),
        comparisons=(*checks, *comparisons),
        decisive=None if outcome is Outcome.SAME else decisive,
    )


def _sees(check: Comparison) -> bool:
    """Whether a check looked at anything; a plain recording shows neither prompt nor tokens."""
    return bool(check.findings) or not {Layer.RENDER, Layer.PARSE} <= set(check.hidden)


def _outcome(comparison: Comparison, *, certain: bool) -> Outcome:
    divergences = comparison.divergences
    if not divergences:
        return Outcome.SAME
    first = divergences[0]
    if first.kind is Kind.NO_ANSWER:
        return Outcome.FAILED
    if not certain and first.layer is not Layer.RENDER and not _same_completion(comparison):
        return Outcome.UNDECIDED
    return Outcome.DIVERGED


def _same_completion(comparison: Comparison) -> bool:
    seen = Layer.DECODE not in comparison.hidden
    return seen and not any(f.kind is Kind.COMPLETION for f in comparison.findings)


def _void(comparison: Comparison) -> bool:
    """Whether there was no expectation to compare with."""
    return any(f.kind is Kind.NO_ANSWER and f.severity == 0 for f in comparison.findings)


def _severity(comparison: Comparison) -> int:
    return max((f.severity for f in comparison.findings), default=0)


def is_certain(request: ChatRequest, pins: Sequence[Pin | None]) -> bool:
    """Whether asking again must give the same answer, numerics aside.

    That is so for greedy decoding and for a fixed seed. A pin tells what was in force where the
    request does not say; without both, sampling with a random seed is assumed.
    """
    options: JsonObject = {}
    for pin in pins:
        options |= pin.options if pin else {}
    options |= request.options
    return _number(options.get("temperature"), 1) == 0 or _number(options.get("seed"), -1) >= 0


def _number(value: Json, default: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    return value


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """Return the exit code for a run: that of the gravest outcome."""
    if not outcomes:
        return EXIT_NOTHING
    rank = list(Outcome)
    return EXIT_CODES[max(outcomes, key=rank.index)]
