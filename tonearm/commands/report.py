"""``tonearm report``: judge a saved run again."""

from __future__ import annotations

import argparse
from pathlib import Path

from tonearm.commands import _output
from tonearm.replay import runfile
from tonearm.replay.report import report


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    p = commands.add_parser(
        "report", help="print the report of a saved run", description="Judge a saved run again."
    )
    p.add_argument("run_file", type=Path, metavar="RUN.json")
    _output.add_format(p)
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the report; the exit code is that of the replay."""
    return _output.show(report(runfile.load(args.run_file)), args.format)
