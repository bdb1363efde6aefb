"""``tonearm seal``: pack cassettes that nobody is writing."""

from __future__ import annotations

import argparse
from pathlib import Path

from tonearm import cassette
from tonearm.errors import EXIT_SAME


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    p = commands.add_parser(
        "seal",
        help="pack cassettes to save space",
        description="Replace cassettes by sealed ones (.yaml.zst), which stock vcrpy cannot read.",
    )
    p.add_argument("cassette", nargs="+", type=Path, metavar="SHELF|CASSETTE")
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Seal every cassette that is named and print its new name."""
    for path in cassette.find(args.cassette):
        print(cassette.seal(path))
    return EXIT_SAME
