"""Ask ten thousand times while the disk is full, and while it hangs; compare every answer.

uv run python -m bench.faults [REQUESTS]

The recorder is a process of its own, as ``tonearm record`` starts it. A full disk is a limit on the
size of its files, which every conversation runs into; a disk that hangs is a first exchange that
the writer never gets done with. The status is 1 if a byte differs or a loss is not counted.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from tests.proxy.harness import Upstream, hello, ndjson, said
from tonearm import losses
from tonearm.cassette import Shelf, load

EXPECTED = ndjson(said("hel")) + ndjson(said("lo")) + ndjson(said("", done=True))
WIDTH = 16
TURNS = 20
WORDS = "and what else can you tell me about it? " * 5
LIMIT_BYTES = 30_000
START = "import sys; from tonearm.commands import main; sys.exit(main(sys.argv[1:]))"
FAULTS = {
    "none": "",
    "disk full": f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT_BYTES}, resource.RLIM_INFINITY))
""",
    "disk hangs": """
import threading
from tonearm.proxy import filing, session
session.FLUSH_S = 1.0
filing.Filing.file = lambda self, exchange: threading.Event().wait()
""",
}


async def ask(url: str, requests: int) -> int:
    """Return how many of so many answers are not, byte by byte, what the server sent.

    Sixteen agents ask, each in one conversation after another.
    """
    numbers = iter(range(requests))
    wrong = 0

    async def agent(client: httpx.AsyncClient) -> None:
        nonlocal wrong
        messages: list[dict[str, str]] = []
        for n in numbers:
            if len(messages) >= 2 * TURNS:
                messages.clear()
            messages.append({"role": "user", "content": f"{n} {WORDS}"})
            response = await client.post("/api/chat", json={"model": "m", "messages": messages})
            wrong += response.content != EXPECTED
            messages.append({"role": "assistant", "content": "hello"})

    limits = httpx.Limits(max_connections=WIDTH)
    async with httpx.AsyncClient(
        base_url=url, timeout=600, limits=limits, trust_env=False
    ) as client:
        await asyncio.gather(*(agent(client) for _ in range(WIDTH)))
    return wrong


async def run(fault: str, requests: int, shelf: Path) -> tuple[int, int]:
    """Return how many answers were wrong, and the recorder's memory at the end in MiB."""
    async with Upstream(hello) as upstream:
        args = ("--upstream", upstream.address.url, "--listen", "127.0.0.1:0")
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", FAULTS[fault] + START, "record", *args, "--shelf", str(shelf)),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None
        url = (await process.stderr.readline()).decode().rsplit(" ", 1)[1].strip()
        draining = asyncio.create_task(process.stderr.read())
        wrong = await ask(url, requests)
        memory = most_memory(process.pid)
        process.terminate()
        await process.wait()
        await draining
        return wrong, memory


def most_memory(process: int) -> int:
    """Return the most memory that a process ever had, MiB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def main(requests: int) -> int:
    """Print one table."""
    table = Table("fault", "requests", "answers differ", "recorded", "lost", "MiB at most", "s")
    bad = 0
    for fault in FAULTS:
        with tempfile.TemporaryDirectory() as folder:
            shelf = Path(folder) / "shelf"
            began_s = time.monotonic()
            wrong, memory = asyncio.run(run(fault, requests, shelf))
            took_s = time.monotonic() - began_s
            kept = sum(len(load(path).exchanges) for path in Shelf(shelf).paths())
            lost = sum(sum(note.lost.values()) for note in losses.read(shelf))
            bad += wrong + abs(requests - kept - lost)
            row = (fault, requests, wrong, kept, lost, memory, round(took_s))
            table.add_row(*map(str, row))
    Console().print(table)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000))
