"""Walk two takes of one turn, layer by layer, and say where they part.

The first layer that differs is the cause; what differs behind it may be a consequence. A layer that
one side cannot see is named, so that "parse" never stands for "decode, but nobody looked".
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tonearm.canonical import Json, JsonObject, canonical_bytes
from tonearm.model import Answer, Decoded, Layer, Pin, Rendered, Take, WireShape
from tonearm.replay.calls import compare_calls, describe

AROUND = 60
"""Characters of a text that are shown on each side of the first difference."""

MARKUP = re.compile(r"<\|[a-z_\"]*\|?>|<[a-z_]+\|>")
"""Gemma 4's control tokens, in any of their three bracket forms."""


class Kind(StrEnum):
    """What differs, finer than the layer."""

    PROMPT = "prompt"
    TRUNCATION = "truncation"
    OPTIONS = "options"
    COMPLETION = "completion"
    TOOL_CALLS = "tool_calls"
    LEAKED_MARKUP = "leaked_markup"
    EMPTY_ANSWER = "empty_answer"
    CONTENT = "content"
    THINKING = "thinking"
    STATUS = "status"
    DONE = "done"
    NO_ANSWER = "no_answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One difference between two takes."""

    layer: Layer
    kind: Kind
    severity: int
    """0 is worth a note, 1 a difference in wording, 2 in facts, 3 and 4 break an agent."""
    summary: str
    left: str = ""
    right: str = ""
    cause: str | None = None
    """The named class that explains the difference, where one is known."""
    offset: int | None = None
    """Where two texts part, characters; ``left`` and ``right`` are what surrounds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All that differs between two takes."""

    left: str
    right: str
    findings: tuple[Finding, ...]
    hidden: tuple[Layer, ...] = ()
    """Layers that could not be compared because one side does not see them."""

    @property
    def divergences(self) -> tuple[Finding, ...]:
        """The findings that are more than a note."""
        return tuple(f for f in self.findings if f.severity > 0)


def compare(left: Take, right: Take, tools: Sequence[JsonObject] = ()) -> Comparison:
    """Compare two takes of the same turn.

    Args:
        left: The side that counts as expected.
        right: The side that counts as actual.
        tools: The request's tool declarations; absent arguments have their schema's defaults.
    """
    findings: list[Finding] = []
    hidden: list[Layer] = []
    if left.rendered and right.rendered:
        findings += _render(left.rendered, right.rendered)
    else:
        hidden.append(Layer.RENDER)
    findings += _options(left.pin, right.pin)
    if left.decoded and right.decoded:
        findings += _decode(left.decoded, right.decoded)
    else:
        hidden.append(Layer.DECODE)
    if left.answer and right.answer:
        findings += _parse(left.answer, right.answer, tools)
    else:
        findings += _missing(left, right)
    if left.wire and right.wire:
        findings += _wire(left.wire, right.wire)
    order = list(Layer)
    findings.sort(key=lambda f: (order.index(f.layer), -f.severity))
    return Comparison(
        left=left.arm, right=right.arm, findings=tuple(findings), hidden=tuple(hidden)
    )


def _render(left: Rendered, right: Rendered) -> list[Finding]:
    findings = []
    if left.prompt != right.prompt:
        findings.append(_texts(Layer.RENDER, Kind.PROMPT, 2, "prompts", left.prompt, right.prompt))
    counts = f"{left.tokens} / {right.tokens} tokens were evaluated"
    if left.truncated or right.truncated:
        severity = 1 if left.truncated and right.truncated else 3
        findings.append(_cut(severity, f"the prompt was cut to fit the context: {counts}"))
    elif not findings and None not in (left.tokens, right.tokens) and left.tokens != right.tokens:
        findings.append(_cut(3, f"equal prompts, but {counts}"))
    return findings


def _cut(severity: int, summary: str) -> Finding:
    return Finding(layer=Layer.RENDER, kind=Kind.TRUNCATION, severity=severity, summary=summary)


def _options(left: Pin | None, right: Pin | None) -> list[Finding]:
    """Note options that are in force with other values, since they can explain what follows."""
    if left is None or right is None:
        return []
    shared = [name for name in left.options if name in right.options]
    odd = [
        f"{name} {_spell(left.options[name])} / {_spell(right.options[name])}"
        for name in sorted(shared)
        if canonical_bytes(left.options[name]) != canonical_bytes(right.options[name])
    ]
    if not odd:
        return []
    summary = f"options differ: {', '.join(odd)}"
    return [Finding(layer=Layer.DECODE, kind=Kind.OPTIONS, severity=0, summary=summary)]


