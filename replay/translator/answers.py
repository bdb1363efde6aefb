"""Check the parse layer: Ollama's message against our reading of the same tokens.

Texts are compared without blanks at their ends, numbers by value and integers exactly.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from tonearm.canonical import Json
from tonearm.model import Answer, ChatRequest, Layer, Take, ToolCall
from tonearm.replay.compare import AROUND, MARKUP, Finding, Kind, folded, is_empty
from tonearm.replay.translator.calls import call_differences, is_open
from tonearm.replay.translator.causes import Cause
from tonearm.replay.translator.findings import finding, parting
from tonearm.replay.translator.hearing import Hearing, hear
from tonearm.replay.translator.segments import Segment
from tonearm.templates import ChatFormat
from tonearm.templates.gemma4.call import declared
from tonearm.templates.gemma4.tokens import CALL, CALL_END

_EXPLAIN_TEXTS = frozenset({Cause.SWALLOWED_CALL.value, Cause.TAG_IN_STRING.value})
"""Causes after which thinking and content differ too, and need no reason of their own."""


def answer_findings(
    request: ChatRequest, take: Take, completion: str, theirs: Answer, chat_format: ChatFormat
) -> list[Finding]:
    """Return where a message is not what the completion says, each with its reason."""
    hearing = hear(request, take, completion, theirs, chat_format)
    if hearing.agrees:
        return []
    segments = hearing.segments()
    otherwise = _otherwise(hearing, segments)
    findings = list(_calls(hearing, segments))
    if all(f.cause not in _EXPLAIN_TEXTS for f in findings):
        findings += _thinking(hearing, segments, otherwise)
        findings += _content(hearing, otherwise)
    if not hearing.same_calls and all(f.severity == 0 for f in findings):
        findings.append(_call(otherwise, completion, 0))
    if _emptied(hearing) and all(f.severity < 3 for f in findings):
        findings.append(_texts(Kind.EMPTY_ANSWER, Cause.EMPTY_ANSWER, completion, ""))
    return findings


def _otherwise(hearing: Hearing, segments: Sequence[Segment]) -> Cause:
    """Return the cause of differences for which no other is found."""
    if any(problem.kind == "text_after_stop" for problem in hearing.ours.problems):
        return Cause.TEXT_AFTER_STOP
    if any(is_open(segment) for segment in segments):
        return Cause.REPAIRED_DIFFERENTLY
    return Cause.UNEXPLAINED


def _calls(hearing: Hearing, segments: Sequence[Segment]) -> Iterator[Finding]:
    completion, calls = hearing.completion, hearing.theirs.tool_calls
    for segment in segments:
        if segment.kind == "thinking" and CALL in segment.text:
            at = segment.start + segment.text.index(CALL)
            yield _call(Cause.SWALLOWED_CALL, completion, at)
    if any(
        CALL_END in text for call in hearing.ours.tool_calls for text in _texts_in(call.arguments)
    ):
        yield _call(Cause.TAG_IN_STRING, completion, completion.index(CALL_END))
        return
    spoken = [segment for segment in segments if segment.kind == "call"]
    unasked = not (hearing.tools or hearing.stream or calls)
    for found in call_differences(spoken, calls, declared(hearing.tools)):
        if found.spoken is None:
            yield _call(found.cause, "", 0, found.detail, found.answered)
            continue
        at = found.spoken.segment.start - len(CALL)
        if unasked and found.spoken.call is not None:
            yield _call(Cause.CALLS_WITHOUT_TOOLS, completion, at)
        elif found.answered or found.spoken.segment.text not in hearing.theirs.content:
            yield _call(found.cause, completion, at, found.detail, found.answered)


def _texts_in(value: Json) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from _texts_in(item)
        case list():
            for item in value:
                yield from _texts_in(item)


def _thinking(hearing: Hearing, segments: Sequence[Segment], otherwise: Cause) -> Iterator[Finding]:
    ours, theirs = folded(hearing.ours.thinking), folded(hearing.theirs.thinking)
    if theirs and is_empty(hearing.theirs) and _is_one_thought(hearing, segments):
        yield _texts(Kind.EMPTY_ANSWER, Cause.ANSWER_IN_THINKING, "", theirs)
    elif ours == theirs:
        return
    elif not hearing.thinks and not theirs:
        yield _texts(Kind.THINKING, Cause.THOUGHT_DISCARDED, ours, theirs)
    elif theirs == "thought" and not ours:
        yield _texts(Kind.THINKING, Cause.CHANNEL_NAME, ours, theirs)
    elif _leaks(ours, theirs):
        yield _texts(Kind.LEAKED_MARKUP, Cause.LEAKED_MARKUP, ours, theirs, severity=1)
    elif _squeezed(ours) == _squeezed(theirs):
        yield _texts(Kind.THINKING, Cause.LOST_WHITESPACE, ours, theirs)
    else:
        yield _texts(Kind.THINKING, otherwise, ours, theirs)


def _is_one_thought(hearing: Hearing, segments: Sequence[Segment]) -> bool:
    """Whether a whole completion is taken for the rest of a thought, which it never ends."""
    return hearing.opened and hearing.whole and len(segments) == 1 and not segments[0].closed


def _content(hearing: Hearing, otherwise: Cause) -> Iterator[Finding]:
    ours, theirs = folded(hearing.ours.content), folded(hearing.theirs.content)
    if ours == theirs:
        return
    if _leaks(ours, theirs):
        yield _texts(Kind.LEAKED_MARKUP, Cause.LEAKED_MARKUP, ours, theirs)
    elif _squeezed(ours) == _squeezed(theirs):
        yield _texts(Kind.CONTENT, Cause.LOST_WHITESPACE, ours, theirs)
    elif theirs or not _emptied(hearing):
        yield _texts(Kind.CONTENT, otherwise, ours, theirs)


def _emptied(hearing: Hearing) -> bool:
    return is_empty(hearing.theirs) and not is_empty(hearing.ours)


def _leaks(ours: str, theirs: str) -> bool:
    return len(MARKUP.findall(theirs)) > len(MARKUP.findall(ours))


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _call(
    cause: Cause, completion: str, at: int, detail: str = "", answered: ToolCall | None = None
) -> Finding:
    return finding(
        Layer.PARSE,
        Kind.TOOL_CALLS,
        cause,
        detail=detail,
        left=completion[at : at + 2 * AROUND],
        right=_shown(answered) if answered else "no call",
        offset=at,
    )


def _shown(call: ToolCall) -> str:
    return f"{call.name}({json.dumps(call.arguments, ensure_ascii=False)})"[: 2 * AROUND]


def _texts(
    kind: Kind, cause: Cause, ours: str, theirs: str, *, severity: int | None = None
) -> Finding:
    return parting(Layer.PARSE, kind, cause, ours, theirs, severity=severity)
