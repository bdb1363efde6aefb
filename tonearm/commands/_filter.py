"""Filters over JSON lines: one object in, one object out, and a bad line stops nobody."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator

from tonearm.canonical import Json, JsonObject
from tonearm.errors import EXIT_COULD_NOT_RUN, EXIT_SAME, TonearmError, UsageError
from tonearm.terminal import ignore_reader
from tonearm.wire import parse_object

_NAMES = {list: "a list", str: "a text", bool: "true or false"}


def run_filter(answer: Callable[[JsonObject], JsonObject]) -> int:
    """Answer each line of stdin on stdout and return the exit code.

    It is 0 however many lines were bad, unless there were lines and all of them were.
    """
    good = bad = 0
    try:
        for result in answers(sys.stdin.buffer, answer):
            print(json.dumps(result), flush=True)
            good, bad = (good, bad + 1) if "line" in result else (good + 1, bad)
    except BrokenPipeError:
        ignore_reader()
    return EXIT_COULD_NOT_RUN if bad and not good else EXIT_SAME


def answers(
    lines: Iterable[bytes], answer: Callable[[JsonObject], JsonObject]
) -> Iterator[JsonObject]:
    """Yield the answer to each line that is not blank, with the line's ``id`` in it."""
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _answer(line, number, answer)


def _answer(line: bytes, number: int, answer: Callable[[JsonObject], JsonObject]) -> JsonObject:
    name: Json = None
    try:
        request = parse_object(line, "the line")
        name = request.get("id")
        return {"id": name, **answer(request)}
    except TonearmError as err:
        return {"id": name, "line": number, "error": str(err)}


def field[T](request: JsonObject, name: str, kind: type[T]) -> T | None:
    """Return a field of a line, ``None`` where it is absent or null.

    Raises:
        UsageError: It is of another type.
    """
    value = request.get(name)
    if value is not None and not isinstance(value, kind):
        raise UsageError(f"{name} is not {_NAMES[kind]}")
    return value


def objects(request: JsonObject, name: str) -> list[JsonObject] | None:
    """Return a field that is a list of objects, ``None`` where it is absent or null.

    Raises:
        UsageError: It is something else.
    """
    values = field(request, name, list)
    for number, value in enumerate(values or ()):
        if not isinstance(value, dict):
            raise UsageError(f"{name}[{number}] is not an object")
    return values
