"""How commands print a report."""

from __future__ import annotations

import argparse
import sys

from tonearm.replay.markdown import to_markdown
from tonearm.replay.report import Report, print_json, print_text


def add_format(parser: argparse.ArgumentParser) -> None:
    """Declare ``--format``, and ``--json`` as its short form."""
    parser.add_argument("--format", choices=("text", "json", "md"), default="text")
    parser.add_argument("--json", action="store_const", const="json", dest="format")


def show(summary: Report, form: str) -> int:
    """Print a report on stdout and return its exit code."""
    match form:
        case "json":
            print_json(summary, sys.stdout)
        case "md":
            sys.stdout.write(to_markdown(summary))
        case _:
            print_text(summary, sys.stdout)
    return summary.exit_code
