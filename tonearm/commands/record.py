"""``tonearm record``: sit in front of an Ollama and write down what passes."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tonearm.canonical import JsonObject
from tonearm.commands import _log
from tonearm.commands._address import DEFAULT, upstream
from tonearm.commands._log import say
from tonearm.errors import EXIT_SAME, CaptureError, NothingToTest, UsageError

if TYPE_CHECKING:
    from tonearm.proxy.session import Result, Settings
    from tonearm.proxy.tally import Tally

LISTEN = "127.0.0.1:11435"
SHELF = Path("cassettes")
MODES = ("reverse", "regular", "local", "transparent", "wireguard")
TOKEN_VARIABLE = "TONEARM_TOKEN"
MIN_TOKEN = 16


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    p = commands.add_parser(
        "record",
        usage="%(prog)s [--upstream URL] [--listen HOST:PORT] [--shelf DIR] [--mode MODE]\n"
        "                      [--allow-remote] [--token-file FILE] [--metrics HOST:PORT]\n"
        "                      [--unsafe-raw] [--log-format text|json] [-- COMMAND ...]",
        help="record what passes between agents and Ollama",
        description="Record what passes between agents and Ollama. With COMMAND, run it with its "
        "clients pointed at the recorder and pass its exit code on.",
    )
    p.add_argument(
        "--upstream", metavar="URL", help=f"Ollama; default: $OLLAMA_HOST, else {DEFAULT}"
    )
    p.add_argument("--listen", metavar="HOST:PORT", default=LISTEN, help="default: %(default)s")
    p.add_argument("--shelf", metavar="DIR", type=Path, default=SHELF, help="default: %(default)s")
    p.add_argument(
        "--mode",
        type=_mode,
        default="reverse",
        help="how traffic gets to the recorder: reverse (default), regular, local:NAME, "
        "transparent or wireguard; docs/record.md says what each needs",
    )
    p.add_argument(
        "--allow-remote",
        action="store_true",
        help="let other machines in, with a token that every request must carry",
    )
    p.add_argument(
        "--token-file",
        metavar="FILE",
        type=Path,
        help=f"file with the token; default: ${TOKEN_VARIABLE}",
    )
    p.add_argument(
        "--metrics", metavar="HOST:PORT", help="show figures in Prometheus' text format there"
    )
    p.add_argument(
        "--unsafe-raw",
        action="store_true",
        help="switch the redaction off: write every header, key and password as it passes",
    )
    p.add_argument(
        "--log-format", choices=_log.FORMATS, default="text", help="default: %(default)s"
    )
    p.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="-- COMMAND ...", help="what to run"
    )
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Record, print the summary and return the exit code."""
    from tonearm.proxy.address import parse_listen, parse_upstream
    from tonearm.proxy.session import Settings, record  # mitmproxy takes a second to import

    _log.set_up(args.log_format)
    metrics = args.metrics and parse_listen(
        args.metrics, remote=args.allow_remote, option="--metrics"
    )
    settings = Settings(
        upstream=parse_upstream(upstream(args.upstream)),
        listen=parse_listen(args.listen, remote=args.allow_remote),
        shelf=args.shelf,
        mode=args.mode,
        token=read_token(args.token_file, os.environ) if args.allow_remote else None,
        metrics=metrics or None,
        unsafe_raw=args.unsafe_raw,
    )
    command = args.command[1:] if args.command[:1] == ["--"] else args.command
    result = record(settings, command, say)
    for line, facts in summary(result.tally, settings.shelf):
        say(line, **facts)
    if settings.unsafe_raw and result.tally.recorded:
        text = "redaction was OFF (--unsafe-raw): these cassettes hold every secret that passed"
        say(text, redaction="off")
    if command and result.code == EXIT_SAME:
        check(result, settings)
    return result.code


def _mode(text: str) -> str:
    if text in MODES or text.partition(":")[0] in ("local", "wireguard"):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(MODES)}, local:NAME")


def read_token(path: Path | None, environ: Mapping[str, str]) -> str:
    """Return the token that every request must carry.

    Raises:
        UsageError: There is none, or it could be guessed.
    """
    try:
        text = path.read_text(encoding="utf-8") if path else environ.get(TOKEN_VARIABLE, "")
    except (OSError, UnicodeDecodeError) as err:
        raise UsageError(f"--token-file {path}: {err}") from err
    token = text.strip()
    if len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable() or " " in token:
        where = f"--token-file {path}" if path else f"${TOKEN_VARIABLE}"
        raise UsageError(
            f"{where}: --allow-remote needs a token of {MIN_TOKEN} or more characters, without "
            "spaces; `openssl rand -hex 16` makes one"
        )
    return token


def summary(tally: Tally, shelf: Path) -> list[tuple[str, JsonObject]]:
    """Return what is worth saying about a run, as lines and as facts."""
    figures = {
        "recorded": tally.recorded,
        "conversations": tally.conversations,
        "files": tally.files,
        "passed": tally.passed,
        "shelf": str(shelf),
    }
    first = (
        f"{_count(tally.recorded, 'exchange')} recorded: "
        f"{_count(tally.conversations, 'conversation')}, {_count(tally.files, 'file')} in {shelf}; "
        f"{_count(tally.passed, 'other request')} passed through"
    )
    lines: list[tuple[str, JsonObject]] = [(first, figures)]
    if tally.recovered:
        text = f"{_count(tally.recovered, 'exchange')} recovered that a killed recorder had begun"
        lines.append((text, {"recovered": tally.recovered}))
    if tally.unanswered:
        text = f"{_count(tally.unanswered, 'exchange')} without an answer from Ollama"
        lines.append((text, {"unanswered": tally.unanswered}))
    for why, number in sorted(tally.refused.items()):
        text = f"{_count(number, 'request')} refused: {why}"
        lines.append((text, {"refused": number, "reason": why}))
    for why, number in sorted(tally.losses().items()):
        text = f"{_count(number, 'exchange')} LOST: {why}"
        lines.append((text, {"lost": number, "reason": why}))
    return lines


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
            f"nothing was recorded: the command sent no question to a model to "
            f"{result.address.url}; does its client read OLLAMA_HOST?"
        )
    if tally.recorded == tally.unanswered:
        raise CaptureError(
            f"no answer was recorded: Ollama at {settings.upstream.url} could not be reached"
        )
