"""What makes two requests the same: method, path, and a body that means the same JSON.

The order of keys, whitespace and the spelling of numbers do not count. Whether an answer is to be
streamed is kept apart from the rest, because one can be made from the other.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from tonearm.canonical import Json, fingerprint
from tonearm.errors import UsageError

type Step = str | int | None
"""A member's name, an item's index, or every item."""

type Pointer = tuple[Step, ...]

_NAME = r"""[^.\[\]"]+"""
_TEXT = r'''"(?:[^"\\]|\\.)*"'''
_STEP = re.compile(rf"\.?(?P<name>{_NAME})|\[(?:(?P<index>\d+)|(?P<every>\*)|(?P<text>{_TEXT}))\]")


@dataclass(frozen=True, slots=True)
class Question:
    """A request, apart from how it is spelled."""

    method: str
    path: str
    body: str
    """Fingerprint of the body; of its bytes where they are no JSON."""
    streamed: bool
    """Whether the answer is to come in pieces."""


def question(method: str, path: str, body: bytes, free: Sequence[Pointer] = ()) -> Question:
    """Return what a request asks; ``free`` points at members whose values do not count."""
    try:
        value = json.loads(body) if body else None
        streamed = take_stream(path, value)
        for pointer in free:
            drop(value, pointer)
        return Question(method, path, fingerprint(value), streamed)
    except (ValueError, RecursionError):
        digest = hashlib.sha256(body).hexdigest()
        return Question(method, path, f"bytes {digest}", streamed=False)


def take_stream(path: str, body: Json) -> bool:
    """Remove ``stream`` from a body and return what it says, or what its absence says."""
    usual = path.startswith("/api/")
    if not isinstance(body, dict) or not isinstance(body.get("stream"), bool | None):
        return usual
    said = body.pop("stream", None)
    return usual if said is None else said


def drop(value: Json, pointer: Pointer) -> None:
    """Remove what a pointer points at, where it points at something."""
    step, *rest = pointer
    for place in _places(value, step):
        if rest:
            drop(value[place], tuple(rest))
        else:
            del value[place]


def _places(value: Json, step: Step) -> list[str] | list[int]:
    """Return the keys or indices of a value that a step means, the last one first."""
    if isinstance(value, dict):
        return [step] if isinstance(step, str) and step in value else list[str]()
    if not isinstance(value, list) or isinstance(step, str):
        return []
    if step is None:
        return list(reversed(range(len(value))))
    return [step] if step < len(value) else []


def parse_pointer(text: str) -> Pointer:
    """Return the pointer in a text such as ``options.seed`` or ``messages[*].images``.

    Raises:
        UsageError: The text is no pointer.
    """
    steps: list[Step] = []
    end = 0
    while found := _STEP.match(text, end):
        end = found.end()
        if found["name"] is not None:
            steps.append(found["name"])
        elif found["index"] is not None:
            steps.append(int(found["index"]))
        else:
            steps.append(None if found["every"] else json.loads(found["text"]))
    if end != len(text) or not steps or not isinstance(steps[0], str):
        raise UsageError(
            f"--ignore {text}: expected a path in the body, such as options.seed or "
            "messages[*].images"
        )
    return tuple(steps)


def spell(pointer: Sequence[Step]) -> str:
    """Return a pointer as ``parse_pointer`` reads it."""
    text = ""
    for step in pointer:
        if isinstance(step, str) and re.fullmatch(_NAME, step):
            text += f".{step}" if text else step
        elif isinstance(step, str):
            text += f"[{json.dumps(step)}]"
        else:
            text += "[*]" if step is None else f"[{step}]"
    return text
