"""The agent loop, with the model's part written down beforehand."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest

from tonearm.arms.scripted import Scripted
from tonearm.bakeoff.loop import Agent, missing, run_task
from tonearm.bakeoff.tasks import Task
from tonearm.bakeoff.tools import FakeTools
from tonearm.model import Answer, Rendered, Take, ToolCall, WireShape

DECLARATION = {"type": "function", "function": {"name": "get", "parameters": {"type": "object"}}}
GET_1 = ToolCall(name="get", arguments={"id": 1}, id="call_a")
GET_2 = ToolCall(name="get", arguments={"id": 2}, id="call_b")

TASK = Task(
    id="things-0",
    kind="things",
    system="Be brief.",
    history=(),
    prompt="What are they?",
    tools=FakeTools([DECLARATION], [(GET_1, "one"), (GET_2, "two")]),
    expected_calls=((GET_1, GET_2),),
    expected_answer="One and two.",
)


def agent(**changes):
    ticks = itertools.count()
    settings = {"arm": "scripted", "model": "m", "options": {}, "clock": lambda: float(next(ticks))}
    return Agent(**settings | changes)


def play(script, task=TASK, **changes):
    """Play a task against a script; return the trace and the bodies that were sent."""
    arm = Scripted(script)
    trace = asyncio.run(run_task(task, agent(**changes), arm.play))
    return trace, [request.body for request in arm.asked]


GOOD = (Answer(thinking="Both.", tool_calls=(GET_1, GET_2)), Answer(content="One and two. "))


def test_a_conversation_ends_when_the_model_asks_for_no_tool():
    trace, _ = play(GOOD)

    assert trace.final.halt_reason == "no_tool_calls"
    assert trace.final.answer == "One and two. "
    assert (trace.final.steps_used, trace.final.tool_calls_total) == (2, 2)
    assert trace.final.calls_expected
    assert trace.final.answer_expected


def test_every_request_repeats_the_history_and_adds_the_answer_and_the_tools_results():
    _, (first, second) = play(GOOD)

    assert first["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "What are they?"},
    ]
    assert second["messages"][:2] == first["messages"]
    assert second["messages"][2:] == [
        {
            "role": "assistant",
            "content": "",
            "thinking": "Both.",
            "tool_calls": [
                {"id": "call_a", "function": {"name": "get", "arguments": {"id": 1}}},
                {"id": "call_b", "function": {"name": "get", "arguments": {"id": 2}}},
            ],
        },
        {"role": "tool", "tool_name": "get", "content": "one", "tool_call_id": "call_a"},
        {"role": "tool", "tool_name": "get", "content": "two", "tool_call_id": "call_b"},
    ]


def test_an_agent_can_forget_the_thoughts_and_a_server_can_send_no_ids():
    call = ToolCall(name="get", arguments={"id": 1})

    _, (_, second) = play(
        (Answer(thinking="Hm.", tool_calls=(call,)), Answer()), sends_thoughts=False
    )

    assert second["messages"][2:] == [
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"function": {"name": "get", "arguments": {"id": 1}}}],
        },
        {"role": "tool", "tool_name": "get", "content": "one"},
    ]


def test_the_request_carries_model_tools_and_settings():
    _, (body,) = play([Answer()], think=True, stream=False, options={"seed": 7})

    del body["messages"]
    assert body == {
        "model": "m",
        "tools": [DECLARATION],
        "think": True,
        "stream": False,
        "options": {"seed": 7},
    }


def test_what_was_not_chosen_is_not_sent():
    """Without a word about thinking the server does what is usual for the model."""
    task = replace(TASK, tools=FakeTools([], []), expected_calls=())

    trace, (body,) = play([Answer(content="Hello")], task)

    assert set(body) == {"model", "messages", "stream", "options"}
    assert trace.final.calls_expected


def test_a_model_that_never_stops_asking_halts_at_the_step_budget():
    trace, _ = play(itertools.repeat(Answer(tool_calls=(GET_1,))), step_budget=3)

    assert trace.final.halt_reason == "step_budget"
    assert trace.final.answer is None
    assert (trace.final.steps_used, trace.final.tool_calls_total) == (3, 3)
    assert not trace.final.calls_expected


REFUSED = Take(arm="", error="cannot reach it")
BROKEN_OFF = Take(arm="", answer=Answer(content="One an"), wire=WireShape(status=200, done=False))
CRASHED = Take(arm="", rendered=Rendered(prompt="<bos>"), error="out of memory")


@pytest.mark.parametrize(
    ("take", "reason"),
    [
        (REFUSED, "error:cannot reach it"),
        (BROKEN_OFF, "error:the answer ended before the server said that it was done"),
        (CRASHED, "sampler_error:out of memory"),
    ],
)
def test_a_failure_halts_the_conversation_under_its_name(take, reason):
    trace, _ = play([Answer(tool_calls=(GET_1, GET_2)), take, Answer(content="never asked")])

    assert trace.final.halt_reason == reason
    assert trace.final.steps_used == 2
    assert trace.final.answer is None
    assert not trace.final.answer_expected


def test_calls_in_two_turns_are_not_the_calls_expected_in_one():
    apart = [Answer(tool_calls=(GET_1,)), Answer(tool_calls=(GET_2,)), Answer(content="?")]

    trace, _ = play(apart)

    assert not trace.final.calls_expected
    assert not trace.final.answer_expected


def test_times_are_measured_with_the_clock_that_was_passed_in():
    """The clock ticks once when a conversation starts, twice for each turn, and once at the end."""
    trace, _ = play(GOOD)

    assert [turn.elapsed_s for turn in trace.turns] == [1.0, 1.0]
    assert trace.final.wall_clock_s == 5.0


def test_a_turn_is_traced_by_its_numbers():
    counted = WireShape(
        status=200, done=True, done_reason="stop", prompt_eval_count=31, eval_count=4
    )
    take = Take(arm="", answer=Answer(content="Twö", thinking="I say."), wire=counted)

    trace, _ = play([take])

    (turn,) = trace.turns
    assert (turn.prompt_eval_count, turn.eval_count, turn.done_reason) == (31, 4, "stop")
    assert (turn.content_len, turn.thinking_len, turn.tool_call_count) == (3, 6, 0)


def test_the_history_is_measured_with_the_last_answer():
    short, _ = play([Answer(content="x")])
    long, _ = play([Answer(content="xyz")])

    assert long.final.final_history_chars == short.final.final_history_chars + 2


def test_an_arm_that_cannot_run_leaves_a_trace_without_turns():
    trace = missing(TASK, agent())

    assert trace.final.halt_reason == "env_missing"
    assert trace.turns == ()
    assert not trace.final.calls_expected
