"""Compare the calls in a completion with those that Ollama's parser made of them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tonearm.canonical import Json, canonical_bytes
from tonearm.model import ToolCall
from tonearm.replay.translator.causes import Cause
from tonearm.replay.translator.segments import Segment
from tonearm.templates.gemma4.call import Declared, read_call
from tonearm.templates.gemma4.tokens import CALL, CHANNEL, QUOTE

MANY_STRINGS = 47
"""Strings of one call from which on placeholders in Ollama's reader look like its separators."""

_NAME = re.compile(r"call:([^{]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A call as it stands in the completion, and how we read it."""

    segment: Segment
    call: ToolCall | None
    """``None`` where the text cannot be read."""
    problems: tuple[str, ...]
    """Kinds of departure from the grammar."""

    @property
    def name(self) -> str:
        """The name, also of a call that cannot be read."""
        if self.call is not None:
            return self.call.name
        match = _NAME.match(self.segment.text)
        return match[1].strip() if match else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A call that did not come out as it was written."""

    cause: Cause
    detail: str
    spoken: Spoken | None
    answered: ToolCall | None


def call_differences(
    segments: Sequence[Segment], calls: Sequence[ToolCall], tools: Declared
) -> Iterator[Difference]:
    """Yield what happened to calls that Ollama's parser recognised as such.

    Args:
        segments: The completion's calls.
        calls: What Ollama answered.
        tools: What the request declares.
    """
    spoken = [_spoken(segment, tools) for segment in segments]
    for one, call in _pairs(spoken, calls):
        if one is not None and call is not None:
            cause, detail = _changed(one, call)
        elif one is not None:
            cause, detail = Cause.DROPPED_CALL, _obstacle(one)
        else:
            cause, detail = Cause.UNEXPLAINED, "a call that is not in the completion"
        if cause is not None:
            yield Difference(cause=cause, detail=detail, spoken=one, answered=call)


def _spoken(segment: Segment, tools: Declared) -> Spoken:
    call, problems = read_call(segment.text, segment.start, tools)
    return Spoken(segment=segment, call=call, problems=tuple(p.kind for p in problems))


def _pairs(
    spoken: Sequence[Spoken], calls: Sequence[ToolCall]
) -> Iterator[tuple[Spoken | None, ToolCall | None]]:
    """Yield what belongs together, in order.

    A call of Ollama's waits for its equal, if one is still to come; otherwise it goes with the next
    spoken call of its name.
    """
    waiting = deque((call, _key(call)) for call in calls)
    keys = [_key(one.call) for one in spoken]
    coming = Counter(keys)
    for one, key in zip(spoken, keys, strict=True):
        coming[key] -= 1
        call, wanted = waiting[0] if waiting else (None, None)
        if call is not None and (wanted == key or (call.name == one.name and not coming[wanted])):
            waiting.popleft()
            yield one, call
        else:
            yield one, None
    yield from ((None, call) for call, _ in waiting)


def _key(call: ToolCall | None) -> tuple[str, bytes] | None:
    if call is None:
        return None
    return call.name, canonical_bytes(_as_doubles(call.arguments))


def _as_doubles(value: Json) -> Json:
    """Return a value with its integers as a reader has them that knows only doubles."""
    match value:
        case dict():
            return {key: _as_doubles(item) for key, item in value.items()}
        case list():
            return [_as_doubles(item) for item in value]
        case int() if not isinstance(value, bool) and abs(value) < 10**300:
            return float(value)
    return value


def _changed(one: Spoken, call: ToolCall) -> tuple[Cause | None, str]:
    ours, kinds = one.call, ", ".join(one.problems)
    if ours is not None and ours.name == call.name:
        if canonical_bytes(ours.arguments) == canonical_bytes(call.arguments):
            return None, ""
        if _key(ours) == _key(call):
            return Cause.INTEGER_ROUNDED, call.name
    return (Cause.REPAIRED_DIFFERENTLY, kinds) if kinds else (Cause.UNEXPLAINED, call.name)


def is_open(segment: Segment) -> bool:
    """Whether a call was not closed before something else began, which it then takes in."""
    return segment.kind == "call" and (CALL in segment.text or CHANNEL in segment.text)


def _obstacle(one: Spoken) -> str:
    """Return what Ollama's parser stumbles over in a call that it drops."""
    if is_open(one.segment):
        return "missing_close_tag"
    if one.call is None:
        return ", ".join(one.problems)
    if key := next(filter(_is_no_identifier, _keys(one.call.arguments)), None):
        return f"non_identifier_key {key!r}"
    if (count := one.segment.text.count(QUOTE) // 2) >= MANY_STRINGS:
        return f"many_strings, {count}"
    unclosed = [] if one.segment.closed else ["missing_close_tag"]
    quotes = ["double_quote"] if '"' in one.segment.text.replace(QUOTE, "") else []
    return ", ".join([*one.problems, *unclosed, *quotes]) or "no known obstacle"


def _keys(value: Json) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            yield from _keys(item)


def _is_no_identifier(key: str) -> bool:
    """Whether a key has a character that is no letter, decimal digit or underscore."""
    return not all(c == "_" or unicodedata.category(c)[0] == "L" or c.isdecimal() for c in key)
