"""``tonearm diff``: the same turns, the same arms, two runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from tonearm.commands import _output
from tonearm.replay import runfile
from tonearm.replay.report import versus


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    p = commands.add_parser(
        "diff",
        help="compare two saved runs",
        description="Compare how the same arms answered the same turns in two saved runs, such as "
        "before and after an upgrade. The first run is the expectation.",
    )
    p.add_argument("old", type=Path, metavar="RUN.json")
    p.add_argument("new", type=Path, metavar="RUN.json")
    _output.add_format(p)
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print how the runs differ."""
    labels = (args.old.stem, args.new.stem)
    if labels[0] == labels[1]:
        labels = (str(args.old), str(args.new))
    summary = versus(runfile.load(args.old), runfile.load(args.new), labels)
    return _output.show(summary, args.format)
