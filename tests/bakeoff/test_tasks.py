"""The tasks that come with the package are whole and are found by kind."""

from __future__ import annotations

import pytest

from tonearm.bakeoff.tasks import KINDS, load_tasks
from tonearm.bakeoff.tools import NOT_FOUND


def test_there_are_25_tasks_of_six_kinds():
    book = load_tasks()

    assert len({task.id for task in book.tasks}) == len(book.tasks) == 25
    assert {task.kind for task in book.tasks} == set(KINDS)


def test_every_expected_call_is_of_a_declared_tool_and_has_a_result():
    for task in load_tasks().tasks:
        declared = {d["function"]["name"] for d in task.tools.declarations}
        for call in (call for step in task.expected_calls for call in step):
            assert call.name in declared, task.id
            assert task.tools.call(call) != NOT_FOUND, task.id


@pytest.mark.parametrize(
    ("wanted", "limit", "ids"),
    [
        ("movies", 2, ["movies-0", "movies-1"]),
        ("all", 1, ["movies-0", "research-0", "memory-0", "long-0"]),
        (
            "every",
            1,
            ["movies-0", "research-0", "memory-0", "long-0", "parallel-0", "chat-0"],
        ),
        ("chat", 99, ["chat-0", "chat-1"]),
    ],
)
def test_tasks_are_chosen_by_kind_and_number(wanted, limit, ids):
    assert [task.id for task in load_tasks().select(wanted, limit)] == ids


def test_a_conversation_opens_with_the_system_text_the_past_and_the_question():
    tasks = {task.id: task for task in load_tasks().tasks}

    roles = [message["role"] for message in tasks["memory-2"].opening()]

    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]
    assert [m["role"] for m in tasks["chat-0"].opening()] == ["user"]
