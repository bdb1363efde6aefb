"""The reference plays the tasks by itself, and halts under a name where it cannot."""

from __future__ import annotations

import dataclasses
import json

import pytest

from tests.tiny_gemma4.checkpoint import write_checkpoint
from tonearm.bakeoff.loop import Agent, run_task
from tonearm.bakeoff.tasks import load_tasks
from tonearm.commands import main

SEED = {"arm", "model", "task", "task_id", "task_prompt", "turns", "final"}
SEED_TURN = {
    "elapsed_s",
    "prompt_eval_count",
    "eval_count",
    "done_reason",
    "content_len",
    "thinking_len",
    "tool_call_count",
    "tool_calls",
}
SEED_FINAL = {
    "halt_reason",
    "steps_used",
    "tool_calls_total",
    "wall_clock_s",
    "final_history_chars",
}


def play(reference, folder, task, **settings):
    """Return the trace of one task, the reference sampling every turn."""
    agent = Agent(
        arm="jax-native",
        model="tiny-gemma4:e2b",
        options=load_tasks().options | {"num_predict": 64},
        think=False,
    )
    arm = reference.arm(folder, dtype="f32", **settings)
    return reference.run(run_task(task, agent, arm.play))


@pytest.mark.jax
def test_a_task_comes_to_the_expected_calls_and_answer(reference, tmp_path):
    (task,) = load_tasks().select("memory", 1)

    trace = play(reference, write_checkpoint(tmp_path), task)

    assert trace.final.halt_reason == "no_tool_calls"
    assert trace.final.calls_expected
    assert trace.final.answer_expected
    value = dataclasses.asdict(trace)
    assert set(value) >= SEED
    assert set(value["final"]) >= SEED_FINAL
    for turn in value["turns"]:
        assert set(turn) >= SEED_TURN
        assert turn["prompt_eval_count"] > turn["eval_count"] > 0
        assert turn["done_reason"] == "stop"


@pytest.mark.jax
def test_a_conversation_that_outgrows_the_cache_halts_under_that_name(reference, tmp_path):
    (task,) = load_tasks().select("memory", 1)

    trace = play(reference, write_checkpoint(tmp_path), task, context="300")

    assert trace.final.halt_reason.startswith("sampler_error:cache_too_short: a prompt of ")
    assert 0 < trace.final.steps_used < 3
    assert trace.turns[0].tool_call_count == 1
    assert trace.final.answer is None


def test_what_is_missing_is_one_line_exit_4_and_a_trace_that_says_so(tmp_path, capsys):
    """Whether it is the library or, where that is installed, the checkpoint."""
    out = tmp_path / "traces.json"
    arm = f"jax-native={tmp_path / 'gone'}"

    assert main(["bakeoff", "--arm", arm, "--task", "all", "--out", str(out)]) == 4

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert "arm jax-native: env_missing (" in shown.err
    traces = json.loads(out.read_text(encoding="utf-8"))["traces"]
    assert [trace["final"]["halt_reason"] for trace in traces] == ["env_missing"] * 4
    assert {trace["arm"] for trace in traces} == {"jax-native"}
