"""Bring the arguments of a tool call to one spelling, and list where two of them differ.

Two arguments are the same exactly when their canonical forms are, so sameness is an equivalence
whatever rules are in force. Every rule is a step of ``Canon`` and can be left out, which is how
``rules_needed`` finds out what two equal arguments owe their equality to.
"""

from __future__ import annotations

import json
import math
import string
import unicodedata
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum

from tonearm.canonical import Json, JsonObject, canonical
from tonearm.replay.schema import Fault, ToolSchema, as_object, pointer, too_deep


class Rule(StrEnum):
    """A difference in spelling that is none in meaning."""

    NUMBER_FORM = "number_form"
    UNICODE_NFC = "unicode_nfc"
    LINE_ENDINGS = "line_endings"
    JSON_STRING_ARGS = "json_string_args"
    EMPTY_ARGS = "empty_args"
    JSON_IN_STRING = "json_in_string"
    DEFAULT_FILLED = "default_filled"
    NULL_ABSENT = "null_absent"
    UNORDERED_ARRAY = "unordered_array"
    CALL_ORDER = "call_order"


class DiffKind(StrEnum):
    """How one argument differs from the one at the same place."""

    VALUE = "value"
    TYPE = "type"
    ADDED = "added"
    REMOVED = "removed"
    WHITESPACE = "whitespace"
    """A text differs in ASCII blanks at its ends alone."""


_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))

