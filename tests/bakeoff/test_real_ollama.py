"""The tiny model does every task on a real Ollama exactly as it was trained to."""

from __future__ import annotations

import asyncio

import pytest

from tonearm.arms import ArmOptions, load
from tonearm.bakeoff.loop import Agent, run_task
from tonearm.bakeoff.tasks import load_tasks

pytestmark = pytest.mark.ollama


def play(ollama, tasks, options, **settings):
    agent = Agent(arm="ollama-json", model=ollama.model, options=options, **settings)

    async def conversations():
        arm = load("ollama-json", ArmOptions(url=ollama.url, layers=False))
        await arm.open([ollama.model])
        try:
            return [await run_task(task, agent, arm.play) for task in tasks]
        finally:
            await arm.close()

    return asyncio.run(conversations())


def test_all_tasks_come_to_the_expected_calls_and_answers(ollama):
    """Without thinking and without streaming, in greedy sampling."""
    book = load_tasks()

    traces = play(ollama, book.tasks, book.options, think=False, stream=False)

    assert {t.task_id: t.final.halt_reason for t in traces} == dict.fromkeys(
        (task.id for task in book.tasks), "no_tool_calls"
    )
    assert [t.task_id for t in traces if not t.final.calls_expected] == []
    assert [t.task_id for t in traces if not t.final.answer_expected] == []


@pytest.mark.parametrize("sends_thoughts", [True, False])
def test_a_thinking_model_thinks_in_every_turn_and_comes_to_the_same_answer(ollama, sends_thoughts):
    book = load_tasks()

    traces = play(
        ollama, book.select("memory", 2), book.options, think=True, sends_thoughts=sends_thoughts
    )

    assert all(turn.thinking_len > 0 for t in traces for turn in t.turns)
    assert all(t.final.calls_expected and t.final.answer_expected for t in traces)


def test_streaming_changes_nothing_but_the_times(ollama):
    book = load_tasks()
    task = book.select("parallel", 1)

    (streamed,) = play(ollama, task, book.options, think=True, stream=True)
    (whole,) = play(ollama, task, book.options, think=True, stream=False)

    assert _without_times(streamed) == _without_times(whole)
    assert streamed.turns[0].eval_count > 0


def test_a_request_that_the_server_refuses_halts_the_conversation_with_its_words(ollama):
    book = load_tasks()

    (trace,) = play(ollama, book.select("chat", 1), {"temperature": "warm"})

    assert trace.final.halt_reason.startswith("error:")
    assert "temperature" in trace.final.halt_reason


def _without_times(trace):
    turns = [(t.prompt_eval_count, t.eval_count, t.tool_calls, t.content_len) for t in trace.turns]
    return turns, trace.final.halt_reason, trace.final.answer, trace.final.final_history_chars
