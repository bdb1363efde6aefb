"""What the owner of a shelf adds to the redaction: ``redaction.toml`` in the shelf's folder."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tonearm.canonical import Json, JsonObject
from tonearm.errors import RedactionError
from tonearm.redaction.detector import Find, Hit, Rank, misread
from tonearm.redaction.linear import Pattern, PatternError, compile_text
from tonearm.redaction.view import View

NAME = "redaction.toml"

_MAX_PROGRAM = 1 << 16
_MAX_GROUPS = 9
"""RE2's time is linear in the text, but at worst also in the size of what it made of an expression;
within these limits a megabyte takes seconds in the worst case, and as a rule milliseconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What else is a secret, and what is not to be taken for one."""

    finders: tuple[Find, ...] = ()
    """Searches beside the built-in detectors."""
    off: frozenset[str] = frozenset()
    """Kinds that are left alone."""
    allow: tuple[Pattern, ...] = ()
    """Texts that are no secrets, whatever they look like."""

    def forbids(self, hit: Hit) -> bool:
        """Return whether a hit is to be left alone."""
        return hit.kind in self.off or any(p.fullmatch(hit.text) for p in self.allow)


def load(path: Path) -> Rules:
    """Return the rules in a file, none where there is no file.

    Raises:
        RedactionError: The file cannot be read, is not TOML, or has a rule that makes no sense.
    """
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return Rules()
    except (OSError, UnicodeDecodeError) as err:
        raise RedactionError(path, f"cannot be read: {err}") from err
    try:
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as err:  # ValueError: a number with too many digits, too
        raise RedactionError(path, f"is not TOML: {err}") from err
    try:
        return parse(table)
    except ValueError as err:
        raise RedactionError(path, str(err)) from err


def parse(table: JsonObject) -> Rules:
    """Return the rules in a table of TOML.

    Raises:
        ValueError: A rule makes no sense; the message says which one and why.
    """
    _known(table, {"pattern", "off", "allow"}, "the file")
    patterns = _list(table, "pattern", dict, "tables")
    return Rules(
        finders=tuple(_finder(entry, n) for n, entry in enumerate(patterns, 1)),
        off=frozenset(_list(table, "off", str, "texts")),
        allow=tuple(
            _compiled(text, f"allow, entry {n}")
            for n, text in enumerate(_list(table, "allow", str, "texts"), 1)
        ),
    )


def _finder(entry: JsonObject, number: int) -> Find:
    where = f"pattern {number}"
    _known(entry, {"kind", "regex"}, where)
    for name in ("kind", "regex"):
        if not isinstance(entry.get(name), str) or not entry[name]:
            raise ValueError(f"{where} has no {name}")
    return _find(entry["kind"], _compiled(entry["regex"], f"{where} ({entry['kind']})"))


def _find(kind: str, pattern: Pattern) -> Find:
    group = min(pattern.groups, 1)

    def find(view: View) -> Iterator[Hit]:
        for match in pattern.finditer(view.data):
            start, end = match.span(group)
            if start < end and not misread(view, start, end):
                yield Hit(kind=kind, rank=Rank.FORM, view=view, start=start, end=end)

    return find


def _compiled(expression: str, where: str) -> Pattern:
    try:
        pattern = compile_text(expression)
    except PatternError as err:
        raise ValueError(
            f"{where}: {err}; the syntax is RE2's, which has no look-around and no back-references"
        ) from err
    if pattern.programsize > _MAX_PROGRAM:
        raise ValueError(f"{where}: the expression is too large; repeat less, or less often")
    if pattern.groups > _MAX_GROUPS:
        raise ValueError(f"{where}: more than {_MAX_GROUPS} groups; write (?:...) for most of them")
    if pattern.search(b"") is not None:
        raise ValueError(f"{where}: the expression matches the empty text, so it would match all")
    return pattern


def _known(table: JsonObject, names: set[str], where: str) -> None:
    for name in sorted(table.keys() - names):
        raise ValueError(f"{where} has {name!r}; known are {', '.join(sorted(names))}")


def _list(table: JsonObject, name: str, kind: type, plural: str) -> list[Json]:
    value = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, kind) for item in value):
        raise ValueError(f"{name} is not a list of {plural}")
    return value
