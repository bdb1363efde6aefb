"""``tonearm unseal``: unpack sealed cassettes, for stock vcrpy and for people."""

from __future__ import annotations

import argparse
from pathlib import Path

from tonearm import cassette
from tonearm.errors import EXIT_SAME


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    p = commands.add_parser(
        "unseal",
        help="unpack sealed cassettes",
        description="Replace sealed cassettes (.yaml.zst) by the plain files they were made from.",
    )
    p.add_argument("cassette", nargs="+", type=Path, metavar="SHELF|CASSETTE")
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Unseal every cassette that is named and print its new name."""
    for path in cassette.find(args.cassette):
        print(cassette.unseal(path))
    return EXIT_SAME
