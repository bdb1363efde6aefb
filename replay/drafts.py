"""What was answered to a turn, as text that a reference can judge.

An arm that shows its tokens is taken at its word. A recording seldom holds them: then the message
is written as the template writes it, provided that our parser reads the same message out of that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tonearm import templates, wire
from tonearm.arms import Draft
from tonearm.canonical import JsonObject
from tonearm.errors import RenderError
from tonearm.model import Answer, ChatRequest, Pin, Take, ToolCall
from tonearm.replay.calls import compare_calls
from tonearm.replay.compare import folded
from tonearm.templates import ChatFormat

TURN_START = "<|turn>model\n"
ENDS = ("<turn|>\n", "<turn|>", "<|tool_response>")


def drafts(
    request: ChatRequest, takes: Mapping[str, Take], chat_format: ChatFormat | None = None
) -> tuple[Draft, ...]:
    """Return the different answers to one turn, each once.

    Args:
        request: What was asked.
        takes: What the arms answered, and the recording, by name.
        chat_format: What recorded messages are written with, where it is not the model's grammar.
    """
    found: dict[tuple[str, bool], Draft] = {}
    for take in sorted(takes.values(), key=lambda take: take.decoded is None):
        draft = _draft(take) or _rewritten(request, take, chat_format)
        if draft is not None:
            found.setdefault((draft.completion, draft.ended), draft)
    return tuple(found.values())


def _draft(take: Take) -> Draft | None:
    if take.decoded is None or take.answer is None or take.error:
        return None
    texts = tuple(token.text for token in take.decoded.tokens)
    whole = "".join(texts) == take.decoded.completion
    return Draft(
        arm=take.arm,
        completion=take.decoded.completion,
        tokens=texts if whole else (),
        ended=_ended(take),
    )


def _ended(take: Take) -> bool:
    return take.wire is None or take.wire.done_reason != "length"


def _rewritten(request: ChatRequest, take: Take, chat_format: ChatFormat | None) -> Draft | None:
    if take.answer is None or take.error or not _ended(take):
        return None
    try:
        chat_format = chat_format or templates.for_model(take.pin or Pin(model=request.model))
        completion, in_thought = _completion(request, take.answer, chat_format)
    except RenderError:
        return None
    read = chat_format.parse(completion, tools=request.tools, starts_in_thinking=in_thought)
    if not _same(read, take.answer, request.tools):
        return None
    return Draft(arm=take.arm, completion=completion)


def _completion(request: ChatRequest, answer: Answer, chat_format: ChatFormat) -> tuple[str, bool]:
    """Return what the template writes for an answer, and whether that begins within a thought."""
    before = chat_format.from_ollama(request.messages)
    after = chat_format.from_ollama([*request.messages, _message(answer)])
    think = request.thinks(capable=True)

    def render(messages: list[JsonObject], *, prompt: bool) -> str:
        return chat_format.render(
            messages, request.tools, enable_thinking=think, add_generation_prompt=prompt
        )

    prompt, whole = render(before, prompt=True), render(after, prompt=False)
    if whole.startswith(prompt):
        text = whole.removeprefix(prompt)
    else:
        # Larger models' prompts end in an empty thought, which no transcript shows.
        text = whole.removeprefix(render(before, prompt=False)).removeprefix(TURN_START)
    for end in ENDS:
        text = text.removesuffix(end)
    return text, chat_format.starts_in_thinking(prompt)


def _message(answer: Answer) -> JsonObject:
    message: JsonObject = {"role": "assistant", "content": answer.content}
    if answer.thinking:
        message["thinking"] = answer.thinking
    if answer.tool_calls:
        message["tool_calls"] = [_call(call) for call in answer.tool_calls]
    return message


def _call(call: ToolCall) -> JsonObject:
    return {"function": {"name": call.name, "arguments": call.arguments}}


def _same(one: Answer, other: Answer, tools: list[JsonObject]) -> bool:
    return (
        compare_calls(one.tool_calls, other.tool_calls, tools).same
        and folded(one.content) == folded(other.content)
        and folded(one.thinking) == folded(other.thinking)
        and not one.problems
    )


def in_force(request: ChatRequest, takes: Mapping[str, Take]) -> ChatRequest:
    """Return the request with the options that were in force where they are known.

    A model on a server has parameters of its own below the request's; a reference has none.
    """
    for take in takes.values():
        if take.pin is not None and take.pin.parameters:
            options = wire.parameters(take.pin.parameters) | request.options
            return replace(request, body={**request.body, "options": options})
    return request
