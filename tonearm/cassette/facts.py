"""What vcrpy has no place for, kept under ``response.tonearm``.

A file of ours may pass through vcrpy, which reads it with YAML and writes it in its own style.
Facts that YAML would change on the way, such as ``1e-05`` or half of a surrogate pair, therefore
travel as JSON inside a text: see ``_survives``.
"""

from __future__ import annotations

import json
import math
from typing import Any

from tonearm.canonical import Json, JsonObject
from tonearm.cassette.chunks import StoredChunks, pack_chunks, to_s, to_us
from tonearm.cassette.pins import pack_pin, unpack_pin
from tonearm.cassette.shape import NewerFormat, ShapeError, check, member, optional, shown
from tonearm.model import Exchange, Outcome

FORMAT = 1
"""Raised when an older reader would misunderstand what a newer writer says."""

_WHERE = "response.tonearm."
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}
_MAX_DEPTH = 16
_MAX_KEY = 256


def pack(exchange: Exchange, exact: JsonObject) -> JsonObject:
    """Return the facts of an exchange; times become whole microseconds.

    ``exact`` holds the members of vcrpy's part that vcrpy would not bring back as they were.
    """
    numbers: JsonObject = {
        "sequence": exchange.sequence,
        "duration_us": None if exchange.duration_s is None else to_us(exchange.duration_s),
        "chunks": pack_chunks(exchange.chunks) if exchange.chunks else None,
        "outcome": exchange.outcome.value,
    }
    rest: JsonObject = {
        "started_at": exchange.started_at,
        "error": exchange.error,
        "pin": None if exchange.pin is None else pack_pin(exchange.pin),
        "redaction": exchange.redaction,
        "exact": exact or None,
    }
    facts = {name: value for name, value in (numbers | rest).items() if value is not None}
    if _survives(rest):
        return {"format": FORMAT, **facts}
    return {"format": FORMAT, "json": json.dumps(facts)}


def _survives(value: Json, depth: int = 0) -> bool:
    """Return whether a value comes back the same from orjson, from YAML 1.1 and from vcrpy.

    YAML 1.1 takes an exponent without a decimal point for text, and its keys must be short.
    """
    match value:
        case None | bool():
            return True
        case int():
            return -(2**63) <= value < 2**63
        case float():
            return math.isfinite(value) and "e" not in repr(value)
        case str():
            return value.isascii() or not any("\ud800" <= c <= "\udfff" for c in value)
        case dict() if depth < _MAX_DEPTH:
            return all(
                len(key) <= _MAX_KEY and _survives(key) and _survives(item, depth + 1)
                for key, item in value.items()
            )
        case list() | tuple() if depth < _MAX_DEPTH:
            return all(_survives(item, depth + 1) for item in value)
    return False


def unwrap(value: Json) -> JsonObject:
    """Return the facts under ``response.tonearm``, empty where there are none.

    Raises:
        NewerFormat: A later tonearm wrote them.
        ShapeError: They are no object, or have no format number.
    """
    if value is None:
        return {}
    facts = check(value, dict, "response.tonearm")
    number = member(facts, "format", int, _WHERE)
    if number > FORMAT:
        raise NewerFormat(
            f"facts are of format {shown(number)}, this tonearm reads up to {FORMAT}; "
            "install a newer tonearm"
        )
    if number < 1:
        raise ShapeError(f"{_WHERE}format is {shown(number)}, not a positive number")
    if "json" not in facts:
        return facts
    try:
        return check(json.loads(member(facts, "json", str, _WHERE)), dict, f"{_WHERE}json")
    except (ValueError, RecursionError) as err:  # ValueError: too many digits, too
        raise ShapeError(f"{_WHERE}json is not JSON: {err}") from err


def unpack(facts: JsonObject, position: int) -> dict[str, Any]:
    """Return the fields of an exchange, request and response excepted.

    Raises:
        ShapeError: A fact is missing or of a type that it must not have.
    """
    sequence = optional(facts, "sequence", int, _WHERE)
    duration = optional(facts, "duration_us", int, _WHERE)
    chunks = optional(facts, "chunks", dict, _WHERE)
    pin = optional(facts, "pin", dict, _WHERE)
    return {
        "sequence": position if sequence is None else sequence,
        "started_at": optional(facts, "started_at", str, _WHERE),
        "duration_s": None if duration is None else _seconds(duration),
        "chunks": () if chunks is None else StoredChunks(chunks),
        "outcome": _unpack_outcome(facts.get("outcome", "complete")),
        "error": optional(facts, "error", str, _WHERE),
        "pin": None if pin is None else unpack_pin(pin),
        "redaction": optional(facts, "redaction", dict, _WHERE),
    }


def _seconds(microseconds: int) -> float:
    try:
        return to_s(microseconds)
    except OverflowError as err:
        raise ShapeError(f"{_WHERE}duration_us is too large for a duration") from err


def _unpack_outcome(value: Json) -> Outcome:
    outcome = _OUTCOMES.get(value) if isinstance(value, str) else None
    if outcome is None:
        raise ShapeError(f"{_WHERE}outcome is {shown(value)}, which is no outcome")
    return outcome
