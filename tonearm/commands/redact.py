"""``tonearm redact``: take the secrets out of texts, one JSON object a line, in and out."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from tonearm.canonical import Json, JsonObject
from tonearm.errors import EXIT_COULD_NOT_RUN, EXIT_NOTHING, EXIT_SAME, UsageError, WireError
from tonearm.wire import parse_object

if TYPE_CHECKING:
    from tonearm.redaction import Finding, Redactor

_FORM = """\
Input, one JSON object a line:
  id    anything, comes back as it is (optional)
  text  a text of any form: prose, JSON, a stream as it came, an HTTP message

Output, for each line: {"id", "text", "findings"}, or {"id", "line", "error"} for a bad one. A
finding is {"kind", "spans"}: where the secret stood in the text that came in, in characters, as
[start, end] pairs; several where it was cut into the pieces of a stream.

Exit status: 0 all done, 4 some lines were bad, 5 no lines at all.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    p = commands.add_parser(
        "redact",
        help="take the secrets out of texts, a filter over JSON lines",
        description="Read texts from stdin and write them without their secrets. The same secret "
        "gets the same stand-in in every line.",
        epilog=_FORM,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument(
        "--shelf",
        metavar="DIR",
        type=Path,
        help="use the stand-ins and the rules of this shelf; by default they last for one run",
    )
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Redact each line of stdin onto stdout."""
    from tonearm.redaction import Redactor  # compiles its expressions when it is imported

    if args.shelf is not None and not args.shelf.is_dir():
        raise UsageError(f"--shelf: {args.shelf} is no folder")
    redactor = (
        Redactor(secrets.token_bytes(32)) if args.shelf is None else Redactor.of_shelf(args.shelf)
    )
    codes = set()
    for result, code in redacted(sys.stdin.buffer, redactor):
        print(json.dumps(result), flush=True)
        codes.add(code)
    return max(codes, default=EXIT_NOTHING)


def redacted(lines: Iterable[bytes], redactor: Redactor) -> Iterator[tuple[JsonObject, int]]:
    """Yield what becomes of each line that is not blank, and the exit code that it stands for."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _redacted(line, number, redactor)


def _redacted(line: bytes, number: int, redactor: Redactor) -> tuple[JsonObject, int]:
    name: Json = None
    try:
        request = parse_object(line, "the line")
        name = request.get("id")
        if not isinstance(request.get("text"), str):
            raise WireError("the line has no text")
    except WireError as err:
        return {"id": name, "line": number, "error": str(err)}, EXIT_COULD_NOT_RUN
    text, findings = redactor.text(request["text"])
    return {"id": name, "text": text, "findings": [_finding(f) for f in findings]}, EXIT_SAME


def _finding(finding: Finding) -> JsonObject:
    return {"kind": finding.kind, "spans": [list(span) for span in finding.spans]}
