"""Read cassettes into a repertoire and a line-up."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tonearm import cassette, wire
from tonearm.errors import WireError
from tonearm.model import Exchange, Pin
from tonearm.replay.server.disguise import Disguise, has_stand_ins, of_shelf
from tonearm.replay.server.lineup import Lineup
from tonearm.replay.server.question import Pointer
from tonearm.replay.server.repertoire import Repeat, Repertoire

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stock:
    """What there is to answer with."""

    repertoire: Repertoire
    lineup: Lineup
    cassettes: int
    disguises: tuple[Disguise, ...] = ()
    """How secrets were taken out of what was asked."""


def load_stock(
    paths: Sequence[Path], *, free: Sequence[Pointer] = (), repeat: Repeat = Repeat.LAST
) -> Stock:
    """Read cassette files.

    Raises:
        CassetteError: A file cannot be read.
    """
    repertoire = Repertoire(free=free, repeat=repeat)
    lineup = Lineup()
    redacted: dict[Path, None] = {}
    for path in paths:
        tape = cassette.load(path)
        if tape.torn:
            logger.warning("%s: %s", path, tape.torn)
        for position, exchange in enumerate(tape.exchanges):
            repertoire.add(exchange, path, position)
            introduce(lineup, exchange)
            if has_stand_ins(exchange):
                redacted[path.parent] = None
    disguises = tuple(found for root in redacted if (found := of_shelf(root)) is not None)
    return Stock(repertoire=repertoire, lineup=lineup, cassettes=len(paths), disguises=disguises)


def introduce(lineup: Lineup, exchange: Exchange) -> None:
    """Tell a line-up which model answered."""
    if exchange.response.status != 200:
        return
    if exchange.pin is not None:
        lineup.add(exchange.pin)
        return
    try:
        model = wire.parse_object(exchange.request.body, "request body").get("model")
    except WireError:
        return
    if isinstance(model, str) and model:
        lineup.add(Pin(model=model))
