"""The answer of an arm that gives it only whole, in the pieces that a stream would have."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from tonearm.arms.base import Arm
from tonearm.arms.engine import End
from tonearm.model import ChatRequest, Take
from tonearm.replay.server.stage.performance import Part
from tonearm.replay.server.stage.refusal import Refusal
from tonearm.replay.server.stage.speech import Speech


async def recite(arm: Arm, part: Part) -> AsyncGenerator[Speech]:
    """Ask an arm, and yield its answer: what it thought, what it says, each call, the end.

    Raises:
        Refusal: There is no answer.
    """
    if part.raw is not None or part.before:
        raise Refusal(501, f"tonearm: arm {arm.name} takes messages, no finished prompts")
    if part.format is not None:
        raise Refusal(501, f"tonearm: arm {arm.name} cannot bind its answer to a format")
    take = await arm.play(ChatRequest(body=part.request.body | {"stream": False}))
    answer = take.answer
    if answer is None:
        raise Refusal(500, take.error or f"tonearm: arm {arm.name} gave no answer")
    if answer.thinking and part.think:
        yield Speech(thinking=answer.thinking)
    if answer.content:
        yield Speech(content=answer.content)
    for call in answer.tool_calls:
        yield Speech(calls=(call,))
    if take.wire is None or take.wire.done:
        yield Speech(end=_end(take))


def _end(take: Take) -> End:
    shape, timing = take.wire, take.timing
    return End(
        limited=shape is not None and shape.done_reason == "length",
        prompt_tokens=(shape.prompt_eval_count if shape else None) or 0,
        tokens=(shape.eval_count if shape else None) or 0,
        prompt_s=(timing.prompt_s if timing else None) or 0.0,
        decode_s=(timing.decode_s if timing else None) or 0.0,
    )
