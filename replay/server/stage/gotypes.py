"""Read JSON into Go's types as Go does: what it lets pass, what it drops, and its words otherwise.

Names of fields match in any case, fields that a type does not have are dropped, ``null`` leaves a
field alone, and of several mismatches the first is told.
Rules: golang:encoding/json/decode.go@1.26.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tonearm.canonical import Json
from tonearm.errors import WireError

NO_OBJECT = "Value looks like object, but can't find closing '}' symbol"
"""What the library that keeps the order of members says of anything that is no object."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a body a value stands, and what was wrong so far."""

    struct: str = ""
    path: tuple[str, ...] = ()
    mismatches: list[str] = field(default_factory=list)
    hidden: bool = False
    """Whether the structs in here are told under the name of the one around them."""

    def at(self, name: str, struct: str) -> Place:
        """Return the place of a member."""
        struct = self.struct if self.hidden else struct
        return Place(struct, (*self.path, name), self.mismatches, self.hidden)

    def alone(self) -> Place:
        """Return the same place for a value that is read by code of its own."""
        return Place(self.struct, self.path, hidden=bool(self.path))

    def miss(self, value: Json, go: str, literal: str = "") -> None:
        """Note that a value, perhaps a literal of it, is not what a type takes."""
        where = f"struct field {self.struct}.{'.'.join(self.path)}" if self.path else "value"
        what = f"{kind(value)} {literal}".rstrip()
        self.mismatches.append(f"json: cannot unmarshal {what} into Go {where} of type {go}")

    def check(self) -> None:
        """Raise the first mismatch, if there is one."""
        if self.mismatches:
            raise WireError(self.mismatches[0])


class Type(Protocol):
    """A type of Go's."""

    @property
    def go(self) -> str:
        """Its name."""

    def read(self, value: Json, place: Place) -> Json:
        """Return what becomes of a value that is not ``null``.

        Raises:
            WireError: Code of the type's own refuses it; other mismatches are noted.
        """


def kind(value: Json) -> str:
    """Return what Go calls a kind of JSON value."""
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
    return "object"


@dataclass(frozen=True, slots=True)
class Plain:
    """A string, a truth value or a number."""

    go: str
    kinds: tuple[type, ...]

    def read(self, value: Json, place: Place) -> Json:
        """Return the value, ``None`` where it is none of the type's."""
        if isinstance(value, self.kinds) and not (isinstance(value, bool) and self.go != "bool"):
            return value
        fraction = self.go == "int" and isinstance(value, float)
        place.miss(value, self.go, repr(value) if fraction else "")
        return None


STRING = Plain("string", (str,))
BOOL = Plain("bool", (bool,))
INT = Plain("int", (int,))
FLOAT = Plain("float64", (int, float))


@dataclass(frozen=True, slots=True)
class Anything:
    """Any value, as it is."""

    go: str = "interface {}"

    def read(self, value: Json, place: Place) -> Json:
        """Return the value."""
        return value


@dataclass(frozen=True, slots=True)
class Listed:
    """A list; ``null`` among its items becomes what the item's type is when it is empty."""

    item: Type
    empty: Json = None
    go: str = ""

    def read(self, value: Json, place: Place) -> Json:
        """Return the items."""
        if not isinstance(value, list):
            place.miss(value, self.go or f"[]{self.item.go}")
            return None
        return [self.empty if v is None else self.item.read(v, place) for v in value]


@dataclass(frozen=True, slots=True)
class Mapped:
    """An object with any members."""

    go: str = "map[string]interface {}"

    def read(self, value: Json, place: Place) -> Json:
        """Return the object."""
        if isinstance(value, dict):
            return value
        place.miss(value, self.go)
        return None


@dataclass(frozen=True, slots=True)
class Struct:
    """An object with known members."""

    go: str
    members: Mapping[str, Type]
    raw: frozenset[str] = frozenset()
    """Members that see ``null`` as well."""

    def read(self, value: Json, place: Place) -> Json:
        """Return the members that are known, under their own names."""
        if not isinstance(value, dict):
            place.miss(value, self.go)
            return None
        found: dict[str, Json] = {}
        for key, item in value.items():
            name = self._name(key)
            if name is None or (item is None and name not in self.raw):
                continue
            struct = self.go.rpartition(".")[2]
            read = self.members[name].read(item, place.at(name, struct))
            if read is not None or name in self.raw:
                found[name] = read
        return found

    def _name(self, key: str) -> str | None:
        if key in self.members:
            return key
        folded = key.casefold()
        return next((name for name in self.members if name.casefold() == folded), None)


@dataclass(frozen=True, slots=True)
class Alone:
    """A type with code of its own, whose mismatches end the reading at once."""

    inner: Type
    then: Callable[[Json], Json] = lambda value: value

    @property
    def go(self) -> str:
        """Its name."""
        return self.inner.go

    def read(self, value: Json, place: Place) -> Json:
        """Return the value, if it is right."""
        own = place.alone()
        read = self.inner.read(value, own)
        own.check()
        return self.then(read)


@dataclass(frozen=True, slots=True)
class Ordered:
    """An object whose members keep their order, read by a library of its own."""

    item: Type
    go: str = ""

    def read(self, value: Json, place: Place) -> Json:
        """Return the members."""
        if not isinstance(value, dict):
            raise WireError(NO_OBJECT)
        found = {}
        for key, item in value.items():
            own = place.alone()
            found[key] = item if item is None else self.item.read(item, own)
            own.check()
        return found


@dataclass(frozen=True, slots=True)
class Base64:
    """Bytes."""

    go: str

    def read(self, value: Json, place: Place) -> Json:
        """Return the text of the bytes."""
        if not isinstance(value, str):
            place.miss(value, self.go)
            return None
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            place.mismatches.append(f"illegal base64 data at input byte {_wrong(value)}")
        return value


def _wrong(text: str) -> int:
    """Return where a text stops to be base64."""
    signs = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    return next((n for n, sign in enumerate(text) if sign not in signs), len(text))
