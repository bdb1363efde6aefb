"""A report to paste into an issue: one section for each kind of difference, with an example.

Whoever reads it has neither the cassette nor tonearm, so an example brings the request, both texts
around the first difference, and for prompts the command that shows the server's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tonearm.canonical import JsonObject
from tonearm.model import ChatRequest, Layer
from tonearm.replay.compare import Comparison, Finding
from tonearm.replay.report import (
    Report,
    Row,
    describe_engines,
    describe_sum,
    describe_triangle,
)
from tonearm.replay.translator import Cause
from tonearm.replay.translator.shrink import minimal
from tonearm.replay.verdict import Outcome
from tonearm.terminal import safe

REQUEST_CHARS = 20_000
"""The longest request that is printed; a longer one is named by its turn."""

SHOW_PROMPT = {"stream": False, "_debug_render_only": True}
"""Makes Ollama answer with the prompt and sample nothing."""

_CAUSES = frozenset(Cause)


@dataclass(slots=True, kw_only=True)
class Group:
    """Findings of one kind between the same two sides."""

    row: Row
    """The turn with the shortest request, which is the example."""
    comparison: Comparison
    finding: Finding
    turns: list[str] = field(default_factory=list)


def to_markdown(summary: Report) -> str:
    """Return a report in Markdown."""
    parts = ["# tonearm report", "", describe_sum(summary), ""]
    parts += [f"- {line}" for line in describe_engines(summary)]
    parts += ["", *_table(summary), ""]
    if attribution := describe_triangle(summary):
        parts += [*_fenced("\n".join(attribution)), ""]
    for group in _groups(summary):
        parts += [*_section(group), ""]
    for skip in summary.skipped:
        parts.append(f"- not a turn: {skip.cassette} exchange {skip.sequence}: {skip.reason}")
    return safe("\n".join(parts).rstrip() + "\n")


def _table(summary: Report) -> list[str]:
    counts = [f"| {outcome} | {summary.outcomes[outcome]} |" for outcome in Outcome]
    return ["| verdict | turns |", "|---|---|", *counts]


def _groups(summary: Report) -> list[Group]:
    """Return the kinds of difference, those of the earliest layer and of most turns first."""
    groups: dict[tuple[str, ...], Group] = {}
    for row in summary.rows:
        for comparison, finding in _findings(row):
            key = (finding.layer, finding.cause or finding.kind, comparison.left, comparison.right)
            group = groups.setdefault(key, Group(row=row, comparison=comparison, finding=finding))
            group.turns.append(row.key)
            if len(_spell(row.request.body)) < len(_spell(group.row.request.body)):
                group.row, group.comparison, group.finding = row, comparison, finding
    layers = list(Layer)
    return sorted(groups.values(), key=lambda g: (layers.index(g.finding.layer), -len(g.turns)))


def _findings(row: Row) -> Iterator[tuple[Comparison, Finding]]:
    for comparison in row.verdict.comparisons:
        for finding in comparison.divergences:
            yield comparison, finding


def _section(group: Group) -> list[str]:
    finding, comparison = group.finding, group.comparison
    turns = f"{len(group.turns)} turn{'s' if len(group.turns) != 1 else ''}"
    parts = [
        f"## {finding.layer}: {finding.cause or finding.kind}",
        "",
        f"{turns}; {comparison.left} against {comparison.right}; {finding.summary}.",
        "",
    ]
    for side, text in ((comparison.left, finding.left), (comparison.right, finding.right)):
        if text:
            parts += [f"{side}:", *_fenced(text), ""]
    request, what = group.row.request, f"Request of {group.row.key} to `/api/chat`"
    if finding.layer is Layer.RENDER:
        smaller = minimal(request, Cause(finding.cause)) if finding.cause in _CAUSES else None
        if smaller is not None:
            request, what = smaller, "Smallest request to `/api/chat` that shows it"
        request = ChatRequest(body=request.body | SHOW_PROMPT)
    return parts + _request(request, what)


def _request(request: ChatRequest, what: str) -> list[str]:
    text = json.dumps(request.body, ensure_ascii=False, indent=1)
    if len(text) > REQUEST_CHARS:
        return [f"{what}: {len(text)} characters, not shown."]
    return [f"{what}:", *_fenced(text, "json")]


def _fenced(text: str, language: str = "") -> list[str]:
    """Return a text in a code block whose fence it cannot close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{language}", text, fence]


def _spell(body: JsonObject) -> str:
    return json.dumps(body)
