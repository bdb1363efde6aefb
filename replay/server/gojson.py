"""JSON as Go's ``encoding/json`` spells it, so that answers have the bytes that Ollama would send.

Rules: golang:encoding/json/encode.go@1.26.
"""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal

from tonearm.canonical import Json

_ESCAPED = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}
_SURROGATE = re.compile("[\ud800-\udfff]")


def encode(value: Json) -> bytes:
    """Return the JSON text of a value; lone surrogates, which Go cannot hold, become U+FFFD."""
    return _encode(value).encode()


def _encode(value: Json) -> str:
    match value:
        case str():
            text = json.dumps(_SURROGATE.sub("\ufffd", value), ensure_ascii=False)
            return text.translate(_ESCAPED)
        case float():
            return spell_float(value)
        case dict():
            members = (f"{_encode(str(key))}:{_encode(item)}" for key, item in value.items())
            return f"{{{','.join(members)}}}"
        case list() | tuple():
            return f"[{','.join(map(_encode, value))}]"
    return json.dumps(value)


def spell_float(value: float) -> str:
    """Return a number with an exponent only below 1e-6 and from 1e21 on.

    Raises:
        ValueError: It is not finite.
    """
    if not math.isfinite(value):
        raise ValueError(f"JSON has no {value}")
    if value == 0 or 1e-6 <= abs(value) < 1e21:
        return f"{Decimal(repr(value)):f}".removesuffix(".0")
    mantissa, _, exponent = repr(value).partition("e")
    sign, digits = exponent[0], exponent[1:].lstrip("0")
    return f"{mantissa.removesuffix('.0')}e{sign if sign in '+-' else '+'}{digits}"
