"""The agent: ask, call the tools it wants, tell it what they said, until it wants none.

Every request carries the whole history, as agents send it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tonearm.bakeoff.tasks import Task
from tonearm.bakeoff.trace import (
    ENV_MISSING,
    ERROR,
    NO_TOOL_CALLS,
    SAMPLER_ERROR,
    STEP_BUDGET,
    Final,
    Trace,
    TurnTrace,
    turn_trace,
)
from tonearm.canonical import JsonObject, fingerprint
from tonearm.model import Answer, ChatRequest, Take, ToolCall

type Ask = Callable[[ChatRequest], Awaitable[Take]]
"""Anything that answers a request; an arm's ``play`` does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """Who asks, and how."""

    arm: str
    model: str
    options: JsonObject
    think: bool | None = None
    """Whether the model is to think; ``None`` leaves it to the server."""
    stream: bool = True
    sends_thoughts: bool = True
    """Whether the model's thoughts stay in the history."""
    step_budget: int = 20
    clock: Callable[[], float] = time.monotonic

    def request(self, history: list[JsonObject], tools: tuple[JsonObject, ...]) -> ChatRequest:
        """Return the request for the next message."""
        body: JsonObject = {"model": self.model, "messages": list(history)}
        if tools:
            body["tools"] = list(tools)
        if self.think is not None:
            body["think"] = self.think
        return ChatRequest(body=body | {"stream": self.stream, "options": self.options})


async def run_task(task: Task, agent: Agent, ask: Ask) -> Trace:
    """Play one conversation to its end."""
    started = agent.clock()
    history = task.opening()
    turns: list[TurnTrace] = []
    halt = STEP_BUDGET
    answer: str | None = None
    for _ in range(agent.step_budget):
        asked = agent.clock()
        take = await ask(agent.request(history, task.tools.declarations))
        turns.append(turn_trace(take, agent.clock() - asked))
        if take.answer is None or not _whole(take):
            halt = _failure(take)
            break
        history.append(_assistant(take.answer, agent.sends_thoughts))
        if not take.answer.tool_calls:
            halt, answer = NO_TOOL_CALLS, take.answer.content
            break
        history += [_tool(call, task.tools.call(call)) for call in take.answer.tool_calls]
    wall_clock_s = agent.clock() - started
    return _trace(task, agent, turns, _final(task, turns, history, halt, answer, wall_clock_s))


def missing(task: Task, agent: Agent) -> Trace:
    """Return the trace of a conversation whose arm cannot run here."""
    return _trace(task, agent, [], _final(task, [], task.opening(), ENV_MISSING, None, 0.0))


def _whole(take: Take) -> bool:
    """Whether the server, where there is one, said that the answer is finished."""
    return take.wire is None or take.wire.done


def _failure(take: Take) -> str:
    words = take.error or "the answer ended before the server said that it was done"
    behind_the_prompt = take.rendered is not None and take.wire is None
    return f"{SAMPLER_ERROR if behind_the_prompt else ERROR}{words}"


def _assistant(answer: Answer, sends_thoughts: bool) -> JsonObject:
    message: JsonObject = {"role": "assistant", "content": answer.content}
    if answer.thinking and sends_thoughts:
        message["thinking"] = answer.thinking
    if answer.tool_calls:
        message["tool_calls"] = [_call(call) for call in answer.tool_calls]
    return message


def _call(call: ToolCall) -> JsonObject:
    function = {"name": call.name, "arguments": call.arguments}
    return ({"id": call.id} if call.id else {}) | {"function": function}


def _tool(call: ToolCall, result: str) -> JsonObject:
    message: JsonObject = {"role": "tool", "tool_name": call.name, "content": result}
    return message | ({"tool_call_id": call.id} if call.id else {})


def _final(
    task: Task,
    turns: list[TurnTrace],
    history: list[JsonObject],
    halt: str,
    answer: str | None,
    wall_clock_s: float,
) -> Final:
    made = [list(turn.tool_calls) for turn in turns if turn.tool_calls]
    expected = [
        [{"name": c.name, "arguments": c.arguments} for c in step] for step in task.expected_calls
    ]
    return Final(
        halt_reason=halt,
        steps_used=len(turns),
        tool_calls_total=sum(turn.tool_call_count for turn in turns),
        wall_clock_s=round(wall_clock_s, 6),
        final_history_chars=len(json.dumps(history, ensure_ascii=False)),
        answer=answer,
        calls_expected=halt != ENV_MISSING and fingerprint(made) == fingerprint(expected),
        answer_expected=answer is not None and answer.strip() == task.expected_answer,
    )


def _trace(task: Task, agent: Agent, turns: list[TurnTrace], final: Final) -> Trace:
    return Trace(
        arm=agent.arm,
        model=agent.model,
        task=task.kind,
        task_id=task.id,
        task_prompt=task.prompt,
        turns=tuple(turns),
        final=final,
    )
