"""What happened in a conversation of the bake-off, without the words.

Lengths, counts and times of each turn, how the conversation halted, and whether the calls and the
answer were the expected ones. Two traces of the same conversation differ in nothing but the times.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tonearm import __version__
from tonearm.canonical import JsonObject
from tonearm.errors import RunFileError
from tonearm.model import Answer, Take

FORMAT = 1

NO_TOOL_CALLS = "no_tool_calls"
"""The model answered without asking for a tool: the good end."""
STEP_BUDGET = "step_budget"
"""The model still asked for tools when its turns were used up."""
ENV_MISSING = "env_missing"
"""The arm cannot run here: no server, no model, no package."""
ERROR = "error:"
"""Begins the reason when a request failed."""
SAMPLER_ERROR = "sampler_error:"
"""Begins the reason when an arm that samples by itself failed behind the prompt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnTrace:
    """One request and its answer."""

    elapsed_s: float
    prompt_eval_count: int | None
    eval_count: int | None
    done_reason: str | None
    content_len: int
    """Characters."""
    thinking_len: int
    """Characters."""
    tool_call_count: int
    tool_calls: tuple[JsonObject, ...]
    """Names and arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """How a conversation ended."""

    halt_reason: str
    steps_used: int
    """Requests that were sent."""
    tool_calls_total: int
    wall_clock_s: float
    final_history_chars: int
    """Characters of the whole history as JSON, the last answer included."""
    answer: str | None
    """The content of the last turn, where the conversation came to its good end."""
    calls_expected: bool
    """Whether every turn made exactly the calls that the task expects."""
    answer_expected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One conversation."""

    arm: str
    model: str
    task: str
    task_id: str
    task_prompt: str
    turns: tuple[TurnTrace, ...]
    final: Final


def turn_trace(take: Take, elapsed_s: float) -> TurnTrace:
    """Return the numbers of one turn; a failed one has no characters and no calls."""
    answer = take.answer or Answer()
    return TurnTrace(
        elapsed_s=round(elapsed_s, 6),
        prompt_eval_count=take.wire.prompt_eval_count if take.wire else None,
        eval_count=take.wire.eval_count if take.wire else None,
        done_reason=take.wire.done_reason if take.wire else None,
        content_len=len(answer.content),
        thinking_len=len(answer.thinking),
        tool_call_count=len(answer.tool_calls),
        tool_calls=tuple({"name": c.name, "arguments": c.arguments} for c in answer.tool_calls),
    )


def save(traces: Sequence[Trace], path: Path) -> None:
    """Write a trace file in one step.

    Raises:
        RunFileError: The file cannot be written.
    """
    text = json.dumps(to_json(traces), indent=1, ensure_ascii=False) + "\n"
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        temporary.replace(path)
    except OSError as err:
        raise RunFileError(path, f"cannot write: {err.strerror}") from err


def to_json(traces: Sequence[Trace]) -> JsonObject:
    """Return the content of a trace file."""
    return {
        "tonearm_traces": FORMAT,
        "tonearm": __version__,
        "traces": [dataclasses.asdict(trace) for trace in traces],
    }
