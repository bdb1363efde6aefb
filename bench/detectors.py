"""Measure the redaction beside detect-secrets, a detector library that others keep well.

Run with ``uv run --group compare bench/detectors.py [--seed N] [--count N]``. Without ``--seed``
the texts are fresh in every run. A library that knows lines of text is given them twice: as they
cross the wire, and as this project assembles them (JSON read, streamed pieces joined, base64 and
percent-encoding decoded). A secret counts as found where no six characters of it in a row are left
when everything that was reported is taken out; entropy rules look at quoted texts alone.
"""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from detect_secrets.core.scan import scan_line
from detect_secrets.settings import transient_settings
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.redaction import generator, wild
from tests.redaction.generator import Item
from tests.redaction.judge import RUN, leaks, readings
from tonearm.redaction import Redactor

KEY = bytes(32)
ENTROPY = ("Base64HighEntropyString", "HexHighEntropyString")
MAX_LINE = 4096
"""Characters of a line that the library looks at; some of its expressions take long."""

type Cover = Callable[[Item], bool]
"""Returns whether all of an item's secret was found; for a harmless one, whether anything was."""


def ours(item: Item) -> bool:
    """Judge what the redaction makes of a text."""
    text = Redactor(KEY).text(item.text)[0]
    return not leaks(item, text) if item.secret else text != item.text


def theirs(*, assembled: bool) -> Cover:
    """Return the judge of what detect-secrets reports of a text."""

    def judge(item: Item) -> bool:
        texts = set(readings(item.text)) if assembled else {item.text}
        if not item.secret:
            return any(_reported(text) for text in texts)
        shown = [text for text in texts if item.secret in text]
        return bool(shown) and all(not _left(item.secret, text) for text in shown)

    return judge


def _left(secret: str, text: str) -> bool:
    for value in _reported(text):
        text = text.replace(value, "\0")
    return any(secret[n : n + RUN] in text for n in range(max(len(secret) - RUN + 1, 1)))


def _reported(text: str) -> list[str]:
    lines = (line[:MAX_LINE] for line in text.splitlines())
    found = [hit.secret_value for line in lines for hit in scan_line(line)]
    return sorted({value for value in found if value}, key=len, reverse=True)


def plugins(*, entropy: bool) -> dict[str, list[dict[str, str]]]:
    """Return the library's settings: all that it brings, with or without its entropy rules."""
    names = {kind.__name__ for kind in get_mapping_from_secret_type_to_class().values()}
    used = sorted(names - (set() if entropy else set(ENTROPY)))
    return {"plugins_used": [{"name": name} for name in used]}


def share(items: Iterable[Item], cover: Cover) -> str:
    """Return how many items are covered, as a share, and what one costs."""
    start, results = time.process_time(), [cover(item) for item in items]
    cost_ms = (time.process_time() - start) * 1e3 / len(results)
    return f"{sum(results) / len(results):.1%} ({cost_ms:.1f} ms)"


def sampled(items: Iterable[Item], count: int, rng: random.Random) -> Sequence[Item]:
    """Return some of the items, in a fixed order."""
    found = list(items)
    return rng.sample(found, min(count, len(found)))


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--count", type=int, default=600, help="texts of each sort")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    sorts = {
        "known kinds, found": generator.planted(args.seed, 1),
        "wild kinds, found": wild.planted(args.seed, 4),
        "harmless, touched": generator.harmless(args.seed, 5),
        "wild harmless, touched": wild.harmless(args.seed, 5),
    }
    texts = {name: sampled(items, args.count, rng) for name, items in sorts.items()}
    table = Table("detector", *texts, title=f"seed {args.seed}, {args.count} texts of each sort")
    table.add_row("tonearm", *(share(items, ours) for items in texts.values()))
    for entropy in (True, False):
        with transient_settings(plugins(entropy=entropy)):
            for assembled in (False, True):
                name = f"detect-secrets{'' if entropy else ', no entropy rules'}, "
                name += "assembled" if assembled else "wire"
                judge = theirs(assembled=assembled)
                table.add_row(name, *(share(items, judge) for items in texts.values()))
    Console(width=140).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
