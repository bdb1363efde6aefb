"""Trace files are written whole or not at all."""

from __future__ import annotations

import asyncio
import json

import pytest

from tonearm.arms.scripted import Scripted
from tonearm.bakeoff import trace
from tonearm.bakeoff.loop import Agent, run_task
from tonearm.bakeoff.tasks import load_tasks
from tonearm.errors import RunFileError
from tonearm.model import Answer, ToolCall


def test_a_trace_file_holds_arm_model_task_turns_and_the_end(tmp_path):
    task = load_tasks().select("memory", 1)[0]
    call = ToolCall(name="recall", arguments={"key": "book"})
    arm = Scripted([Answer(tool_calls=(call,)), Answer(content="Done.")])
    agent = Agent(arm="scripted", model="m", options={}, clock=lambda: 0.0)
    out = tmp_path / "traces.json"

    trace.save([asyncio.run(run_task(task, agent, arm.play))], out)

    document = json.loads(out.read_text(encoding="utf-8"))
    (one,) = document["traces"]
    turn = {"elapsed_s": 0.0, "prompt_eval_count": None, "eval_count": None, "done_reason": None}
    assert document["tonearm_traces"] == trace.FORMAT
    assert one | {"turns": [], "final": {}} == {
        "arm": "scripted",
        "model": "m",
        "task": "memory",
        "task_id": "memory-0",
        "task_prompt": "Copy my book to my hotel.",
        "turns": [],
        "final": {},
    }
    assert one["turns"][0] == turn | {
        "content_len": 0,
        "thinking_len": 0,
        "tool_call_count": 1,
        "tool_calls": [{"name": "recall", "arguments": {"key": "book"}}],
    }
    assert one["final"]["halt_reason"] == "no_tool_calls"
    assert [path.name for path in tmp_path.iterdir()] == ["traces.json"]


def test_a_folder_that_is_not_there_is_one_error_that_names_the_file(tmp_path):
    gone = tmp_path / "gone" / "traces.json"

    with pytest.raises(RunFileError, match=r"gone.traces\.json: cannot write: No such file"):
        trace.save([], gone)
