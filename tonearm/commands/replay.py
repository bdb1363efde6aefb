"""``tonearm replay``: ask recorded turns again, on one or more arms, and report."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tonearm import templates
from tonearm.arms import ARMS, Arm, ArmOptions, load
from tonearm.commands import _address, _output
from tonearm.errors import UsageError
from tonearm.model import Take, Turn
from tonearm.replay import engine, references, runfile
from tonearm.replay.plan import Plan, load_plan
from tonearm.replay.report import report
from tonearm.templates import ChatFormat


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    p = commands.add_parser(
        "replay",
        help="ask recorded turns again and say which layer differs",
        description="Ask every recorded turn again, with its recorded history, on one or more "
        "arms. The recording is compared with the first arm, the first arm with every other.",
    )
    p.add_argument("cassettes", nargs="+", type=Path, metavar="CASSETTE", help="files or folders")
    p.add_argument(
        "--arm",
        action="append",
        required=True,
        metavar="NAME[=TARGET]",
        help=f"one of {', '.join(ARMS)}; repeat for several",
    )
    p.add_argument("--upstream", default=None, metavar="URL", help="default: OLLAMA_HOST")
    p.add_argument("--model", help="ask this model instead of the recorded one")
    p.add_argument(
        "--template",
        type=Path,
        metavar="PATH",
        help="write prompts with this chat template, not ours: a file, a model folder or a GGUF",
    )
    p.add_argument(
        "--out", type=Path, metavar="RUN.json", help="save the run; goes on when cut off"
    )
    p.add_argument("--overwrite", action="store_true", help="replace an existing --out")
    p.add_argument("--concurrency", type=int, default=1, help="requests in flight, for each arm")
    p.add_argument("--timeout", type=float, default=600.0, help="longest silence, seconds")
    _output.add_format(p)
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Replay, save, report; return the exit code of the gravest outcome."""
    if args.concurrency < 1:
        raise UsageError("--concurrency must be at least 1")
    if args.out and args.out.exists() and not args.overwrite:
        raise UsageError(f"{args.out} exists; choose another --out, or --overwrite it")
    plan = load_plan(args.cassettes)
    for warning in plan.warnings:
        print(f"tonearm: {warning}", file=sys.stderr)
    with _template(args.template) as template:
        arms = _arms(args, template)
        job = _Job(plan, arms, args, template)
        asyncio.run(job.play())
        outcome = runfile.collect(plan, [arm.name for arm in arms], job.takes)
        if args.out:
            runfile.save(outcome, args.out)
            job.journal_done()
        return _output.show(report(outcome, template), args.format)


@contextmanager
def _template(path: Path | None) -> Iterator[ChatFormat | None]:
    if path is None:
        yield None
        return
    with closing(templates.load(path)) as template:
        yield template


def _arms(args: argparse.Namespace, template: ChatFormat | None) -> list[Arm]:
    """Load the arms, numbering those that would share a name."""
    common = ArmOptions(
        url=_address.upstream(args.upstream),
        model=args.model,
        timeout_s=args.timeout,
        template=template,
    )
    arms: list[Arm] = []
    for spec in args.arm:
        name = re.split("[=,]", spec, maxsplit=1)[0]
        taken = [arm.name for arm in arms]
        unique = next(n for n in (name, *(f"{name}-{k}" for k in range(2, 99))) if n not in taken)
        arms.append(load(spec, replace(common, name=unique)))
    return arms


@dataclass(slots=True)
class _Job:
    """One replay under way."""

    plan: Plan
    arms: list[Arm]
    args: argparse.Namespace
    template: ChatFormat | None = None
    takes: dict[tuple[str, str], Take] = field(default_factory=dict)
    _journal: runfile.Journal | None = None

    async def play(self) -> None:
        models = [self.args.model] if self.args.model else self.plan.models
        async with engine.opened(self.arms, models):
            if not self.args.out:
                await self._play(None)
                return
            with runfile.Journal(self.args.out, self.plan, self._asked()) as journal:
                self._journal = journal
                self.takes |= journal.open()
                if self.takes:
                    print(f"tonearm: resuming, {len(self.takes)} takes are there", file=sys.stderr)
                await self._play(journal)

    def _asked(self) -> list[str]:
        """Return what a run that goes on must have in common with the one that was cut off."""
        args = self.args
        return [*args.arm, str(args.upstream), str(args.model), str(args.template)]

    def journal_done(self) -> None:
        if self._journal is not None:
            self._journal.finish()

    async def _play(self, journal: runfile.Journal | None) -> None:
        total = len(self.plan.turns) * len(self.arms)
        with _progress() as progress:
            bar = progress.add_task("replay", total=total, completed=len(self.takes))

            def on_take(turn: Turn, take: Take) -> None:
                self.takes[turn.key, take.arm] = take
                if journal is not None:
                    journal.add(turn.key, take)
                progress.advance(bar)

            plain, judging = references.split(self.arms)
            await engine.play(
                self.plan.turns,
                plain,
                on_take,
                concurrency=self.args.concurrency,
                done=lambda turn, arm: (turn.key, arm) in self.takes,
            )
            await references.judge(
                self.plan.turns, judging, self.takes, on_take, chat_format=self.template
            )


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