ALL_RULES = frozenset(Rule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Canon:
    """The canonical form of the arguments of one tool."""

    tool: ToolSchema = field(default_factory=ToolSchema)
    unordered: frozenset[str] = frozenset()
    """JSON pointers of the lists whose order means nothing."""
    rules: frozenset[Rule] = ALL_RULES
    refs: bool = True
    """Whether to look behind ``$ref``; not in defaults, where it could go on for ever."""

    def arguments(self, raw: Json) -> Json:
        """Return the canonical form of the arguments of a call, an object or not."""
        value = raw
        if isinstance(raw, str) and Rule.JSON_STRING_ARGS in self.rules:
            with suppress(ValueError):
                value = read_json(raw)
        if value is None and Rule.EMPTY_ARGS in self.rules:
            value = {}
        return spelling(value) if too_deep(value) else self._value(value, self.tool.root, "")

    def _value(self, value: Json, schema: JsonObject, at: str) -> Json:
        match value:
            case str():
                return self._text(value)
            case int() | float() if not isinstance(value, bool):
                return canonical(value) if Rule.NUMBER_FORM in self.rules else value
            case dict():
                return self._object(value, self.tool.inside(schema, refs=self.refs), at)
            case list():
                return self._list(value, self.tool.inside(schema, refs=self.refs), at)
        return value

    def _text(self, text: str) -> str:
        if Rule.UNICODE_NFC in self.rules:
            text = unicodedata.normalize("NFC", text)
        if Rule.LINE_ENDINGS in self.rules:
            text = text.replace("\r\n", "\n")
        if Rule.JSON_IN_STRING in self.rules and text.lstrip()[:1] in {"{", "["}:
            with suppress(ValueError):
                inner = read_json(text)
                if not too_deep(inner):
                    rules = self.rules - {Rule.JSON_IN_STRING}
                    return spelling(Canon(rules=rules)._value(inner, {}, ""))
        return text

    def _list(self, items: list[Json], schema: JsonObject, at: str) -> Json:
        first = schema.get("prefixItems", ())
        rest = as_object(schema.get("items"))
        form = [
            self._value(item, as_object(first[n]) if n < len(first) else rest, f"{at}/{n}")
            for n, item in enumerate(items)
        ]
        free = at in self.unordered and Rule.UNORDERED_ARRAY in self.rules
        return sorted(form, key=spelling) if free else form

    def _object(self, members: JsonObject, schema: JsonObject, at: str) -> Json:
        properties = schema.get("properties", {})
        others = as_object(schema.get("additionalProperties"))
        required = schema.get("required", ())
        form = {
            name: self._value(value, as_object(properties.get(name, others)), at + pointer([name]))
            for name, value in members.items()
        }
        for name in properties:
            if name not in required:
                self._settle(form, name, as_object(properties[name]), at + pointer([name]))
        return form

    def _settle(self, form: JsonObject, name: str, schema: JsonObject, at: str) -> None:
        """Spell an optional member in the one way out of absent, default and null."""
        if schema.get("default") is not None:
            if name not in form and Rule.DEFAULT_FILLED in self.rules:
                form[name] = replace(self, refs=False)._value(schema["default"], schema, at)
        elif name in form and form[name] is None:
            default = "default" in schema and Rule.DEFAULT_FILLED in self.rules
            if default or (Rule.NULL_ABSENT in self.rules and self.tool.accepts_null(schema)):
                del form[name]


def rules_needed(canon: Canon, expected: Json, actual: Json) -> frozenset[Rule]:
    """Return the rules without which two equal arguments would differ."""
    needed = ALL_RULES
    for rule in Rule:
        fewer = replace(canon, rules=needed - {rule})
        if spelling(fewer.arguments(expected)) == spelling(fewer.arguments(actual)):
            needed = fewer.rules
    return needed


def faults(raw: Json, tool: ToolSchema) -> list[Fault]:
    """Return where the arguments of a call are not what its tool declares, defaults not filled."""
    try:
        value = read_json(raw) if isinstance(raw, str) else raw
    except ValueError:
        return [Fault(path="", kind="bad_json")]
    if too_deep(value):
        return [Fault(path="", kind="too_deep")]
    value = {} if value is None else value
    return tool.faults(value) if isinstance(value, dict) else [Fault(path="", kind="type")]


def differences(
    expected: Json, actual: Json, unordered: frozenset[str] = frozenset(), at: str = ""
) -> Iterator[tuple[str, DiffKind]]:
    """Yield JSON pointer and kind of every place where two canonical forms differ.

    A list of another length, or one whose order means nothing, is one place.
    """
    match expected, actual:
        case dict(), dict():
            for name in sorted(expected.keys() | actual.keys()):
                here = at + pointer([name])
                if name not in actual:
                    yield here, DiffKind.REMOVED
                elif name not in expected:
                    yield here, DiffKind.ADDED
                elif not _same(expected[name], actual[name]):
                    yield from differences(expected[name], actual[name], unordered, here)
        case list(), list() if len(expected) == len(actual) and at not in unordered:
            for n, (left, right) in enumerate(zip(expected, actual, strict=True)):
                if not _same(left, right):
                    yield from differences(left, right, unordered, f"{at}/{n}")
        case list(), list():
            if spelling(expected) != spelling(actual):
                yield at, DiffKind.VALUE
        case _:
            if not _same(expected, actual):
                yield at, _kind(expected, actual)


def _same(expected: Json, actual: Json) -> bool:
    """Whether two values are the same and no containers; unlike ``==``, true is not 1."""
    if type(expected) is not type(actual) or isinstance(expected, dict | list):
        return False
    return bool(expected == actual) or (expected != expected and actual != actual)


def _kind(expected: Json, actual: Json) -> DiffKind:
    numbers = all(type(value) in {int, float} for value in (expected, actual))
    if type(expected) is not type(actual) and not numbers:
        return DiffKind.TYPE
    if isinstance(expected, str) and _trimmed(expected) == _trimmed(actual):
        return DiffKind.WHITESPACE
    return DiffKind.VALUE


def _trimmed(text: str) -> str:
    return text.strip(string.whitespace)


def spelling(value: Json) -> str:
    """Return a JSON value as text: keys sorted, numbers as they are."""
    return _ENCODER.encode(value)


def read_json(text: str) -> Json:
    """Return the value of a JSON text that every reader takes for the same.

    Raises:
        ValueError: It is no JSON, or has a doubled key or a number that no double can hold.
    """
    try:
        return json.loads(
            text,
            parse_float=_finite,
            parse_constant=_refused,
            object_pairs_hook=_unambiguous,
        )
    except RecursionError as err:
        raise ValueError("nested too deeply") from err


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refused(text)


def _refused(text: str) -> float:
    raise ValueError(f"not a JSON number: {text}")


def _unambiguous(pairs: list[tuple[str, Json]]) -> JsonObject:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key occurs twice")
    return members
