"""``tonearm demo``: see the whole loop, without an Ollama and without a network."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Coroutine
from importlib.util import find_spec
from itertools import count
from pathlib import Path

from tonearm.errors import EXIT_SAME, ArmUnavailable, UsageError

FOLDER = "tonearm-demo"
INSTALL = 'pip install "tonearm[llama]", or in a clone: uv run --extra llama tonearm demo'


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    p = commands.add_parser(
        "demo",
        help="see the whole loop, without an Ollama and without a network",
        description="Serve a small model that comes with tonearm, record agents that use it, "
        "replay the recording, then break one layer after the other and see each of them named.",
    )
    p.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help=f"a new folder for everything that is made; default: {FOLDER}",
    )
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Perform, say what to try next, and return the exit code."""
    if find_spec("xllamacpp") is None:
        raise ArmUnavailable("llama-cpp", "xllamacpp is not installed", fix=INSTALL)
    folder = make_folder(args.out)
    from tonearm.demo.screen import Screen
    from tonearm.demo.session import perform  # mitmproxy takes a second to import

    logging.basicConfig(level=logging.WARNING, format="tonearm: %(message)s")
    screen = Screen(sys.stdout, own_name())
    screen.line(f"tonearm demo: no Ollama, no network; everything is kept in {folder}")
    interrupted = asyncio.run(_until_interrupted(perform(folder, screen)))
    if interrupted is not None:
        print(f"tonearm: interrupted; what was made until then is in {folder}", file=sys.stderr)
        return 128 + interrupted
    for line in farewell(folder, screen.program):
        screen.line(line)
    return EXIT_SAME


async def _until_interrupted(
    performance: Coroutine[None, None, None],
) -> signal.Signals | None:
    """Return the signal that ended the performance early, if one did."""
    from tonearm.proxy.interrupts import Interrupts

    task = asyncio.create_task(performance)
    signals: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        if not signals:  # a second one would interrupt the tidying up
            task.cancel()
        signals.append(number)

    with Interrupts() as interrupts:
        interrupts.hand_to(stop)
        await asyncio.wait([task])
    if signals and task.cancelled():
        return signals[0]
    await task
    return None


def make_folder(wanted: Path | None) -> Path:
    """Make the folder that was asked for, or the first of our own name that is free.

    Raises:
        UsageError: It exists, or cannot be made.
    """
    names = (FOLDER if n == 1 else f"{FOLDER}-{n}" for n in count(1))
    for path in [wanted] if wanted is not None else map(Path, names):
        try:
            path.mkdir(parents=wanted is not None)
        except FileExistsError as err:
            if wanted is not None:
                raise UsageError(f"{path} exists; name a new folder with --out") from err
        except OSError as err:
            fix = "name another folder with --out"
            raise UsageError(f"cannot make the folder {path}: {err.strerror}; {fix}") from err
        else:
            return path
    raise AssertionError("the names do not end")


def farewell(folder: Path, name: str) -> list[str]:
    """Return the last lines: what is there, and what can be done with it.

    Args:
        folder: Where everything is.
        name: How this program is called from here.
    """
    shelf = folder / "cassettes"
    tries = (
        (f"ls {shelf}", "what was recorded"),
        (f"show {sorted(shelf.glob('*.yaml'))[0]}", "what an agent and the model said"),
        (f"report {folder / 'parse.run.json'} --format md", "a report for an issue tracker"),
        (f"diff {folder / 'sound.run.json'} {folder / 'wire.run.json'}", "before and after"),
        (f"serve {shelf}", "answers as recorded, offline"),
        ("record -- your-agent --its options", "the same with your own agent and Ollama"),
    )
    lines = [f"\nAll layers were found where they were broken. Kept in {folder}; try next:"]
    for words, why in tries:
        lines += [f"  # {why}", f"  {name} {words}"]
    return lines


def own_name() -> str:
    """Return how a shell here finds this program again."""
    if "UV_RUN_RECURSION_DEPTH" in os.environ:
        return "uv run tonearm"
    program = Path(sys.argv[0])
    if not os.access(program, os.X_OK):
        return f"{shlex.quote(sys.executable)} -m tonearm"
    found = shutil.which(program.name)
    known = found is not None and Path(found).resolve() == program.resolve()
    return program.name if known else shlex.quote(str(program))
