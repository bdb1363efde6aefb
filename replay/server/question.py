"""What makes two requests the same: method, path, and a body that means the same JSON.

The order of keys, whitespace and the spelling of numbers do not count. The form in which the
answer is to come is kept apart from the rest, because one can be made from the other.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from tonearm import wire
from tonearm.canonical import Json, JsonObject, fingerprint
from tonearm.errors import UsageError

type Step = str | int | None
"""A member's name, an item's index, or every item."""

type Pointer = tuple[Step, ...]

_NAME = r"""[^.\[\]"]+"""
_TEXT = r'''"(?:[^"\\]|\\.)*"'''
_STEP = re.compile(rf"\.?(?P<name>{_NAME})|\[(?:(?P<index>\d+)|(?P<every>\*)|(?P<text>{_TEXT}))\]")


_COUNTING = frozenset({wire.OPENAI_CHAT, wire.OPENAI_TEXT})
"""Endpoints whose streams bring the counts only where a request says so."""


class Form(StrEnum):
    """How an answer comes."""

    WHOLE = "in one piece"
    STREAM = "as a stream"
    COUNTED = "as a stream with usage"

    @property
    def streamed(self) -> bool:
        """Whether it comes in pieces."""
        return self is not Form.WHOLE


@dataclass(frozen=True, slots=True)
class Question:
    """A request, apart from how it is spelled."""

    method: str
    path: str
    body: str
    """Fingerprint of the body; of its bytes where they are no JSON."""
    form: Form
    """How the answer is to come."""


def question(method: str, path: str, body: bytes, free: Sequence[Pointer] = ()) -> Question:
    """Return what a request asks; ``free`` points at members whose values do not count."""
    try:
        value = json.loads(body) if body else None
        form = take_form(path, value)
        for pointer in free:
            drop(value, pointer)
        return Question(method, path, fingerprint(value), form)
    except (ValueError, RecursionError):
        digest = hashlib.sha256(body).hexdigest()
        return Question(method, path, f"bytes {digest}", Form.WHOLE)


def take_form(path: str, body: Json) -> Form:
    """Remove from a body what tells the form of its answer, and return that form."""
    usual = path.startswith("/api/")
    if not isinstance(body, dict) or not isinstance(body.get("stream"), bool | None):
        return Form.STREAM if usual else Form.WHOLE
    said = body.pop("stream", None)
    counted = path in _COUNTING and _take_usage(body)
    if not (usual if said is None else said):
        return Form.WHOLE
    return Form.COUNTED if counted else Form.STREAM


def _take_usage(body: JsonObject) -> bool:
    """Remove ``stream_options.include_usage`` and return what it says."""
    options = body.get("stream_options") or {}
    if not isinstance(options, dict) or not isinstance(options.get("include_usage"), bool | None):
        return False
    said = options.pop("include_usage", None)
    if not options:
        body.pop("stream_options", None)
    return bool(said)


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
