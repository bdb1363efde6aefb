"""Load mutated cassettes and see that nothing is lost without a word.

Run with ``uv run -m bench.fuzz_cassettes`` for 100,000 cassettes, or for a part of them with
``--start 50000 --count 50000``; a run says now and then how far it is, so that one that was ended
can go on from there. Each cassette is made from its number alone, so that one that breaks a promise
can be made again: ``--start N --count 1``. What the promises are: ``tests/cassette/mutations.py``.
The exit status is 1 when one was broken.

Foreign cassettes are parsed by forks of this process, under the limits that the real child has; one
in ``REAL`` goes through a real child.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections import Counter
from contextlib import nullcontext
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.cassette import mutations

REAL = 200
TELL_EVERY = 1_000
SLOW_S = 20.0
"""More processor time than any cassette may take: a child has 10 s."""


def main() -> int:
    """Judge the cassettes, print how they ended and which promises were broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--start", type=int, default=0, help="number of the first cassette")
    parser.add_argument("--count", type=int, default=100_000, help="how many")
    args = parser.parse_args()
    ends: Counter[tuple[str, str]] = Counter()
    broken: list[str] = []
    slowest = (0.0, args.start)
    done = args.start
    try:
        with tempfile.TemporaryDirectory() as folder:
            for done in range(args.start, args.start + args.count):
                slowest = max(slowest, (_one(done, Path(folder), ends, broken), done))
                if (done + 1) % TELL_EVERY == 0:
                    print(f"go on with --start {done + 1}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        print(f"interrupted; go on with --start {done}", file=sys.stderr)
    _print(ends)
    print(f"seeds {args.start} to {done}; slowest: {slowest[0]:.1f} s, seed {slowest[1]}")
    print(f"{len(broken)} promises broken")
    return 1 if broken else 0


def _one(seed: int, folder: Path, ends: Counter[tuple[str, str]], broken: list[str]) -> float:
    """Judge one cassette and return its processor time, children included, seconds."""
    case = mutations.make(seed)
    start = _used_s()
    try:
        with nullcontext() if seed % REAL == 0 else mutations.quick_children():
            ends[case.layout, mutations.judge(case, folder)] += 1
    except mutations.Violation as err:
        broken.append(f"seed {seed}, {case.layout}, {' '.join(case.steps)}: {err}")
        print(broken[-1], flush=True)
    took_s = _used_s() - start
    if took_s > SLOW_S:
        broken.append(f"seed {seed}, {case.layout}, {' '.join(case.steps)}: took {took_s:.0f} s")
        print(broken[-1], flush=True)
    return took_s


def _used_s() -> float:
    return sum(os.times()[:4])


def _print(ends: Counter[tuple[str, str]]) -> None:
    words = sorted({word for _, word in ends})
    table = Table("layout", *words, "all")
    for layout in dict.fromkeys(mutations.LAYOUTS):
        counts = [ends[layout, word] for word in words]
        table.add_row(layout, *map(str, counts), str(sum(counts)))
    counts = [sum(ends[layout, word] for layout in set(mutations.LAYOUTS)) for word in words]
    table.add_row("all", *map(str, counts), str(sum(counts)))
    Console(width=100).print(table)


if __name__ == "__main__":
    sys.exit(main())
