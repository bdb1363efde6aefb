"""Measure what cassettes cost: appending late against early, loading against stock vcrpy, space.

Run with ``uv run bench/cassette.py``. All figures are processor time of one run on one machine, so
only the ratios mean something elsewhere; each is the best of several rounds, because a busy machine
can only make a round slower. The exit status is 1 when a ratio misses its goal.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import orjson
import yaml
from rich.console import Console
from rich.table import Table
from vcr.persisters.filesystem import FilesystemPersister
from vcr.serializers import yamlserializer

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.cassette import longrun
from tonearm.cassette import CassetteWriter, load, seal
from tonearm.model import Chunk, Exchange, HttpRequest, HttpResponse, Pin

ROUNDS = 5
APPENDS = 5_000
WINDOW = 250
"""Appends that are timed together; one is too short for the processor clock."""

TURNS = 200
GOAL_TOKENS = 150
"""In how many pieces an answer comes, each with a time that nothing makes smaller."""
SEALED_BYTES = 3_000
"""Goal: the most that a turn of a long conversation may take on the disk."""

WORDS = "The recorder keeps what crossed the wire – nothing added, nothing lost. Ça va? "


def exchange(size_bytes: int) -> Exchange:
    """Return a chat exchange with a history three times as long as its streamed answer."""
    lines = [_line(f" word{n}") for n in range(max(4, size_bytes // 4 // len(_line(" word0"))))]
    answer = [*lines[:-1], _line("", done=True)]
    body = {
        "model": "gemma4:e2b",
        "messages": [{"role": "user", "content": _text(size_bytes - sum(map(len, answer)))}],
        "options": {"temperature": 0, "seed": 7, "num_ctx": 8192},
    }
    ends = accumulate(map(len, answer))
    return Exchange(
        request=HttpRequest(
            method="POST",
            uri="http://127.0.0.1:11434/api/chat",
            headers=(("Host", "127.0.0.1:11434"), ("Content-Type", "application/json")),
            body=json.dumps(body, ensure_ascii=False).encode(),
        ),
        response=HttpResponse(
            status=200,
            reason="OK",
            headers=(("Content-Type", "application/x-ndjson"), ("Transfer-Encoding", "chunked")),
            body=b"".join(answer),
        ),
        started_at="2026-11-20T09:30:00.000000Z",
        duration_s=0.25 + 0.02 * len(answer),
        chunks=tuple(Chunk(end, 0.25 + 0.02 * n) for n, end in enumerate(ends)),
        pin=Pin(model="gemma4:e2b", server_version="0.24.0", options=body["options"]),
    )


def _line(content: str, *, done: bool = False) -> bytes:
    message = {"role": "assistant", "content": content}
    return orjson.dumps(
        {
            "model": "gemma4:e2b",
            "created_at": "2026-11-20T09:30:00.123456789Z",
            "message": message,
            "done": done,
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def _text(size_bytes: int) -> str:
    encoded = WORDS.encode() * (size_bytes // len(WORDS) + 1)
    return encoded[:size_bytes].decode(errors="ignore")


def best(work: Callable[[], object]) -> float:
    """Return the shortest processor time of several rounds, seconds."""

    def once() -> float:
        start = time.process_time()
        work()
        return time.process_time() - start

    return min(once() for _ in range(ROUNDS))


def append_costs(folder: Path) -> tuple[float, float]:
    """Return processor seconds of one append at the file's start and behind record 5,000.

    The two are measured in turns, so that a change in the machine's speed meets both.
    """
    record = exchange(8_000)
    long = CassetteWriter(folder / "long.yaml")
    for _ in range(APPENDS):
        long.append(record)
    long.sync()
    early, late = [], []
    for number in range(4 * ROUNDS):
        with CassetteWriter(folder / f"short{number}.yaml") as short:
            early.append(_append(short, record))
        late.append(_append(long, record))
    long.close()
    return min(early), min(late)


def _append(writer: CassetteWriter, record: Exchange) -> float:
    start = time.process_time()
    for _ in range(WINDOW):
        writer.append(record)
    return (time.process_time() - start) / WINDOW


def load_costs(folder: Path, size_bytes: int, count: int) -> tuple[float, float, float]:
    """Return processor seconds to load: ours, vcrpy's own file in vcrpy, our file in vcrpy.

    vcrpy's own file has the same requests and responses and no facts of ours.
    """
    ours, theirs = folder / f"ours{size_bytes}.yaml", folder / f"vcrpy{size_bytes}.yaml"
    with CassetteWriter(ours) as writer:
        for _ in range(count):
            writer.append(exchange(size_bytes))
    whole = yaml.load(ours.read_bytes(), Loader=yaml.CSafeLoader)
    for interaction in whole["interactions"]:
        del interaction["response"]["tonearm"]
    theirs.write_text(yamlserializer.serialize(whole), encoding="utf-8")
    assert len(load(ours).exchanges) == count
    return best(lambda: load(ours)), best(lambda: _vcrpy(theirs)), best(lambda: _vcrpy(ours))


def _vcrpy(path: Path) -> object:
    return FilesystemPersister.load_cassette(path, yamlserializer)


def turn_sizes(folder: Path, tokens: int) -> tuple[float, float]:
    """Return bytes on the disk for each turn of an agent: plain, and sealed."""
    path = folder / f"agent{tokens}.yaml"
    with CassetteWriter(path) as writer:
        for one in longrun.exchanges(TURNS, tokens=tokens):
            writer.append(one)
    plain = path.stat().st_size
    return plain / TURNS, seal(path).stat().st_size / TURNS


def main() -> int:
    """Measure, print one table and say whether every goal is met."""
    table = Table("what", "cost", "against", "ratio", "goal")
    met = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        early, late = append_costs(folder)
        met.append(late / early <= 1.2)
        table.add_row(
            f"append at record {APPENDS:,}, 8 kB",
            f"{late * 1e6:.0f} µs",
            f"at record 1: {early * 1e6:.0f} µs",
            f"{late / early:.2f}",
            "<= 1.2",
        )
        for size_bytes, count, goal in ((8_000, 1_000, 8), (200_000, 100, 3)):
            ours, theirs, crossed = load_costs(folder, size_bytes, count)
            met.append(theirs / ours >= goal)
            table.add_row(
                f"load {count:,} x {size_bytes // 1000} kB",
                f"{ours * 1e3:.0f} ms",
                f"vcrpy, its own file: {theirs * 1e3:.0f} ms",
                f"{theirs / ours:.1f}",
                f">= {goal}",
            )
            table.add_row(
                "", "", f"vcrpy, our file: {crossed * 1e3:.0f} ms", f"{crossed / ours:.1f}"
            )
        for tokens in (50, GOAL_TOKENS, 300):
            plain, sealed = turn_sizes(folder, tokens)
            if tokens == GOAL_TOKENS:
                met.append(sealed <= SEALED_BYTES)
            table.add_row(
                f"{TURNS} turns, {tokens} tokens each",
                f"{sealed / 1e3:.1f} kB a turn, sealed",
                f"plain: {plain / 1e3:.0f} kB",
                f"{plain / sealed:.0f}",
                f"<= {SEALED_BYTES / 1e3:.0f} kB" if tokens == GOAL_TOKENS else "",
            )
    Console(width=100).print(table)
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main())
