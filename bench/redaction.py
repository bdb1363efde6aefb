"""Measure the redaction: what it finds, what it touches for nothing, and what it costs.

Run with ``uv run bench/redaction.py [--seed N] [--rounds N]``. Without ``--seed`` the planted
secrets are fresh in every run. Costs are processor time of one run on one machine. The exit status
is 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.redaction import wild
from tests.redaction.generator import Item, harmless, planted
from tests.redaction.judge import leaks
from tonearm.redaction import Redactor

KEY = bytes(32)
RECALL = 0.999
RECALL_EACH = 0.99
TOUCHED = 0.01


def recall(items: Iterable[Item]) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    """Return how many secrets of each kind and in each carrier were planted, and how many stayed.

    Every text gets a redactor of its own, so that none profits from what another one taught.
    """
    total: Counter[tuple[str, str]] = Counter()
    left: Counter[tuple[str, str]] = Counter()
    for item in items:
        stays = bool(leaks(item, Redactor(KEY).text(item.text)[0]))
        for group in (("kind", item.kind), ("carrier", item.carrier), ("all", "all")):
            total[group] += 1
            left[group] += stays
    return total, left


def touched(items: Iterable[Item]) -> tuple[int, Counter[str]]:
    """Return how many harmless texts there were, and of which kinds some were changed."""
    count, changed = 0, Counter[str]()
    for item in items:
        count += 1
        changed[item.kind] += Redactor(KEY).text(item.text)[0] != item.text
    return count, changed


def history(size_bytes: int) -> bytes:
    """Return a request with a history of tool results: source code of the standard library."""
    files = sorted(Path(json.__file__).parent.parent.glob("*.py"))
    random.Random(size_bytes).shuffle(files)
    messages, size = [], 0
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace")[: size_bytes - size]
        messages.append({"role": "tool", "tool_name": "cat", "content": text})
        size += len(text)
        if size >= size_bytes:
            break
    return json.dumps({"model": "m", "messages": messages}).encode()


def cost(body: bytes, work: Callable[[bytes], object]) -> tuple[float, float]:
    """Return processor milliseconds for each megabyte, and the longest wait of another thread.

    The other thread sleeps half a millisecond at a time; what it sleeps too long, it waited for the
    interpreter.
    """
    gaps: list[float] = []
    ended = threading.Event()

    def tick() -> None:
        last = time.perf_counter()
        while not ended.wait(0.0005):
            now = time.perf_counter()
            gaps.append(now - last)
            last = now

    other = threading.Thread(target=tick)
    other.start()
    start = time.thread_time()
    work(body)
    used = time.thread_time() - start
    ended.set()
    other.join()
    return used * 1e3 / (len(body) / 1e6), max(gaps, default=0.0) * 1e3


def costs(table: Table) -> None:
    """Add what histories of several sizes cost, when they are new and when they come again."""
    Redactor(KEY).request(history(100_000))
    for size_bytes in (250_000, 1_000_000, 4_000_000):
        body = history(size_bytes)
        redactor = Redactor(KEY)
        for name in ("new", "seen before"):
            each, gap = cost(body, redactor.request)
            table.add_row(f"{len(body) / 1e6:.2f} MB, {name}", f"{each:.1f}", f"{gap:.1f}")


def main() -> int:
    """Measure, print the tables and say whether every goal is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--rounds", type=int, default=8)
    args = parser.parse_args()
    console = Console(width=100)

    planted_in, left = recall(planted(args.seed, args.rounds))
    found = Table("group", "planted", "left", "recall", title=f"seed {args.seed}")
    for group in sorted(planted_in):
        share = 1 - left[group] / planted_in[group]
        found.add_row(" ".join(group), str(planted_in[group]), str(left[group]), f"{share:.2%}")
    console.print(found)

    count, changed = touched(harmless(args.seed, args.rounds))
    share = changed.total() / count
    console.print(f"harmless: {changed.total()} of {count} changed ({share:.2%})", dict(+changed))

    console.print("\nkeys of many more issuers, places of many more tools:")
    total, stays = recall(wild.planted(args.seed, args.rounds))
    all_in = ("all", "all")
    by_kind = {kind: n for (group, kind), n in stays.items() if group == "kind" and n}
    found_share = 1 - stays[all_in] / total[all_in]
    console.print(f"found: {found_share:.2%} of {total[all_in]}; left:", by_kind)
    strange, changed = touched(wild.harmless(args.seed, args.rounds))
    console.print(f"harmless: {changed.total()} of {strange} changed", dict(+changed))

    price = Table("history", "CPU ms/MB", "longest wait of another thread, ms")
    costs(price)
    console.print(price)

    met = [
        1 - left[group] / count >= (RECALL if group[0] == "all" else RECALL_EACH)
        for group, count in planted_in.items()
    ]
    return 0 if all(met) and share <= TOUCHED else 1


if __name__ == "__main__":
    sys.exit(main())
