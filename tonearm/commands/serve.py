"""``tonearm serve``: be an Ollama that answers from recordings, or from an arm."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tonearm.arms import ARMS, ArmOptions, load
from tonearm.commands._address import DEFAULT, upstream
from tonearm.errors import EXIT_COULD_NOT_RUN, EXIT_DIVERGED, EXIT_SAME, UsageError
from tonearm.terminal import safe

if TYPE_CHECKING:
    from tonearm.replay.server.hosting import Voice
    from tonearm.replay.server.session import Settings

LISTEN = "127.0.0.1:11435"
OF_RECORDINGS: dict[str, object] = {
    "speed": "recorded",
    "ignore": [],
    "repeat": "last",
    "on_miss": "fail",
    "shelf": None,
    "strict": False,
}
"""Options that mean nothing beside ``--arm``, and their defaults."""
OF_ARMS: dict[str, object] = {"model": None, "template": None}
"""Options that mean nothing without it."""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    p = commands.add_parser(
        "serve",
        help="answer as an Ollama would, from recordings or from an arm",
        description="Answer as an Ollama would, from cassettes or shelves of them, or with --arm "
        "from a model, without any Ollama. The address is the only line on stdout; misses and the "
        "summary go to stderr.",
    )
    p.add_argument("cassettes", nargs="*", type=Path, metavar="CASSETTE", help="default: cassettes")
    p.add_argument(
        "--arm",
        metavar="NAME[=TARGET]",
        help=f"answer from an arm instead of recordings: {', '.join(ARMS)}",
    )
    p.add_argument("--model", metavar="M", help="with --arm: the name under which it is asked")
    p.add_argument(
        "--template", metavar="PATH", type=Path, help="with --arm: writes the prompts instead"
    )
    p.add_argument(
        "--listen", metavar="HOST:PORT", default=LISTEN, help="port 0: any; default: %(default)s"
    )
    p.add_argument(
        "--speed",
        metavar="recorded|instant|FACTOR",
        help="how fast recordings are played; default: %(default)s",
    )
    p.add_argument(
        "--ignore",
        action="append",
        metavar="PATH",
        help="what in a body may differ from the recording, such as options.seed; repeatable",
    )
    p.add_argument(
        "--repeat",
        choices=("last", "cycle", "once"),
        help="what a request gets that is asked more often than recorded; default: %(default)s",
    )
    p.add_argument(
        "--on-miss",
        choices=("fail", "passthrough", "record"),
        help="what becomes of a request that was not recorded; default: %(default)s",
    )
    p.add_argument(
        "--upstream",
        metavar="URL",
        help=f"Ollama, for --on-miss; default: $OLLAMA_HOST, else {DEFAULT}",
    )
    p.add_argument(
        "--shelf",
        metavar="DIR",
        type=Path,
        help="where --on-miss record writes; default: CASSETTE, if it is one folder",
    )
    p.add_argument(
        "--strict", action="store_true", help="exit with 1 if any request or recording is left over"
    )
    p.add_argument("--verbose", action="store_true", help="name the recording of every answer")
    p.set_defaults(run=run, **OF_RECORDINGS, **OF_ARMS)


def run(args: argparse.Namespace) -> int:
    """Serve, print the summary and return the exit code."""
    from tonearm.replay.server.hosting import Voice  # aiohttp takes a while to import
    from tonearm.replay.server.session import serve

    level = logging.INFO if args.verbose else logging.WARNING
    logging.basicConfig(level=logging.WARNING, format="tonearm: %(message)s")
    logging.getLogger("tonearm").setLevel(level)
    allow_many_files()
    voice = Voice(say=say, announce=announce)
    if args.arm is not None:
        refuse(args, OF_RECORDINGS, "is for recordings: leave it out beside --arm")
        return run_arm(args, voice)
    refuse(args, OF_ARMS, "is for arms: name one with --arm")
    result = serve(settings(args), voice)
    for line in result.ledger.summary(result.unasked):
        say(line)
    if result.recorded:
        say(f"{result.recorded} recorded")
    for line in result.lost:
        say(line)
    if result.lost:
        return EXIT_COULD_NOT_RUN
    return EXIT_DIVERGED if args.strict and not result.clean else EXIT_SAME


def run_arm(args: argparse.Namespace, voice: Voice) -> int:
    """Serve the model of an arm.

    Raises:
        UsageError: The command line asks for something impossible.
        ArmUnavailable: The arm cannot run here.
    """
    from tonearm import templates
    from tonearm.proxy.address import parse_listen
    from tonearm.replay.server.stage.session import Bill, perform

    if args.cassettes:
        raise UsageError("--arm answers instead of recordings: leave the cassettes out")
    if args.model is None:
        raise UsageError("--arm needs the name under which it is asked: --model tiny-gemma4:e2b")
    template = templates.load(args.template) if args.template else None
    arm = load(args.arm, ArmOptions(url=upstream(args.upstream), template=template, layers=False))
    listen = parse_listen(args.listen)
    perform(Bill(arm=arm, model=args.model, listen=listen, origins=origins()), voice)
    return EXIT_SAME


def refuse(args: argparse.Namespace, options: dict[str, object], problem: str) -> None:
    """Raise ``UsageError`` where one of some options is not at its default."""
    for name, default in options.items():
        if getattr(args, name) != default:
            raise UsageError(f"--{name.replace('_', '-')} {problem}")


def origins() -> list[str]:
    """Return the further origins that ``OLLAMA_ORIGINS`` names."""
    return [o for o in os.environ.get("OLLAMA_ORIGINS", "").split(",") if o]


def settings(args: argparse.Namespace) -> Settings:
    """Return what the command line asks for.

    Raises:
        UsageError: It asks for something impossible.
    """
    from tonearm.proxy.address import parse_listen, parse_upstream
    from tonearm.replay.server.playback import parse_speed
    from tonearm.replay.server.question import parse_pointer
    from tonearm.replay.server.repertoire import Repeat
    from tonearm.replay.server.session import OnMiss, Settings

    on_miss = OnMiss(args.on_miss)
    return Settings(
        cassettes=args.cassettes or [Path("cassettes")],
        listen=parse_listen(args.listen),
        speed=parse_speed(args.speed),
        free=[parse_pointer(text) for text in args.ignore],
        repeat=Repeat(args.repeat),
        on_miss=on_miss,
        upstream=None if on_miss is OnMiss.FAIL else parse_upstream(upstream(args.upstream)),
        shelf=shelf(args) if on_miss is OnMiss.RECORD else None,
        origins=origins(),
    )


def shelf(args: argparse.Namespace) -> Path:
    """Return the folder into which is recorded.

    Raises:
        UsageError: The command line does not say which.
    """
    if args.shelf is not None:
        return Path(args.shelf)
    cassettes = args.cassettes or [Path("cassettes")]
    only = cassettes[0]
    if len(cassettes) == 1 and not only.is_file():
        return Path(only)
    raise UsageError("--on-miss record: name the folder to record into with --shelf")


def say(line: str) -> None:
    """Print a line for the human who watches."""
    print(f"tonearm: {safe(line)}", file=sys.stderr, flush=True)


def announce(url: str) -> None:
    """Print the address, for programs that started this one."""
    with contextlib.suppress(BrokenPipeError):
        print(url, flush=True)


def allow_many_files() -> None:
    """Raise the soft limit of open files, as Go's runtime does: each client takes one."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
