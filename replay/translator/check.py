"""Hold what a server translated against our own template and parser."""

from __future__ import annotations

from tonearm import templates
from tonearm.errors import RenderError
from tonearm.model import ChatRequest, Decoded, Layer, Pin, Take
from tonearm.replay.compare import Comparison, Finding, Kind
from tonearm.replay.translator.answers import answer_findings
from tonearm.replay.translator.causes import Cause, about
from tonearm.replay.translator.conversation import thinks
from tonearm.replay.translator.findings import finding
from tonearm.replay.translator.prompts import prompt_findings
from tonearm.templates import ChatFormat

TONEARM = "tonearm"
"""The left side of every comparison: what our template and our parser say."""


def check(request: ChatRequest, take: Take, chat_format: ChatFormat | None = None) -> Comparison:
    """Compare a take with what our template and parser make of the same request and tokens.

    For takes with ``translated``; others have no translation to check. Layers that the take does
    not show are hidden. A conversation that our template rejects is a finding, not an exception.

    Args:
        request: What the arm was asked.
        take: What it saw.
        chat_format: What to check by; the grammar of the take's model where nothing is given.
    """
    try:
        grammar = chat_format or templates.for_model(take.pin or Pin(model=request.model))
    except RenderError as err:
        note = finding(Layer.RENDER, Kind.PROMPT, Cause.NO_GRAMMAR, detail=str(err))
        return _comparison(take, [note], [Layer.RENDER, Layer.DECODE, Layer.PARSE])
    findings: list[Finding] = []
    hidden: list[Layer] = []
    if take.rendered is not None:
        findings += prompt_findings(request, take, take.rendered.prompt, grammar)
    elif refusal := _refusal(request, take, grammar):
        findings.append(refusal)
    else:
        hidden.append(Layer.RENDER)
    if take.decoded is None or take.answer is None:
        hidden += [Layer.DECODE, Layer.PARSE] if take.decoded is None else [Layer.PARSE]
    elif gap := _gap(take.decoded):
        findings.append(gap)
        hidden.append(Layer.PARSE)
    else:
        findings += answer_findings(request, take, take.decoded.completion, take.answer, grammar)
    return _comparison(take, findings, hidden)


def _comparison(take: Take, findings: list[Finding], hidden: list[Layer]) -> Comparison:
    return Comparison(left=TONEARM, right=take.arm, findings=tuple(findings), hidden=tuple(hidden))


def _refusal(request: ChatRequest, take: Take, grammar: ChatFormat) -> Finding | None:
    """Return the finding for a request that the server's decoder refuses and our template not."""
    if take.wire is None or take.error is None or "unmarshal" not in take.error:
        return None
    try:
        grammar.render(
            grammar.from_ollama(request.messages),
            request.tools,
            enable_thinking=thinks(request, take),
        )
    except RenderError:
        return None
    schema = "bool" in take.error and "ToolProperty" in take.error
    return finding(
        Layer.RENDER,
        Kind.STATUS,
        Cause.BOOLEAN_SCHEMA if schema else Cause.REQUEST_REFUSED,
        detail=take.error,
        right=take.error,
        severity=about(Cause.REQUEST_REFUSED).severity,
    )


def _gap(decoded: Decoded) -> Finding | None:
    """Return the note that tokens are missing; the one that ends an answer need not be there."""
    count = decoded.eval_count
    if count is None or len(decoded.tokens) >= count - 1:
        return None
    detail = f"{len(decoded.tokens)} of {count} tokens"
    return finding(Layer.DECODE, Kind.COMPLETION, Cause.TOKENS_INCOMPLETE, detail=detail)
