"""The command line: one module for each command, each with ``add_parser`` and ``run``.

stdout is the result, stderr is talk. Exit codes: ``tonearm.errors``.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from tonearm import __version__
from tonearm.errors import TonearmError

COMMANDS = ("record", "ls", "show", "replay", "diff", "report", "bakeoff")
"""Names of the commands, each that of its module, in the order of the help text."""


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="tonearm",
        description="Record what agents say to Ollama, play it back, name the layer that changed.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"tonearm {__version__}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in COMMANDS:
        importlib.import_module(f"tonearm.commands.{name}").add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    args = build_parser().parse_args(argv)
    try:
        code: int = args.run(args)
    except TonearmError as err:
        if args.debug:
            raise
        print(f"tonearm: {err}", file=sys.stderr)
        return err.exit_code
    except KeyboardInterrupt:
        return 130
    return code
