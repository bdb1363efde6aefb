"""``tonearm ls``: what is on the shelf."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

from rich import box
from rich.table import Table

from tonearm import cassette, losses, stitch
from tonearm.canonical import JsonObject
from tonearm.cassette import journal
from tonearm.cassette.journal import Journal
from tonearm.errors import EXIT_COULD_NOT_RUN, EXIT_SAME, CassetteError, NothingToTest
from tonearm.losses import Losses
from tonearm.model import Exchange, Outcome
from tonearm.terminal import cell, console


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    p = commands.add_parser(
        "ls", help="list cassettes", description="List the cassettes of a shelf."
    )
    p.add_argument("shelf", nargs="*", type=Path, default=[Path("cassettes")], metavar="SHELF")
    p.add_argument("--json", action="store_true", help="one JSON object a line")
    p.set_defaults(run=run)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One cassette."""

    path: Path
    exchanges: tuple[Exchange, ...] = ()
    problem: str | None = None

    def to_json(self) -> JsonObject:
        turns = stitch.turns(self.path.name, self.exchanges)
        return {
            "cassette": str(self.path),
            "models": sorted({turn.request.model for turn in turns}),
            "conversations": len({turn.conversation for turn in turns}),
            "turns": len(turns),
            "exchanges": len(self.exchanges),
            "outcomes": dict(sorted(Counter(str(e.outcome) for e in self.exchanges).items())),
            "started_at": min((e.started_at for e in self.exchanges if e.started_at), default=None),
            "bytes": self.path.stat().st_size,
            "raw": sum(map(cassette.is_raw, self.exchanges)),
            "problem": self.problem,
        }


def run(args: argparse.Namespace) -> int:
    """Print one line for each cassette; unreadable ones are listed with the reason."""
    notes = [note for path in args.shelf if path.is_dir() for note in losses.read(path)]
    journals = [found for path in args.shelf if path.is_dir() for found in _journals(path)]
    try:
        rows = [_entry(path).to_json() for path in cassette.find(args.shelf)]
    except NothingToTest:
        if not notes and not journals:
            raise
        rows = []
    if args.json:
        for value in [*rows, *map(asdict, notes), *map(_under_way, journals)]:
            sys.stdout.write(json.dumps(value) + "\n")
    else:
        _print(rows)
        _print_losses(notes)
        _print_journals(journals)
    return EXIT_COULD_NOT_RUN if any(row["problem"] for row in rows) else EXIT_SAME


def _entry(path: Path) -> _Entry:
    try:
        tape = cassette.load(path)
    except CassetteError as err:
        return _Entry(path=path, problem=str(err))
    return _Entry(path=path, exchanges=tape.exchanges, problem=tape.torn)


def _journals(shelf: Path) -> list[Journal]:
    """Return what recorders have under way, or had when they were killed."""
    found = []
    for path in journal.find(shelf):
        try:
            found.append(journal.read(path))
        except CassetteError as err:
            console(sys.stderr).print(cell(str(err)))
    return [one for one in found if one.exchanges]


def _under_way(found: Journal) -> JsonObject:
    return {
        "journal": str(found.path),
        "under_way": len(found.exchanges),
        "recorder_is_running": found.live,
        "started_at": min(e.started_at or "" for e in found.exchanges),
    }


def _print_journals(journals: list[Journal]) -> None:
    for found in journals:
        text = f"{len(found.exchanges)} under way"
        if not found.live:
            text += " in a recorder that was KILLED; the next `tonearm record` takes them over"
        console().print(cell(text, "bold"))


def _print_losses(notes: list[Losses]) -> None:
    """Print what is missing from the shelf, as the recorders noted it."""
    for note in notes:
        for why, number in sorted(note.lost.items()):
            text = f"{number} LOST by the recorder started {note.started_at[:19]}: {why}"
            console().print(cell(text, "bold"))


def _print(rows: list[JsonObject]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("cassette", "model", "turns", "exchanges", "started", "bytes", "remarks"):
        right = heading in {"turns", "exchanges", "bytes"}
        table.add_column(heading, justify="right" if right else "left", overflow="fold")
    for row in rows:
        odd = {name: n for name, n in row["outcomes"].items() if name != Outcome.COMPLETE}
        remarks = [f"{n} {name}" for name, n in odd.items()]
        if row["conversations"] > 1:
            remarks.append(f"{row['conversations']} conversations")
        if row["raw"]:
            remarks.append(f"{row['raw']} RAW, secrets included")
        if row["problem"]:
            remarks.append(row["problem"])
        table.add_row(
            cell(Path(row["cassette"]).name),
            cell(", ".join(row["models"])),
            str(row["turns"]),
            str(row["exchanges"]),
            cell((row["started_at"] or "")[:19]),
            str(row["bytes"]),
            cell("; ".join(remarks)),
        )
    console().print(table)
