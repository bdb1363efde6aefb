"""``tonearm parse``: take completions apart, one JSON object a line, in and out."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from tonearm.canonical import JsonObject
from tonearm.commands._filter import field, objects, run_filter
from tonearm.errors import UsageError
from tonearm.templates import get

_FORM = """\
Input, one JSON object a line:
  id                  anything, comes back as it is (optional)
  completion          the text that the model wrote, markup included
  tools               the declarations, as in /api/chat; some repairs need their types (optional)
  starts_in_thinking  whether the prompt left a thought open (optional)
  enable_thinking     accepted and of no effect: a thought is a thought (optional)

Output, for each line: {"id", "thinking", "content", "tool_calls": [{"name", "arguments"}],
"problems": [{"kind", "offset", "repaired", "detail"}]}, or {"id", "line", "error"} for a bad line.

Exit status: 0; 4 where there are lines and all of them are bad.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    p = commands.add_parser(
        "parse",
        help="take completions apart, a filter over JSON lines",
        description="Read completions of Gemma 4 from stdin and write what each of them says.",
        epilog=_FORM,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Parse each line of stdin on stdout."""
    return run_filter(answer)


def answer(request: JsonObject) -> JsonObject:
    """Return what one completion says.

    Raises:
        UsageError: The line is not of the form.
    """
    completion = field(request, "completion", str)
    if completion is None:
        raise UsageError("there is no completion")
    field(request, "enable_thinking", bool)
    said = get("gemma4-large").parse(  # both variants are read alike
        completion,
        tools=objects(request, "tools"),
        starts_in_thinking=bool(field(request, "starts_in_thinking", bool)),
    )
    return {
        "thinking": said.thinking,
        "content": said.content,
        "tool_calls": [{"name": c.name, "arguments": c.arguments} for c in said.tool_calls],
        "problems": [asdict(problem) for problem in said.problems],
    }
