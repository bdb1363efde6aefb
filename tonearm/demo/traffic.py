"""The agents whose traffic is recorded: the bake-off's four tasks, and one with an unlucky tool."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence

from tonearm.arms import ArmOptions, load
from tonearm.bakeoff.loop import Agent, run_task
from tonearm.bakeoff.tasks import Task, load_tasks
from tonearm.bakeoff.trace import Trace
from tonearm.canonical import JsonObject
from tonearm.demo.model import NAME
from tonearm.errors import DemoError
from tonearm.model import ChatRequest, Take

UNLUCKY = "description"
"""A good name for a parameter, and a keyword of the schemas in which parameters are declared."""


def agents() -> list[Task]:
    """Return what the agents are to do: one task of each kind, then one with the unlucky tool."""
    four = load_tasks().select("all", 1)
    return [*four, _unlucky(four[0])]


def turns(tasks: Sequence[Task]) -> int:
    """Return how many answers the tasks take."""
    return sum(len(task.expected_calls) + 1 for task in tasks)


async def converse(tasks: Sequence[Task], url: str, on_turn: Callable[[], None]) -> list[Trace]:
    """Play the tasks against a server.

    Raises:
        ArmUnavailable: The server does not answer or does not have the model.
        DemoError: The model does not do what it was trained to do.
    """
    arm = load("ollama-json", ArmOptions(url=url, layers=False))
    agent = Agent(arm=arm.name, model=NAME, options=load_tasks().options, think=False)

    async def ask(request: ChatRequest) -> Take:
        take = await arm.play(request)
        on_turn()
        return take

    await arm.open([NAME])
    try:
        traces = [await run_task(task, agent, ask) for task in tasks]
    finally:
        await arm.close()
    for trace in traces:
        if not (trace.final.calls_expected and trace.final.answer_expected):
            raise DemoError(
                f"the model did not finish the task {trace.task_id} as it should: "
                f"{trace.final.halt_reason}"
            )
    return traces


def _unlucky(task: Task) -> Task:
    """Return a task whose first tool has a further parameter; the model has no use for it."""
    first, *others = copy.deepcopy(task.tools.declarations)
    properties: JsonObject = first["function"]["parameters"]["properties"]
    properties[UNLUCKY] = {"type": "string", "description": "Words of the plot"}
    tools = task.tools.declared([first, *others])
    return dataclasses.replace(task, id=f"{task.id}-{UNLUCKY}", tools=tools)
