"""Replay with one thing broken, and hold what was found against what was broken."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tonearm.arms import Arm, ArmOptions, load
from tonearm.bakeoff.tasks import Task
from tonearm.demo.model import NAME
from tonearm.demo.provocations import Provocation
from tonearm.demo.relay import Relay
from tonearm.errors import DemoError
from tonearm.model import Take, Turn
from tonearm.replay import engine, runfile
from tonearm.replay.plan import Plan
from tonearm.replay.report import Report, describe_sum, report
from tonearm.replay.verdict import Outcome

SERVER, ENGINE = "ollama-json", "llama-cpp"
"""The arms: the server asked as agents ask it, and the model without a server."""

type Takes = Mapping[tuple[str, str], Take]
"""By the turn's key and the arm's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What everything is asked of."""

    url: str
    """Of the server."""
    models: Mapping[str, Path]
    """The model files by their kind."""


def of_task(plan: Plan, task: Task) -> Plan:
    """Return the turns of one task."""
    opening, tools = task.opening(), list(task.tools.declarations)
    mine = (
        turn
        for turn in plan.turns
        if turn.request.messages[: len(opening)] == opening and turn.request.tools == tools
    )
    return Plan(turns=tuple(mine))


async def ask(turns: Sequence[Turn], specs: Sequence[str], on_take: Callable[[], None]) -> Takes:
    """Ask every turn of every arm.

    Raises:
        ArmUnavailable: An arm cannot run here.
    """
    takes: dict[tuple[str, str], Take] = {}

    def keep(turn: Turn, take: Take) -> None:
        takes[turn.key, take.arm] = take
        on_take()

    arms: list[Arm] = [load(spec, ArmOptions()) for spec in specs]
    async with engine.opened(arms, [NAME]):
        await engine.play(turns, arms, keep)
    return takes


@asynccontextmanager
async def broken(provocation: Provocation, setup: Setup) -> AsyncIterator[str]:
    """Break something for the length of a block, and return the arm that meets it."""
    if provocation.kind is not None:
        yield f"{ENGINE}={setup.models[provocation.kind]}"
        return
    async with Relay(setup.url, provocation.fault) as relay:
        yield f"{SERVER}={relay.url}"


def save(plan: Plan, takes: Takes, path: Path) -> Report:
    """Save a run of both arms, judge it as ``tonearm report`` does, and return the report.

    Raises:
        RunFileError: It cannot be written.
    """
    run = runfile.collect(plan, [SERVER, ENGINE], takes)
    runfile.save(run, path)
    return report(run)


def confirm_sound(found: Report) -> None:
    """See that nothing differs as long as nothing is broken.

    Raises:
        DemoError: Something does.
    """
    if set(found.outcomes) != {Outcome.SAME}:
        raise DemoError(f"nothing was broken, but something was found: {describe_sum(found)}")


def confirm(provocation: Provocation, found: Report) -> None:
    """See that what was broken was found, where it was broken and by its name, and nothing else.

    Raises:
        DemoError: It was not.
    """
    layer, cause = provocation.layer, provocation.cause
    if set(found.outcomes) - {Outcome.SAME, Outcome.DIVERGED} or set(found.layers) != {layer}:
        raise DemoError(f"{layer} was broken, but something else was found: {describe_sum(found)}")
    causes = {
        finding.cause
        for row in found.rows
        for comparison in row.verdict.comparisons
        for finding in comparison.findings
    }
    if cause not in {None, *causes}:
        raise DemoError(f"{layer} was broken as {cause}, but the report does not say so")
