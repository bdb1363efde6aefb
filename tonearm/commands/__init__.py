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

COMMANDS = (
    "record",
    "ls",
    "show",
    "replay",
    "diff",
    "report",
    "serve",
    "seal",
    "unseal",
    "bakeoff",
    "demo",
    "render",
    "parse",
    "compare-calls",
    "redact",
)
"""Names of the commands in the order of the help text; each has a module of that name."""


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of the whole command line, or of one command.

    A command's module is imported for it, and some of them import much.
    """
    parser = argparse.ArgumentParser(
        prog="tonearm",
        description="Record what agents say to Ollama, play it back, name the layer that changed.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"tonearm {__version__}")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in COMMANDS if only is None else (only,):
        module = importlib.import_module(f"tonearm.commands.{name.replace('-', '_')}")
        module.add_parser(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if argv is None else argv
    named = next((word for word in words if not word.startswith("-")), None)
    args = build_parser(named if named in COMMANDS else None).parse_args(words)
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
