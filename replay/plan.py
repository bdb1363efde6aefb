"""Which recorded turns to ask again.

Teacher forcing: every turn is asked with its recorded history, so that turns are independent and
one wrong answer does not spoil the next. What cannot be asked is listed with its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tonearm import cassette, dialect
from tonearm.canonical import fingerprint
from tonearm.errors import NothingToTest, WireError
from tonearm.model import Exchange, Turn
from tonearm.stitch import turns


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """An exchange that is not a turn."""

    cassette: str
    sequence: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The turns of a run, and what is left out of it."""

    turns: tuple[Turn, ...]
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()
    """What readers should know of the files, such as a torn last line."""

    @property
    def models(self) -> list[str]:
        """The models that were asked, each once."""
        return sorted({turn.request.model for turn in self.turns})

    def fingerprint(self) -> str:
        """Return what is equal for plans that ask the same questions in the same order."""
        return fingerprint([[turn.key, turn.request.body] for turn in self.turns])


def load_plan(paths: Sequence[Path]) -> Plan:
    """Read cassettes, or folders of them, and plan to ask every turn.

    Raises:
        CassetteError: A file is missing or unusable.
        NothingToTest: The files hold no turn.
    """
    found: list[Turn] = []
    skipped: list[Skipped] = []
    warnings: list[str] = []
    for path in cassette.find(paths):
        tape = cassette.load(path)
        if tape.torn:
            warnings.append(f"{path}: {tape.torn}")
        mine = [turn for turn in turns(path.name, tape.exchanges) if not turn.lost]
        found += mine
        placed = {id(turn.exchange) for turn in mine}
        skipped += [
            Skipped(cassette=path.name, sequence=n, reason=_why(exchange))
            for n, exchange in enumerate(tape.exchanges)
            if id(exchange) not in placed
        ]
    if not found:
        names = ", ".join(str(path) for path in paths)
        raise NothingToTest(f"{names}: no /api/chat turn to replay; record with `tonearm record`")
    return Plan(turns=tuple(found), skipped=tuple(skipped), warnings=tuple(warnings))


def _why(exchange: Exchange) -> str:
    try:
        chat = dialect.read_chat(exchange.request)
    except WireError as err:
        return str(err)
    if chat is None:
        return f"{exchange.request.method} {exchange.request.uri} is not a chat turn"
    if chat.lost:
        return f"/api/chat cannot ask the same: {'; '.join(chat.lost)}"
    return "the request has no messages: it loads or unloads a model"
