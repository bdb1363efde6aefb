"""Spell values as the template does, or as a Go program does that has read them from JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable
from decimal import Decimal

from tonearm.canonical import Json, JsonObject
from tonearm.replay.translator.causes import Cause
from tonearm.replay.translator.quirks import Quirks
from tonearm.templates.gemma4.tokens import QUOTE

_GO_FIXED = range(-4, 6)
"""Exponents of ten for which Go's ``%v`` writes a float without one."""


def string(text: object) -> str:
    """Return a text between the format's quotes."""
    return f"{QUOTE}{text}{QUOTE}"


def strings(texts: Iterable[object]) -> str:
    """Return a list of texts."""
    return f"[{','.join(map(string, texts))}]"


def literal(value: Json, quirks: Quirks, *, quote_keys: bool = False) -> str:
    """Return a value of arguments, results and schemas."""
    match value:
        case str():
            return string(value)
        case bool():
            return "true" if value else "false"
        case None:
            return quirks.pick(Cause.NULL_SPELLING, "null", "<nil>")
        case dict():
            return f"{{{pairs(value, quirks, quote_keys=quote_keys)}}}"
        case list() | tuple():
            return f"[{','.join(literal(v, quirks, quote_keys=quote_keys) for v in value)}]"
        case int():
            return quirks.pick(Cause.INTEGER_ROUNDING, str(value), go_number(value))
    return quirks.pick(Cause.FLOAT_SPELLING, str(value), go_number(value))


def pairs(mapping: JsonObject, quirks: Quirks, *, quote_keys: bool = False) -> str:
    """Return the members of an object, sorted."""

    def pair(key: str) -> str:
        written = string(key) if quote_keys else key
        return f"{written}:{literal(mapping[key], quirks, quote_keys=quote_keys)}"

    return ",".join(map(pair, order(mapping, quirks)))


def order(mapping: JsonObject, quirks: Quirks) -> list[str]:
    """Return the keys of an object as they are sorted."""
    return quirks.pick(Cause.KEY_ORDER, sorted(mapping, key=str.lower), sorted(mapping))


def go_number(value: float) -> str:
    """Return a number of arguments: whole ones that fit an int64 are written as integers."""
    double = float(value)
    if -(2.0**63) <= double < 2.0**63 and double.is_integer():
        return str(int(double))
    return go_float(double)


def go_float(value: float) -> str:
    """Return a float as Go's ``%v`` writes it."""
    if not math.isfinite(value):
        return str(value)
    sign, digits, _ = Decimal(repr(value)).normalize().as_tuple()
    exponent = Decimal(repr(value)).adjusted() if value else 0
    if exponent in _GO_FIXED:
        return format(Decimal(repr(value)).normalize(), "f")
    head, tail = str(digits[0]), "".join(map(str, digits[1:]))
    return f"{'-' * sign}{head}{'.' * bool(tail)}{tail}e{exponent:+03d}"


def go_text(value: Json) -> str:
    """Return any value as Go's ``%v`` writes it."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return go_float(float(value))
        case dict():
            return f"map[{' '.join(f'{key}:{go_text(value[key])}' for key in sorted(value))}]"
        case list() | tuple():
            return f"[{' '.join(map(go_text, value))}]"
    return str(value)