def _decode(left: Decoded, right: Decoded) -> list[Finding]:
    if left.completion == right.completion:
        return []
    return [
        _texts(Layer.DECODE, Kind.COMPLETION, 1, "completions", left.completion, right.completion)
    ]


def _parse(left: Answer, right: Answer, tools: Sequence[JsonObject]) -> list[Finding]:
    findings = []
    calls = compare_calls(left.tool_calls, right.tool_calls, tools)
    if not calls.same:
        pairs = [*calls.changed, *calls.renamed]
        lines = [
            line for i, j in pairs for line in describe(left.tool_calls[i], right.tool_calls[j])
        ]
        findings.append(
            Finding(
                layer=Layer.PARSE,
                kind=Kind.TOOL_CALLS,
                severity=calls.severity,
                summary="; ".join([str(calls.verdict), *lines]),
                left=_calls(left),
                right=_calls(right),
            )
        )
    if is_empty(right) and not is_empty(left):
        findings.append(
            Finding(
                layer=Layer.PARSE,
                kind=Kind.EMPTY_ANSWER,
                severity=4,
                summary="no content and no tool calls",
            )
        )
    leaked = MARKUP.search(right.content)
    if leaked and not MARKUP.search(left.content):
        findings.append(
            _texts(Layer.PARSE, Kind.LEAKED_MARKUP, 4, "markup in", left.content, right.content)
        )
    elif folded(left.content) != folded(right.content):
        findings.append(
            _texts(Layer.PARSE, Kind.CONTENT, 1, "contents", left.content, right.content)
        )
    findings += _thinking(left, right)
    return findings


def _thinking(left: Answer, right: Answer) -> list[Finding]:
    ours, theirs = folded(left.thinking), folded(right.thinking)
    if ours == theirs:
        return []
    severity = 0 if ours and theirs else 3
    return [_texts(Layer.PARSE, Kind.THINKING, severity, "thoughts", left.thinking, right.thinking)]


def _missing(left: Take, right: Take) -> list[Finding]:
    """Judge takes of which at least one has no answer.

    Two refusals by a server agree. A recording that broke off is no expectation, so it is a note.
    """
    if left.error and right.error and left.wire and right.wire:
        return []
    severity = 0 if left.wire is None and right.answer else 4
    words = [f"{take.arm}: {take.error}" for take in (left, right) if take.error]
    return [
        Finding(layer=Layer.WIRE, kind=Kind.NO_ANSWER, severity=severity, summary="; ".join(words))
    ]


def _wire(left: WireShape, right: WireShape) -> list[Finding]:
    if left.status != right.status or bool(left.error) != bool(right.error):
        summary = f"HTTP {left.status} {left.error or ''} / HTTP {right.status} {right.error or ''}"
        return [Finding(layer=Layer.WIRE, kind=Kind.STATUS, severity=4, summary=summary)]
    if (left.done, left.done_reason) != (right.done, right.done_reason):
        severity = 3 if "length" in (left.done_reason, right.done_reason) else 2
        summary = f"done {_done(left)} / {_done(right)}"
        return [Finding(layer=Layer.WIRE, kind=Kind.DONE, severity=severity, summary=summary)]
    return []


def _done(shape: WireShape) -> str:
    return shape.done_reason or ("without a reason" if shape.done else "never said")


def _texts(layer: Layer, kind: Kind, severity: int, what: str, left: str, right: str) -> Finding:
    at = first_difference(left, right)
    start = max(0, at - AROUND)
    return Finding(
        layer=layer,
        kind=kind,
        severity=severity,
        summary=f"{what} part at character {at} of {len(left)} / {len(right)}",
        left=left[start : at + AROUND],
        right=right[start : at + AROUND],
        offset=at,
    )


def first_difference(left: str, right: str) -> int:
    """Return the index of the first character that differs, the shorter length if none does."""
    for n, (a, b) in enumerate(zip(left, right, strict=False)):
        if a != b:
            return n
    return min(len(left), len(right))


def folded(text: str) -> str:
    """Return a text as it is compared: NFC, line ends as LF, no blanks at the ends.

    Which blanks next to a tag belong to the content depends on how Ollama's parser was fed.
    """
    return unicodedata.normalize("NFC", text).replace("\r\n", "\n").strip()


def is_empty(answer: Answer) -> bool:
    """Whether an answer says nothing to the agent; thinking alone does not count."""
    return not answer.tool_calls and not answer.content.strip()


def _calls(answer: Answer) -> str:
    spelled = (f"{call.name}({_spell(call.arguments)})" for call in answer.tool_calls)
    return ", ".join(spelled) or "no call"


def _spell(arguments: Json) -> str:
    return json.dumps(arguments, ensure_ascii=False)
