"""``tonearm compare-calls``: judge pairs of call lists, one JSON object a line, in and out."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator

from tonearm.canonical import Json, JsonObject
from tonearm.errors import (
    EXIT_COULD_NOT_RUN,
    EXIT_DIVERGED,
    EXIT_NOTHING,
    EXIT_SAME,
    TonearmError,
    UsageError,
)
from tonearm.model import ToolCall
from tonearm.replay.calls import CallsDiff, Order, compare_calls
from tonearm.wire import parse_object

_FORM = """\
Input, one JSON object a line:
  id               anything, comes back as it is (optional)
  expected_calls   list of {"name": ..., "arguments": ...}; Ollama's {"function": {...}} will do
  actual_calls     likewise
  tool_schemas     the request's tools, as in /api/chat (optional)
  options          (optional)
    order            flag, ignore or strict, or an object that says so by tool name
    unordered_paths  by tool name, JSON pointers of the lists whose order means nothing

Output, for each line: {"id", "verdict", "details"}, or {"id", "line", "error"} for a bad one.

Exit status: 0 all the same, 1 some differ, 4 some lines were bad, 5 no lines at all.
"""
_NAMES = {
    dict: "an object",
    list: "a list",
    str: "a text",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    p = commands.add_parser(
        "compare-calls",
        help="judge pairs of tool-call lists, a filter over JSON lines",
        description="Read pairs of tool-call lists from stdin and say of each whether both ask "
        "for the same.",
        epilog=_FORM,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Judge each line of stdin on stdout."""
    codes = set()
    for result, code in judged(sys.stdin.buffer):
        print(json.dumps(result), flush=True)
        codes.add(code)
    return max(codes, default=EXIT_NOTHING)


def judged(lines: Iterable[bytes]) -> Iterator[tuple[JsonObject, int]]:
    """Yield what is said of each line that is not blank, and the exit code that it stands for."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _judged(line, number)


def _judged(line: bytes, number: int) -> tuple[JsonObject, int]:
    name: Json = None
    try:
        request = parse_object(line, "the line")
        name = request.get("id")
        diff = _compare(request)
    except TonearmError as err:
        return {"id": name, "line": number, "error": str(err)}, EXIT_COULD_NOT_RUN
    return {"id": name, **diff.to_json()}, EXIT_SAME if diff.same else EXIT_DIVERGED


def _compare(request: JsonObject) -> CallsDiff:
    options = _expect(request.get("options") or {}, dict, "options")
    for name in options.keys() - {"order", "unordered_paths"}:
        raise UsageError(f"options.{name} is not known; known are order and unordered_paths")
    return compare_calls(
        _calls(request, "expected_calls"),
        _calls(request, "actual_calls"),
        _expect(request.get("tool_schemas") or [], list, "tool_schemas"),
        order=_order(options.get("order", Order.FLAG)),
        unordered=_unordered(options.get("unordered_paths") or {}),
    )


def _calls(request: JsonObject, side: str) -> list[ToolCall]:
    calls = []
    for n, listed in enumerate(_expect(request.get(side), list, side)):
        call = _expect(listed, dict, f"{side}[{n}]")
        call = _expect(call.get("function", call), dict, f"{side}[{n}].function")
        name = _expect(call.get("name"), str, f"{side}[{n}].name")
        calls.append(ToolCall(name=name, arguments=call.get("arguments")))
    return calls


def _order(given: Json) -> Json:
    words = list(given.values()) if isinstance(given, dict) else [given]
    for word in words:
        if word not in list(Order):
            raise UsageError(f"options.order: {word!r} is none of {', '.join(Order)}")
    return given


def _unordered(given: Json) -> JsonObject:
    by_tool = _expect(given, dict, "options.unordered_paths")
    for name, paths in by_tool.items():
        where = f"options.unordered_paths.{name}"
        for path in _expect(paths, list, where):
            _expect(path, str, f"an entry of {where}")
    return by_tool


def _expect[T](value: Json, kind: type[T], what: str) -> T:
    if not isinstance(value, kind):
        raise UsageError(f"{what} is not {_NAMES[kind]} but {_NAMES[type(value)]}")
    return value
