"""Checks of values that come from a file somebody else may have written."""

from __future__ import annotations

from tonearm.canonical import Json, JsonObject


class ShapeError(ValueError):
    """A value is not what the cassette format says; the message has no file and no line yet."""


class NotJson(ShapeError):
    """A line holds no whole JSON text."""


class NewerFormat(ShapeError):
    """A later tonearm wrote this."""


_MAX_SHOWN = 80

_NAMES: dict[type, str] = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}


def describe(value: Json) -> str:
    """Return what kind of JSON value this is, for an error message."""
    return _NAMES.get(type(value), type(value).__name__)


def shown(value: Json) -> str:
    """Return a value from a file as an error message may show it: short, and in plain ASCII."""
    return ascii(value)[:_MAX_SHOWN]


def check[T](value: Json, kind: type[T], where: str) -> T:
    """Return the value if it is of exactly this type; ``True`` is no integer.

    Raises:
        ShapeError: It is of another type; the message says where it stands.
    """
    if type(value) is kind:
        return value
    raise ShapeError(f"{where} is {describe(value)}, not {_NAMES[kind]}")


def member[T](parent: JsonObject, name: str, kind: type[T], where: str) -> T:
    """Return a member that an object must have.

    Raises:
        ShapeError: It is missing or of another type.
    """
    value = parent.get(name)
    if type(value) is kind:
        return value
    if name not in parent:
        raise ShapeError(f"{where}{name} is missing")
    return check(value, kind, where + name)


def optional[T](parent: JsonObject, name: str, kind: type[T], where: str) -> T | None:
    """Return a member that an object may have; ``None`` where it is absent or null.

    Raises:
        ShapeError: It is of another type.
    """
    value = parent.get(name)
    if value is None or type(value) is kind:
        return value
    return check(value, kind, where + name)
