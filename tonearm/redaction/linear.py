"""Regular expressions whose time is linear in the text, whatever the expression is.

RE2 is used for that, and because it lets other threads run while it searches: a history of a
megabyte must not hold up the streams that pass the recorder meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import re2


class Match(Protocol):
    """What a pattern found; offsets are of bytes."""

    def start(self, group: int = 0) -> int: ...
    def end(self, group: int = 0) -> int: ...
    def span(self, group: int = 0) -> tuple[int, int]: ...
    def __getitem__(self, group: int) -> bytes | None: ...


class Pattern(Protocol):
    """A compiled expression."""

    @property
    def groups(self) -> int: ...
    @property
    def programsize(self) -> int: ...
    def search(self, text: bytes, pos: int = 0) -> Match | None: ...
    def fullmatch(self, text: bytes) -> Match | None: ...
    def finditer(self, text: bytes) -> Iterator[Match]: ...


class PatternError(ValueError):
    """An expression is not one of RE2's."""


def _options(*, text: bool) -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    if not text:
        options.encoding = re2.Options.Encoding.LATIN1
    return options


def compile_bytes(expression: bytes) -> Pattern:
    """Return the pattern of an expression in which every byte is a character.

    Raises:
        PatternError: RE2 does not take the expression.
    """
    return _compile(expression, text=False)


def compile_text(expression: str) -> Pattern:
    """Return the pattern of an expression about text; it searches UTF-8.

    Raises:
        PatternError: RE2 does not take the expression.
    """
    return _compile(expression.encode(), text=True)


def _compile(expression: bytes, *, text: bool) -> Pattern:
    try:
        pattern: Pattern = re2.compile(expression, _options(text=text))
    except re2.error as err:
        said = err.args[0] if err.args else err
        raise PatternError(said.decode() if isinstance(said, bytes) else str(said)) from err
    return pattern


class Group:
    """Many expressions that are searched for in one pass."""

    def __init__(self, expressions: Sequence[bytes]) -> None:
        self._set = re2.Set.SearchSet(_options(text=False))
        for expression in expressions:
            self._set.Add(expression)
        self._set.Compile()

    def found(self, text: bytes) -> list[int]:
        """Return which of the expressions occur in a text."""
        return sorted(self._set.Match(text) or ())
