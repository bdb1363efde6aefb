"""An arm that gives its answers whole, on the stage."""

from __future__ import annotations

import pytest

from tests.replay.server.stage.test_stage import HELLO, ask, objects
from tonearm.arms.scripted import Scripted
from tonearm.model import Answer, Take, Timing, ToolCall, WireShape

ANSWER = Answer(
    content="I see.", thinking="Hm.", tool_calls=(ToolCall(name="f", arguments={"a": 1}),)
)
TAKE = Take(
    arm="x",
    answer=ANSWER,
    wire=WireShape(status=200, done=True, done_reason="length", prompt_eval_count=9, eval_count=5),
    timing=Timing(wall_s=1.0, prompt_s=0.25, decode_s=0.5),
)
TOOL = {"type": "function", "function": {"name": "f"}}


def test_its_parts_come_one_after_the_other():
    (answer,) = ask(Scripted([TAKE]), {"messages": HELLO, "tools": [TOOL], "think": True})

    thought, said, call, last = objects(answer)
    assert thought["message"] == {"role": "assistant", "content": "", "thinking": "Hm."}
    assert said["message"] == {"role": "assistant", "content": "I see."}
    assert call["message"]["tool_calls"][0]["function"] == {
        "index": 0,
        "name": "f",
        "arguments": {"a": 1},
    }
    assert (last["done_reason"], last["prompt_eval_count"], last["eval_count"]) == ("length", 9, 5)
    assert last["eval_duration"] == 500_000_000


def test_in_one_piece_it_is_the_same():
    body = {"messages": HELLO, "tools": [TOOL], "think": True, "stream": False}
    (answer,) = ask(Scripted([TAKE]), body)

    (whole,) = objects(answer)
    assert (whole["message"]["content"], whole["message"]["thinking"]) == ("I see.", "Hm.")
    assert len(whole["message"]["tool_calls"]) == 1


def test_the_arm_is_asked_for_the_conversation_with_the_options():
    arm = Scripted([TAKE])
    ask(arm, {"prompt": "Hi", "system": "Short.", "options": {"seed": 7}}, path="/api/generate")

    (request,) = arm.asked
    assert [m["content"] for m in request.messages] == ["Short.", "Hi"]
    assert request.options["seed"] == 7


@pytest.mark.parametrize(
    ("body", "path", "words"),
    [
        ({"prompt": "x", "raw": True}, "/api/generate", "no finished prompts"),
        ({"messages": HELLO, "format": "json"}, "/api/chat", "cannot bind its answer"),
        ({"messages": HELLO, "_debug_render_only": True}, "/api/chat", "does not show prompts"),
    ],
)
def test_what_it_cannot_do_is_refused_by_name(body, path, words):
    (answer,) = ask(Scripted([TAKE]), body, path=path)

    assert answer.status_code == 501
    assert words in answer.json()["error"]


def test_a_take_that_failed_is_an_error_with_its_reason():
    (answer,) = ask(Scripted([Take(arm="x", error="out of memory")]), {"messages": HELLO})

    assert (answer.status_code, answer.json()) == (500, {"error": "out of memory"})


def test_an_answer_that_broke_off_stays_unfinished():
    broken = Take(arm="x", answer=Answer(content="I"), wire=WireShape(status=200, done=False))

    (answer,) = ask(Scripted([broken]), {"messages": HELLO})

    assert [piece["done"] for piece in objects(answer)] == [False]
