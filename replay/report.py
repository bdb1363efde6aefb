"""What a run amounts to, for people and for programs, from the same rows.

The same run gives the same bytes: no times, no colours outside a terminal, a fixed order.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TextIO

from tonearm import templates
from tonearm.arms import recorded
from tonearm.canonical import JsonObject, fingerprint
from tonearm.errors import NothingToTest
from tonearm.model import ChatRequest, Layer, Pin, Take
from tonearm.replay import triangle_report
from tonearm.replay.compare import Comparison, Finding
from tonearm.replay.plan import Skipped
from tonearm.replay.runfile import Run, RunTurn
from tonearm.replay.triangle import Triangle, triangle
from tonearm.replay.verdict import Outcome, Verdict, exit_code, judge, judge_pairs
from tonearm.templates import ChatFormat
from tonearm.terminal import cell, console, one_line

EXAMPLES = 10
"""Divergences that the text report shows in full."""

STYLES = {
    Outcome.SAME: "green",
    Outcome.UNDECIDED: "yellow",
    Outcome.FAILED: "magenta",
    Outcome.DIVERGED: "red",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One turn and its verdict."""

    key: str
    request: ChatRequest
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All verdicts of a run, or of two runs compared."""

    sides: tuple[str, ...]
    """What was compared, the expectation first."""
    pins: tuple[tuple[str, Pin], ...]
    rows: tuple[Row, ...]
    skipped: tuple[Skipped, ...] = ()
    triangle: Triangle | None = None
    """Which part of the path differs, where a reference is among the sides."""

    @property
    def outcomes(self) -> Counter[Outcome]:
        """How many turns came out how."""
        return Counter(row.verdict.outcome for row in self.rows)

    @property
    def layers(self) -> Counter[Layer]:
        """How many turns first differ at which layer."""
        return Counter(r.verdict.layer for r in self.rows if r.verdict.layer)

    @property
    def exit_code(self) -> int:
        """The exit code of the gravest outcome."""
        return exit_code([row.verdict.outcome for row in self.rows])


def report(run: Run, chat_format: ChatFormat | None = None) -> Report:
    """Judge every turn of a run; translations are checked by a given template, or by ours."""
    rows = tuple(
        Row(
            key=turn.key,
            request=turn.request,
            verdict=judge(turn.request, list(turn.takes.values()), chat_format),
        )
        for turn in run.turns
    )
    return Report(
        sides=("recorded", *run.arms),
        pins=_pins(run.turns),
        rows=rows,
        skipped=run.skipped,
        triangle=triangle(run),
    )


def versus(old: Run, new: Run, labels: tuple[str, str]) -> Report:
    """Judge how the arms of one run answered beside the same arms of another.

    Turns are matched by their key and by what was asked.

    Args:
        old: The expectation.
        new: What is judged.
        labels: Names of the two runs.
    """
    asked = {(turn.key, fingerprint(turn.request.body)): turn for turn in new.turns}
    rows, skipped = [], []
    for turn in old.turns:
        twin = asked.pop((turn.key, fingerprint(turn.request.body)), None)
        pairs = [] if twin is None else _pairs(turn, twin, labels)
        if pairs:
            verdict = judge_pairs(turn.request, pairs)
            rows.append(Row(key=turn.key, request=turn.request, verdict=verdict))
        else:
            skipped.append(_alone(turn.key, labels[0]))
    skipped += [_alone(turn.key, labels[1]) for turn in asked.values()]
    if not rows:
        raise NothingToTest("the runs have no turn and arm in common: were they of one cassette?")
    runs = list(zip(labels, (old, new), strict=True))
    return Report(
        sides=labels,
        pins=tuple((f"{label} {arm}", pin) for label, run in runs for arm, pin in _pins(run.turns)),
        rows=tuple(rows),
        skipped=tuple(skipped),
    )


def _pairs(old: RunTurn, new: RunTurn, labels: tuple[str, str]) -> list[tuple[Take, Take]]:
    both = [name for name in old.takes if name in new.takes and name != recorded.NAME]
    return [
        (
            dataclasses.replace(old.takes[name], arm=f"{labels[0]} {name}"),
            dataclasses.replace(new.takes[name], arm=f"{labels[1]} {name}"),
        )
        for name in both
    ]


def _alone(key: str, label: str) -> Skipped:
    name, _, number = key.rpartition("#")
    return Skipped(cassette=name, sequence=int(number), reason=f"only in {label}")


def _pins(turns: Sequence[RunTurn]) -> tuple[tuple[str, Pin], ...]:
    """Return each engine once for each arm that met it, without what differs by request."""
    found: dict[tuple[str, str], tuple[str, Pin]] = {}
    for turn in turns:
        for name, take in turn.takes.items():
            if take.pin is not None:
                pin = dataclasses.replace(take.pin, options={})
                found.setdefault((name, repr(pin)), (name, pin))
    return tuple(found.values())


def to_json(summary: Report) -> JsonObject:
    """Return a report as JSON."""
    attribution = triangle_report.to_json(summary.triangle) if summary.triangle else None
    return {
        "sides": list(summary.sides),
        "engines": [
            {"arm": name, **_without_none(dataclasses.asdict(pin))} for name, pin in summary.pins
        ],
        "turns": [_row_json(row) for row in summary.rows],
        "skipped": [dataclasses.asdict(s) for s in summary.skipped],
        **({"attribution": attribution} if attribution else {}),
        "summary": {
            "turns": len(summary.rows),
            "outcomes": {o.value: summary.outcomes[o] for o in Outcome},
            "first_differing_layer": {layer.value: summary.layers[layer] for layer in Layer},
            "exit_code": summary.exit_code,
        },
    }


def _row_json(row: Row) -> JsonObject:
    verdict = row.verdict
    return {
        "key": row.key,
        "outcome": verdict.outcome.value,
        "layer": verdict.layer.value if verdict.layer else None,
        "severity": verdict.severity,
        "comparisons": [_comparison_json(c) for c in verdict.comparisons],
    }


def _comparison_json(comparison: Comparison) -> JsonObject:
    return {
        "left": comparison.left,
        "right": comparison.right,
        "not_visible": [layer.value for layer in comparison.hidden],
        "findings": [_without_none(dataclasses.asdict(f)) for f in comparison.findings],
    }


def _without_none(fields: JsonObject) -> JsonObject:
    return {name: value for name, value in fields.items() if value not in (None, {})}


def print_json(summary: Report, stream: TextIO) -> None:
    """Write a report as ASCII JSON."""
    stream.write(json.dumps(to_json(summary), indent=1) + "\n")


def print_text(summary: Report, stream: TextIO) -> None:
    """Write a report for people: a line for each turn, the differences, the sum."""
    out = console(stream)

    def line(text: str, style: str = "") -> None:
        out.print(cell(text, style), soft_wrap=True)

    for text in describe_engines(summary):
        line(text, "dim")
    for cassette, rows in groupby(summary.rows, key=lambda row: row.key.rpartition("#")[0]):
        line(cassette, "bold")
        for row in rows:
            line(_row_text(row), STYLES[row.verdict.outcome])
    shown = [row for row in summary.rows if row.verdict.outcome is Outcome.DIVERGED]
    for row in shown[:EXAMPLES]:
        assert row.verdict.decisive is not None, "a divergence rests on a comparison"
        print_findings(row.key, row.verdict.decisive, line)
    if len(shown) > EXAMPLES:
        line(f"{len(shown) - EXAMPLES} more diverged: --format json has them all")
    for skip in summary.skipped:
        line(f"not a turn: {skip.cassette} exchange {skip.sequence}: {skip.reason}")
    for text in describe_triangle(summary):
        line(text)
    line(describe_sum(summary), "bold")


def describe_triangle(summary: Report) -> list[str]:
    """Return the lines on which part of the path differs, none where there is no reference."""
    return triangle_report.describe(summary.triangle) if summary.triangle else []


def describe_engines(summary: Report) -> list[str]:
    """Return a line for each engine, with the sides that it stood behind."""
    engines: dict[str, list[str]] = {}
    for name, pin in summary.pins:
        engines.setdefault(_engine(pin), []).append(name)
    return [f"{', '.join(names)}: {engine}" for engine, names in engines.items()]


def _row_text(row: Row) -> str:
    number = row.key.rpartition("#")[2]
    verdict = row.verdict
    text = f"  #{number:<4} {verdict.outcome:<10} {verdict.layer or '':<7}"
    return f"{text} {one_line(_difference(verdict), 160)}".rstrip()


def _difference(verdict: Verdict) -> str:
    comparison, finding = verdict.decisive, verdict.finding
    if comparison is None or finding is None:
        return ""
    cause = f"{finding.cause}: " if finding.cause else ""
    words = f"{cause}{finding.summary}{_unseen(comparison, finding)}"
    return f"{comparison.left} / {comparison.right}: {words}"


def _unseen(comparison: Comparison, finding: Finding) -> str:
    order = list(Layer)
    before = [x for x in comparison.hidden if order.index(x) < order.index(finding.layer)]
    return f" ({' and '.join(before)} not visible on both sides)" if before else ""


def print_findings(key: str, comparison: Comparison, line: Callable[..., None]) -> None:
    """Print all that differs between two takes of a turn.

    Args:
        key: The turn.
        comparison: What to print.
        line: Takes lines, each with the style in which it is printed.
    """
    line(f"\n{key}", "bold")
    for finding in comparison.findings:
        cause = f" [{finding.cause}]" if finding.cause else ""
        line(f"  {finding.layer}{cause}: {one_line(finding.summary, 400)}")
        if finding.left or finding.right:
            line(f"    {comparison.left:>14}: {one_line(finding.left, 400)}", "green")
            line(f"    {comparison.right:>14}: {one_line(finding.right, 400)}", "red")


def _engine(pin: Pin) -> str:
    parts = [
        pin.model,
        pin.runtime or "",
        f"Ollama {pin.server_version}" if pin.server_version else "",
        f"digest {pin.digest[:12]}" if pin.digest else "",
        pin.quantization or "",
        f"renderer {pin.renderer}" if pin.renderer else "",
        f"parser {pin.parser}" if pin.parser else "",
        f"num_ctx {pin.num_ctx}" if pin.num_ctx else "",
        f"prompts by {templates.name_of(pin.template_sha256)}" if pin.template_sha256 else "",
    ]
    return ", ".join(part for part in parts if part)


def describe_sum(summary: Report) -> str:
    """Return how the turns came out, in one line."""
    outcomes = ", ".join(f"{summary.outcomes[o]} {o}" for o in Outcome if summary.outcomes[o])
    layers = ", ".join(f"{layer} {n}" for layer in Layer if (n := summary.layers[layer]))
    parts = [
        f"{' / '.join(summary.sides)}: {len(summary.rows)} turns: {outcomes or 'nothing'}",
        f"first differing layer: {layers}" if layers else "",
        f"{len(summary.skipped)} exchanges are not turns" if summary.skipped else "",
    ]
    return "; ".join(part for part in parts if part)
