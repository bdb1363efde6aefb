"""Measure how long traffic waits while a recorder reads a long shelf at its start.

uv run python -m bench.start [MEGABYTES]

A timer stands for a piece of an answer: what it waits beyond its time, the piece would have waited.
Beside each other: nothing to read, the shelf read in a thread of the recorder, and as the recorder
does it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tonearm.cassette import CassetteWriter
from tonearm.model import Exchange, HttpRequest, HttpResponse
from tonearm.proxy.recall import recall
from tonearm.proxy.session import SWITCH_S

TICK_S = 0.005
IDLE_S = 5.0
TURNS = 100
WORDS = "Every request of an agent repeats all that was said before, and adds a little to it. " * 8


def write(path: Path) -> None:
    """Write one conversation of a hundred turns, about 4 MB."""
    messages = [{"role": "user", "content": f"{path.name} {WORDS}"}]
    with CassetteWriter(path) as writer:
        for turn in range(TURNS):
            answer = {"role": "assistant", "content": f"{turn} {WORDS[:100]}"}
            body = json.dumps({"model": "m", "messages": messages}).encode()
            reply = json.dumps({"model": "m", "message": answer, "done": True}).encode()
            uri = "http://127.0.0.1:11434/api/chat"
            writer.append(
                Exchange(
                    request=HttpRequest(method="POST", uri=uri, body=body),
                    response=HttpResponse(status=200, reason="OK", body=reply),
                )
            )
            messages += [answer, {"role": "user", "content": f"{turn} {WORDS}"}]


async def waits(work: Callable[[], object]) -> tuple[float, list[float]]:
    """Return how long some work took in a thread, and how long each timer waited meanwhile."""
    thread = threading.Thread(target=work)
    found = []
    began_s = time.monotonic()
    thread.start()
    while thread.is_alive():
        due_s = time.monotonic() + TICK_S
        await asyncio.sleep(TICK_S)
        found.append(time.monotonic() - due_s)
    return time.monotonic() - began_s, sorted(found)


def main(megabytes: int) -> None:
    """Print one table."""
    sys.setswitchinterval(SWITCH_S)
    table = Table("reading", "s", "p50 ms", "p99 ms", "most ms")
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / "0.yaml"]
        write(paths[0])
        for n in range(1, megabytes * 2**20 // paths[0].stat().st_size):
            paths.append(Path(folder) / f"{n}.yaml")
            write(paths[n])
        size = sum(path.stat().st_size for path in paths) / 2**20
        no_limit = partial(recall, paths, set(), limit_s=float("inf"))
        for name, work in (
            ("nothing", partial(time.sleep, IDLE_S)),
            (f"{size:.0f} MiB in a thread", partial(no_limit, here_bytes=2**60)),
            (f"{size:.0f} MiB as the recorder does", no_limit),
        ):
            took_s, found = asyncio.run(waits(work))
            figures = (found[len(found) // 2], found[len(found) * 99 // 100], found[-1])
            table.add_row(name, f"{took_s:.1f}", *(f"{1000 * wait_s:.2f}" for wait_s in figures))
    Console().print(table)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
