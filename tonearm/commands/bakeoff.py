"""``tonearm bakeoff``: play agent tasks against a model and trace them."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import RenderableType
from rich.table import Table

from tonearm.arms import ARMS, ArmOptions, load
from tonearm.bakeoff import trace
from tonearm.bakeoff.loop import Agent, missing, run_task
from tonearm.bakeoff.tasks import KINDS, Task, TaskBook, load_tasks
from tonearm.bakeoff.trace import NO_TOOL_CALLS, Trace
from tonearm.commands import _address
from tonearm.errors import EXIT_DIVERGED, EXIT_SAME, ArmUnavailable, UsageError
from tonearm.terminal import cell, console, one_line

DEFAULT_MODEL = "gemma4:e2b"
STEP_BUDGET = 20


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    p = commands.add_parser(
        "bakeoff",
        help="play agent tasks against a model and trace them",
        description="Play agent tasks, one conversation after the other, with tools that answer "
        "from a list. Exits 0 when every conversation came to an answer.",
    )
    p.add_argument(
        "--arm", required=True, metavar="NAME[=TARGET]", help=f"one of {', '.join(ARMS)}"
    )
    p.add_argument(
        "--task",
        required=True,
        choices=(*KINDS, "all", "every"),
        help="a kind of task; all is movies, research, memory and long, every is really every kind",
    )
    p.add_argument("--out", required=True, type=Path, metavar="FILE", help="where traces go")
    p.add_argument("--model", default=DEFAULT_MODEL, help="default: %(default)s")
    p.add_argument("--base-url", metavar="URL", help="default: OLLAMA_HOST")
    p.add_argument("--limit", type=int, default=1, metavar="N", help="tasks of each kind")
    p.add_argument(
        "--step-budget",
        type=int,
        default=STEP_BUDGET,
        metavar="N",
        help="requests after which a conversation is given up, default: %(default)s",
    )
    p.add_argument(
        "--think",
        action=argparse.BooleanOptionalAction,
        help="default: what the server does when it is not told",
    )
    p.add_argument("--stream", action=argparse.BooleanOptionalAction, default=True)
    p.add_argument(
        "--send-thoughts",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep the model's thoughts in the history",
    )
    p.add_argument("--seed", type=int, help="of the server's sampler")
    p.add_argument("--json", action="store_true", help="print the traces instead of a table")
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Play the tasks, save the traces after each, and print a summary."""
    if args.limit < 1 or args.step_budget < 1:
        raise UsageError("--limit and --step-budget must be at least 1")
    book = load_tasks()
    tasks = book.select(args.task, args.limit)
    traces = asyncio.run(_play(tasks, _agent(args, book), args))
    if args.json:
        print(json.dumps(trace.to_json(traces), indent=1))
    else:
        console().print(_table(traces))
    good = all(t.final.halt_reason == NO_TOOL_CALLS for t in traces)
    return EXIT_SAME if good else EXIT_DIVERGED


def _agent(args: argparse.Namespace, book: TaskBook) -> Agent:
    seed = {} if args.seed is None else {"seed": args.seed}
    return Agent(
        arm=args.arm.partition("=")[0],
        model=args.model,
        options=book.options | seed,
        think=args.think,
        stream=args.stream,
        sends_thoughts=args.send_thoughts,
        step_budget=args.step_budget,
    )


async def _play(tasks: Sequence[Task], agent: Agent, args: argparse.Namespace) -> list[Trace]:
    url = _address.upstream(args.base_url)
    arm = load(args.arm, ArmOptions(url=url, layers=False))
    traces: list[Trace] = []
    trace.save(traces, args.out)
    try:
        await arm.open([agent.model])
    except ArmUnavailable:
        trace.save([missing(task, agent) for task in tasks], args.out)
        raise
    try:
        for task in tasks:
            traces.append(await run_task(task, agent, arm.play))
            trace.save(traces, args.out)
            _tell(traces[-1], len(traces), len(tasks))
    finally:
        await arm.close()
    return traces


def _tell(done: Trace, number: int, total: int) -> None:
    halt = one_line(done.final.halt_reason)
    print(f"tonearm: {number}/{total} {done.task_id}: {halt}", file=sys.stderr)


def _table(traces: Sequence[Trace]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("conversation")
    table.add_column("halt")
    for name in ("turns", "calls", "tokens in", "tokens out", "seconds"):
        table.add_column(name, justify="right")
    table.add_column("calls expected")
    table.add_column("answer expected")
    for one in traces:
        table.add_row(*_row(one))
    return table


def _row(one: Trace) -> list[RenderableType]:
    final = one.final
    style = "green" if final.halt_reason == NO_TOOL_CALLS else "red"
    return [
        one.task_id,
        cell(one_line(final.halt_reason, 60), style),
        str(final.steps_used),
        str(final.tool_calls_total),
        str(sum(turn.prompt_eval_count or 0 for turn in one.turns)),
        str(sum(turn.eval_count or 0 for turn in one.turns)),
        f"{final.wall_clock_s:.2f}",
        "yes" if final.calls_expected else "no",
        "yes" if final.answer_expected else "no",
    ]
