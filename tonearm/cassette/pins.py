"""A pin as JSON: the fields that the server told, by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_type_hints

from tonearm.canonical import Json, JsonObject
from tonearm.cassette.shape import check, member
from tonearm.model import Pin

_WHERE = "response.tonearm.pin."

_KIND_OF_HINT: dict[object, type[object]] = {
    str: str,
    str | None: str,
    int | None: int,
    tuple[str, ...]: list,
    Mapping[str, Json]: dict,
}
_KINDS = {name: _KIND_OF_HINT[hint] for name, hint in get_type_hints(Pin).items()}
"""The JSON type of each field; a field of another type stops the import, so it is not forgotten."""


def pack_pin(pin: Pin) -> JsonObject:
    """Return what is known of the engine."""
    fields = {name: getattr(pin, name) for name in _KINDS} | {"options": dict(pin.options)}
    return {name: value for name, value in fields.items() if value not in (None, {}, ())}


def unpack_pin(pin: JsonObject) -> Pin:
    """Return the pin in an object; members that this tonearm does not know are left out.

    Raises:
        ShapeError: The model is missing, or a member is of a type that it must not have.
    """
    member(pin, "model", str, _WHERE)
    known = {k: v for k, v in pin.items() if k in _KINDS and v is not None}
    for name, value in known.items():
        kind = _KINDS[name]
        if type(value) is not kind:
            check(value, kind, _WHERE + name)
        if kind is list:
            known[name] = tuple(check(item, str, f"{_WHERE}{name}[]") for item in value)
    return Pin(**known)
