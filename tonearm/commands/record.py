"""``tonearm record``: sit in front of an Ollama and write down what passes."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tonearm.commands._address import DEFAULT, upstream
from tonearm.errors import EXIT_SAME, CaptureError, NothingToTest

if TYPE_CHECKING:
    from tonearm.proxy.session import Result, Settings
    from tonearm.proxy.tally import Tally

LISTEN = "127.0.0.1:11435"
SHELF = Path("cassettes")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    p = commands.add_parser(
        "record",
        usage="%(prog)s [--upstream URL] [--listen HOST:PORT] [--shelf DIR] [-- COMMAND ...]",
        help="record what passes between agents and Ollama",
        description="Record what passes between agents and Ollama. With COMMAND, run it with its "
        "clients pointed at the recorder and pass its exit code on.",
    )
    p.add_argument(
        "--upstream", metavar="URL", help=f"Ollama; default: $OLLAMA_HOST, else {DEFAULT}"
    )
    p.add_argument("--listen", metavar="HOST:PORT", default=LISTEN, help="default: %(default)s")
    p.add_argument(
        "--shelf", metavar="DIR", type=Path, default=Path("cassettes"), help="default: %(default)s"
    )
    p.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="-- COMMAND ...", help="what to run"
    )
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Record, print the summary and return the exit code."""
    from tonearm.proxy.address import parse_listen, parse_upstream
    from tonearm.proxy.session import Settings, record  # mitmproxy takes a second to import

    logging.basicConfig(level=logging.WARNING, format="tonearm: %(message)s")
    settings = Settings(
        upstream=parse_upstream(upstream(args.upstream)),
        listen=parse_listen(args.listen),
        shelf=args.shelf,
    )
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    result = record(settings, command, say)
    for line in summary(result.tally, settings.shelf):
        say(line)
    if command and result.code == EXIT_SAME:
        check(result, settings)
    return result.code


def say(line: str) -> None:
    """Print a line for the human who watches."""
    print(f"tonearm: {line}", file=sys.stderr, flush=True)


def summary(tally: Tally, shelf: Path) -> list[str]:
    """Return what is worth saying about a run."""
    lines = [
        f"{_count(tally.recorded, 'exchange')} recorded: "
        f"{_count(tally.conversations, 'conversation')}, {_count(tally.files, 'file')} in {shelf}; "
        f"{_count(tally.passed, 'other request')} passed through"
    ]
    if tally.unanswered:
        lines.append(f"{_count(tally.unanswered, 'exchange')} without an answer from Ollama")
    lost = sorted(tally.lost.items())
    return lines + [f"{_count(number, 'exchange')} LOST: {why}" for why, number in lost]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def check(result: Result, settings: Settings) -> None:
    """See that a command that succeeded has left something to replay.

    Raises:
        CaptureError: There is nothing, for the recorder or Ollama failed.
        NothingToTest: There is nothing, for the command asked for nothing.
    """
    tally = result.tally
    if tally.recorded == 0 and tally.lost:
        raise CaptureError("nothing was recorded: every exchange was lost, for the reasons above")
    if tally.recorded == 0:
        raise NothingToTest(
            f"nothing was recorded: the command sent no chat or generate request to "
            f"{result.address.url}; does its client read OLLAMA_HOST?"
        )
    if tally.recorded == tally.unanswered:
        raise CaptureError(
            f"no answer was recorded: Ollama at {settings.upstream.url} could not be reached"
        )
