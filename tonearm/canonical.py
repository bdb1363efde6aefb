"""One spelling for equal JSON values, and fingerprints made from it.

Two values have the same canonical bytes exactly when they differ only in key order, whitespace or
the spelling of a number (``1``, ``1.0`` and ``1e0`` are one number; ``true`` and ``"1"`` are not).
Integers are compared exactly, not as doubles: 2**53 + 1 is not 2**53.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable
from typing import Any

type Json = Any
"""A value of JSON: None, bool, int, float, str, list or dict of these."""

type JsonObject = dict[str, Any]
"""A JSON object, keys in the order in which they were read."""


def canonical(value: Json) -> Json:
    """Return a copy of a JSON value in which equal numbers are spelled equally.

    Raises:
        TypeError: The value holds something that JSON cannot.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return int(value) if math.isfinite(value) and value.is_integer() else value
        case dict():
            return {str(key): canonical(item) for key, item in value.items()}
        case list() | tuple():
            return [canonical(item) for item in value]
    raise TypeError(f"not a JSON value: {type(value).__name__}")


def canonical_bytes(value: Json) -> bytes:
    """Return the one UTF-8 spelling of a JSON value."""
    text = json.dumps(canonical(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return text.encode("ascii")


def fingerprint(value: Json) -> str:
    """Return the SHA-256 of a JSON value's canonical bytes, 64 hex digits."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


def chain(fingerprints: Iterable[str]) -> list[str]:
    """Return the fingerprint of every prefix of a sequence, the empty one first.

    ``chain(a)[k] == chain(b)[k]`` exactly when the first ``k`` members agree, so the longest shared
    prefix of two histories is found without comparing them member by member.
    """
    digest = hashlib.sha256()
    prefixes = [digest.hexdigest()]
    for member in fingerprints:
        digest.update(member.encode())
        digest.update(b"\n")
        prefixes.append(digest.hexdigest())
    return prefixes
