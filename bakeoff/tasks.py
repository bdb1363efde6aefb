"""The tasks: what the user asks, which tools there are, and what a good agent would do.

``tasks.json`` is data. The expectations in it are exact for the test model that was trained on
tasks of this kind; another model may well reach the same end in other words.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources

from tonearm.bakeoff.tools import FakeTools
from tonearm.canonical import JsonObject
from tonearm.model import ToolCall

FOUR = ("movies", "research", "memory", "long")
"""The kinds of task that ``all`` stands for."""

KINDS = (*FOUR, "parallel", "chat")
"""All kinds, which ``every`` stands for."""

type Steps = tuple[tuple[ToolCall, ...], ...]
"""The calls of each model turn that has any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thing that a user wants."""

    id: str
    kind: str
    system: str | None
    history: tuple[JsonObject, ...]
    """What was said before, in the form of ``/api/chat``."""
    prompt: str
    tools: FakeTools
    expected_calls: Steps
    expected_answer: str

    def opening(self) -> list[JsonObject]:
        """Return the messages of the first request."""
        system = [{"role": "system", "content": self.system}] if self.system else []
        return [*system, *self.history, {"role": "user", "content": self.prompt}]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskBook:
    """All tasks, and the options that they are meant to be asked with."""

    options: JsonObject
    """Of sampling and context, for each request."""
    tasks: tuple[Task, ...]

    def select(self, wanted: str, limit: int) -> list[Task]:
        """Return at most ``limit`` tasks of a kind, or of each kind in ``all`` or ``every``."""
        kinds = {"all": FOUR, "every": KINDS}.get(wanted, (wanted,))
        return [task for kind in kinds for task in self._of(kind)[:limit]]

    def _of(self, kind: str) -> list[Task]:
        return [task for task in self.tasks if task.kind == kind]


def load_tasks() -> TaskBook:
    """Read the tasks that come with the package."""
    text = resources.files("tonearm.bakeoff").joinpath("tasks.json").read_text(encoding="utf-8")
    data = json.loads(text)
    return TaskBook(
        options=data["options"],
        tasks=tuple(_task(entry, data["tools"]) for entry in data["tasks"]),
    )


def _task(entry: JsonObject, specifications: JsonObject) -> Task:
    results = zip(_calls(entry["results"]), (r["result"] for r in entry["results"]), strict=True)
    return Task(
        id=entry["id"],
        kind=entry["task"],
        system=entry["system"],
        history=tuple(entry["history"]),
        prompt=entry["prompt"],
        tools=FakeTools([specifications[name] for name in entry["tools"]], results),
        expected_calls=tuple(_calls(step) for step in entry["expected_calls"]),
        expected_answer=entry["expected_answer"],
    )


def _calls(entries: Iterable[JsonObject]) -> tuple[ToolCall, ...]:
    return tuple(ToolCall(name=e["name"], arguments=e["arguments"]) for e in entries)
