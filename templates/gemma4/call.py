"""Read what stands between ``<|tool_call>`` and ``<tool_call|>``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from tonearm.canonical import JsonObject
from tonearm.model import ParseProblem, ToolCall
from tonearm.templates.gemma4.literal import Reader, Unreadable
from tonearm.templates.gemma4.tokens import QUOTE

_PREFIX = re.compile(r"(\s*)call:")
_NAME = re.compile(r"[^\s{}()\[\],<>\"']*")

type Declared = Mapping[str, Mapping[str, bool]]
"""Of each tool, its arguments' names and whether they are strings."""

type Reading = tuple[ToolCall | None, tuple[ParseProblem, ...]]
"""What a call's text says, and what had to be read over."""


def declared(tools: Iterable[JsonObject] | None) -> Declared:
    """Return what the declarations of a request say about the types of arguments."""
    result: dict[str, dict[str, bool]] = {}
    for tool in tools or ():
        function = tool.get("function") if isinstance(tool, dict) else None
        if isinstance(function, dict):
            result[str(function.get("name"))] = _arguments(function)
    return result


def _arguments(function: JsonObject) -> dict[str, bool]:
    parameters = function.get("parameters")
    properties = parameters.get("properties") if isinstance(parameters, dict) else None
    if not isinstance(properties, dict):
        return {}
    return {name: _is_string(schema) for name, schema in properties.items()}


def _is_string(schema: object) -> bool:
    kind = schema.get("type") if isinstance(schema, dict) else None
    names = kind if isinstance(kind, list) else [kind]
    return any(isinstance(name, str) and name.lower() == "string" for name in names)


def read_call(text: str, offset: int, tools: Declared) -> Reading:
    """Read one call.

    Args:
        text: Between the two tags.
        offset: Of the text in the completion.
        tools: See ``declared``.
    """
    notes: dict[str, int] = {}
    try:
        call = _read(text, notes, tools)
    except Unreadable as err:
        return None, (_failure(err, text, offset),)
    return call, _departures(notes, text, offset)


def _read(text: str, notes: dict[str, int], tools: Declared) -> ToolCall:
    prefix = _PREFIX.match(text)
    if prefix is None:
        raise Unreadable("missing_call_prefix", 0)
    if prefix[1]:
        notes["whitespace"] = 0
    start = prefix.end()
    named = _NAME.match(text, start)
    name = named[0] if named else ""
    if not name:
        notes["empty_name"] = start
    elif ":" in name and name not in tools:
        notes["namespaced_name"] = start
    reader = Reader(text, start + len(name), declared=tools.get(name, {}), notes=notes)
    reader.space()
    _expect_object(text, reader.position)
    arguments = reader.object()
    reader.space()
    if reader.position != len(text):
        raise Unreadable("unexpected_text", reader.position)
    return ToolCall(name=name, arguments=arguments)


def _expect_object(text: str, position: int) -> None:
    match text[position : position + 1]:
        case "{":
            return
        case "":
            kind = "missing_object"
        case "(":
            kind = "parens"
        case _:
            kind = "foreign_syntax"
    raise Unreadable(kind, position)


def _failure(err: Unreadable, text: str, offset: int) -> ParseProblem:
    kind = err.kind
    if kind == "unexpected_text" and text.count(QUOTE) % 2:
        kind = "unterminated_string"  # which swallowed the next key
    return ParseProblem(kind=kind, offset=offset + err.position, repaired=False, detail=text)


def _departures(notes: Mapping[str, int], text: str, offset: int) -> tuple[ParseProblem, ...]:
    return tuple(
        ParseProblem(kind=kind, offset=offset + at, repaired=True, detail=text[at : at + 40])
        for kind, at in notes.items()
    )
