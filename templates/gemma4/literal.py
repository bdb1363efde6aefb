"""Write and read the values of arguments and results: ``{a:<|"|>text<|"|>,b:[1,true]}``.

The reader follows the grammar and notes every departure from it. Which departures it reads over
is policy: those that Ollama's parser repairs, and no others, so that a call which Ollama's clients
never see is not made to look well here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from functools import cached_property

from tonearm.canonical import Json, JsonObject
from tonearm.templates.gemma4.tokens import QUOTE

MAX_DEPTH = 128
"""Levels of lists and objects within one another."""

MAX_DIGITS = 4300
"""Of an integer; converting longer ones takes Python more than linear time."""

_SPACE = re.compile(r"\s*")
_KEY = re.compile(r"[^:,\[\]{}]*")
_WORD = re.compile(r"[^,\[\]{}]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_NEARLY_NUMBER = re.compile(r"[+-]?[0-9._]+(?:[eE][+-]?[0-9]+)?")
_JSON_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_SINGLE_QUOTED = re.compile(rf"'(.*?)'(?:{re.escape(QUOTE)})?(?=\s*(?:[,}}\]]|\Z))", re.DOTALL)
_CONSTANTS = {"true": True, "false": False, "null": None}
_PYTHON_CONSTANTS = frozenset({"True", "False", "None"})
_ALLOW_MISSING_CLOSE = frozenset({"bare_string", "single_quotes", "unterminated_string"})


class Unreadable(ValueError):
    """The text is not a value, and no repair makes it one."""

    def __init__(self, kind: str, position: int) -> None:
        super().__init__(f"{kind} at {position}")
        self.kind = kind
        self.position = position


def write(value: Json, *, level: int = 0) -> str:
    """Return a value as the template writes it.

    Raises:
        ValueError: The text could not be read back: a string or key holds what ends it, a float is
            not finite, or the value is nested too deeply.
    """
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return _write_string(value)
        case int():
            return str(value)
        case float() if math.isfinite(value):
            return repr(value)
        case dict() | list() | tuple() if level < MAX_DEPTH:
            return _write_members(value, level + 1)
    raise ValueError(f"cannot be written: {type(value).__name__}, {level} levels deep")


def _write_members(value: JsonObject | list[Json] | tuple[Json, ...], level: int) -> str:
    if not isinstance(value, dict):
        return "[" + ",".join(write(item, level=level) for item in value) + "]"
    keys = sorted(value, key=str.lower)
    pairs = (f"{_write_key(key)}:{write(value[key], level=level)}" for key in keys)
    return "{" + ",".join(pairs) + "}"


def _write_string(text: str) -> str:
    if QUOTE in text:
        raise ValueError(f"a string that holds {QUOTE} cannot be read back")
    return f"{QUOTE}{text}{QUOTE}"


def _write_key(key: str) -> str:
    if not _KEY.fullmatch(key) or QUOTE in key or key != key.strip() or key[:1] in ("'", '"'):
        raise ValueError(f"key {key!r} cannot be read back")
    return key


class Reader:
    """Read one object of arguments."""

    def __init__(
        self, text: str, position: int, *, declared: Mapping[str, bool], notes: dict[str, int]
    ) -> None:
        """Start at a position of the text.

        Args:
            text: Ends where the call ends.
            position: Of the object's opening brace.
            declared: Names of the tool's arguments, and whether each is a string; strings may
                come without their quotes.
            notes: Where to write what had to be read over: each kind with its first position.
        """
        self._text = text
        self._declared = declared
        self._notes = notes
        self._closers: list[str] = []
        self._no_single_quote = False
        self.position = position

    def object(self) -> JsonObject:
        """Read the object that begins here.

        Raises:
            Unreadable: There is none.
        """
        self._open("}")
        result: JsonObject = {}
        while not self._closed(first=not result):
            key = self._key()
            if key in result:
                self.note("duplicate_key")
            result[key] = self._value(
                bare=len(self._closers) == 1 and self._declared.get(key, False)
            )
        return result

    def _list(self) -> list[Json]:
        self._open("]")
        result: list[Json] = []
        while not self._closed(first=not result):
            result.append(self._value())
        return result

    def _open(self, closer: str) -> None:
        self._closers.append(closer)
        if len(self._closers) > MAX_DEPTH:
            raise Unreadable("nesting_too_deep", self.position)
        self.position += 1

    def _closed(self, *, first: bool) -> bool:
        """Step over the comma before the next member, or over the end and return true."""
        self.space()
        closer, here = self._closers[-1], self._here()
        if here == "" and _ALLOW_MISSING_CLOSE.intersection(self._notes):
            self.note("missing_object_close")
        elif here == "":
            raise Unreadable("missing_object_close", self.position)
        elif here == closer:
            self.position += 1
        elif first:
            return False
        elif here == ",":
            self._comma(closer)
            return False
        else:
            raise Unreadable("unexpected_text", self.position)
        self._closers.pop()
        return True

    def _comma(self, closer: str) -> None:
        start = self.position
        self.position += 1
        self.space()
        if self._here() == closer:
            raise Unreadable("trailing_comma", start)

    def _key(self) -> str:
        if self._text.startswith(QUOTE, self.position):
            self.note("delimited_key")
            key = self._string()
            self.space()
        elif self._here() == '"':
            key = self._json_string()
            self.space()
        else:
            key = self._bare_key()
        if self._here() != ":" or QUOTE in key:
            kind = "unexpected_text" if self._here() else "missing_object_close"
            raise Unreadable(kind, self.position)
        self.position += 1
        return key

    def _bare_key(self) -> str:
        start = self.position
        raw = self._take(_KEY)
        key = raw.strip()
        if key != raw:
            self.note("whitespace", start)
        if len(key) > 1 and key[0] == key[-1] == "'":
            self.note("single_quotes", start)
            return key[1:-1]
        return key

    def _value(self, *, bare: bool = False) -> Json:
        start = self.position
        spaced = self._take(_SPACE) != ""
        here = self._here()
        if here == "<" and self._text.startswith(QUOTE, self.position):
            value: Json = self._string()
        elif here == "{":
            value = self.object()
        elif here == "[":
            value = self._list()
        elif here == '"':
            value = self._json_string()
        elif here == "'" and (quoted := self._single_quoted()) is not None:
            value = quoted
        elif bare and not self._at_scalar():
            return self._bare(start)
        else:
            value = self._scalar()
        if spaced:
            self.note("whitespace", start)
        return value

    def _string(self) -> str:
        start = self.position + len(QUOTE)
        end = self._text.find(QUOTE, start)
        if end >= 0:
            self.position = end + len(QUOTE)
        else:
            self.note("unterminated_string")
            self.position = end = self._end_of_last_value(start)
        return self._text[start:end]

    def _end_of_last_value(self, start: int) -> int:
        """Return where the brackets begin that close all that is open, as far as they are there."""
        end = len(self._text)
        for closer in self._closers:
            visible = start + len(self._text[start:end].rstrip())
            if not self._text.endswith(closer, start, visible):
                break
            end = visible - 1
        return end

    def _json_string(self) -> str:
        start = self.position
        text = self._take(_JSON_STRING)
        if not text:
            raise Unreadable("unterminated_string", start)
        self.note("json_quotes", start)
        try:
            value: str = json.loads(text, strict=False)
        except ValueError:
            return text[1:-1]
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

    def _single_quoted(self) -> str | None:
        if self._no_single_quote:
            return None
        match = _SINGLE_QUOTED.match(self._text, self.position)
        if match is None:
            self._no_single_quote = True  # nor will a later one find an end
            return None
        self.note("single_quotes")
        self.position = match.end()
        return match[1]

    def _at_scalar(self) -> bool:
        match = _WORD.match(self._text, self.position)
        word = match[0].rstrip() if match else ""
        return word in _CONSTANTS or _NUMBER.fullmatch(word) is not None

    def _scalar(self) -> Json:
        start = self.position
        word = self._take(_WORD).rstrip()
        self.position = start + len(word)
        if word in _CONSTANTS:
            return _CONSTANTS[word]
        if _NUMBER.fullmatch(word):
            return _number(word, start)
        raise Unreadable(self._kind_of_word(word), start)

    def _kind_of_word(self, word: str) -> str:
        if word in _PYTHON_CONSTANTS:
            return "python_literals"
        if not word:
            return "missing_value" if self._here() else "missing_object_close"
        return "number_format" if _NEARLY_NUMBER.fullmatch(word) else "bare_string"

    def _bare(self, start: int) -> str:
        self.note("bare_string", start)
        following = self._next_argument.search(self._text, start)
        end = following.start() if following else self._end_of_last_value(start)
        self.position = end
        return self._text[start:end]

    @cached_property
    def _next_argument(self) -> re.Pattern[str]:
        names = "|".join(map(re.escape, self._declared))
        return re.compile(rf",\s*(?:{names})\s*:")

    def space(self) -> None:
        """Step over blanks, which the grammar does not have."""
        start = self.position
        if self._take(_SPACE):
            self.note("whitespace", start)

    def note(self, kind: str, position: int | None = None) -> None:
        """Remember a departure from the grammar."""
        self._notes.setdefault(kind, self.position if position is None else position)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self.position)
        if match is None:
            return ""
        self.position = match.end()
        return match[0]

    def _here(self) -> str:
        return self._text[self.position : self.position + 1]


def _number(word: str, position: int) -> int | float:
    if word.lstrip("-").isdigit():
        if len(word.lstrip("-")) > MAX_DIGITS:
            raise Unreadable("number_range", position)
        return int(word)
    value = float(word)
    if not math.isfinite(value):
        raise Unreadable("number_range", position)
    return value
