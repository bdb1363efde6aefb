"""What a recorder could not record, noted on the shelf beside what it could.

A shelf that lacks exchanges must say so to whoever replays it later. Each run of a recorder that
loses something keeps one small file, which is replaced as a whole whenever the figures change.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

PATTERN = "losses-*.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Losses:
    """The figures of one run of a recorder."""

    started_at: str
    """UTC, ISO 8601, as are all times here."""
    noted_at: str
    recorded: int
    lost: Mapping[str, int]
    """How many exchanges are missing, by reason."""


def write(path: Path, losses: Losses) -> None:
    """Replace a note.

    Raises:
        OSError: The disk does not take it.
    """
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(json.dumps(asdict(losses), sort_keys=True).encode("ascii") + b"\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read(shelf: Path) -> list[Losses]:
    """Return the notes on a shelf, oldest first; a file that is no note is left out."""
    found = []
    for path in shelf.glob(PATTERN):
        try:
            value = json.loads(path.read_bytes())
            lost = {str(why): int(number) for why, number in value["lost"].items()}
            times = {name: str(value[name]) for name in ("started_at", "noted_at")}
            found.append(Losses(**times, recorded=int(value["recorded"]), lost=lost))
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            continue
    return sorted(found, key=lambda losses: (losses.started_at, losses.noted_at))
