"""Learn which conversations a shelf holds, so that a recorder that is started again goes on.

To read a long shelf takes seconds, and a thread that does it makes every answer that passes wait
for its turn. A process of its own does it therefore, one cassette after another, the latest first:

    python -m tonearm.proxy.recall < {"paths": […], "wanted": […]} > one JSON line for each cassette
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tonearm.cassette import load
from tonearm.errors import CassetteError
from tonearm.model import Exchange
from tonearm.stitch import Known, Stitcher

logger = logging.getLogger(__name__)

HERE_BYTES = 4 << 20
"""A shelf up to this size is read where it is asked for: a process takes as long to start."""

LIMIT_S = 30.0
"""A start may take so long; conversations that rest longer than all that was read begin anew."""

type Identity = tuple[str | None, str]


def identity(exchange: Exchange) -> Identity:
    """Return what no two exchanges share: they start at different microseconds."""
    return exchange.started_at, exchange.request.uri


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """What is known of one cassette."""

    path: str
    foreign: bool = False
    problem: str | None = None
    """Why it was not read."""
    known: Sequence[Known] = ()
    present: Sequence[Identity] = field(default=())
    """Those of the wanted exchanges that it holds."""


def recall(
    paths: Sequence[Path],
    wanted: set[Identity],
    enough: Callable[[], bool] = lambda: False,
    *,
    here_bytes: int = HERE_BYTES,
    limit_s: float = LIMIT_S,
    clock: Callable[[], float] = time.monotonic,
) -> list[Recalled]:
    """Return what is known of cassettes, in the order of the paths; some may be missing.

    Args:
        paths: The cassettes.
        wanted: Exchanges of which it is asked whether they are there.
        enough: Asked between two cassettes; whether to stop.
        here_bytes: Up to which size no process is started.
        limit_s: How long to read.
        clock: Tells seconds.
    """
    newest = sorted(paths, key=_changed, reverse=True)
    here = sum(map(_size, paths)) <= here_bytes
    found: dict[str, Recalled] = {}
    until_s = clock() + limit_s
    with closing((_here if here else _elsewhere)(newest, wanted)) as reader:
        while len(found) < len(paths):
            if enough() or clock() >= until_s:
                logger.warning("the shelf was not read to its end: %d cassettes", len(found))
                break
            recalled = next(reader)
            found[recalled.path] = recalled
    return [found[str(path)] for path in paths if str(path) in found]


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int:
    try:
        size = path.stat().st_size
    except OSError:
        return 0
    return size * 20 if path.suffix == ".zst" else size


def _here(paths: Sequence[Path], wanted: set[Identity]) -> Generator[Recalled]:
    for path in paths:
        yield read(path, wanted)


def read(path: Path, wanted: set[Identity]) -> Recalled:
    """Return what is known of one cassette."""
    try:
        cassette = load(path)
        stitcher = Stitcher()
        for exchange in cassette.exchanges:
            stitcher.add(exchange)
    except CassetteError as err:
        return Recalled(path=str(path), problem=str(err))
    except Exception as err:  # a stranger's file must not end the recorder
        return Recalled(path=str(path), problem=f"{path}: {type(err).__name__}")
    return Recalled(
        path=str(path),
        foreign=cassette.foreign,
        known=stitcher.known(),
        present=[i for e in cassette.exchanges if (i := identity(e)) in wanted],
    )


def _elsewhere(paths: Sequence[Path], wanted: set[Identity]) -> Generator[Recalled]:
    """Yield what a process finds; the cassette that one ends at is left to another time."""
    rest = list(paths)
    while rest:
        for recalled in _ask(rest, wanted):
            rest.pop(0)
            yield recalled
        if rest:
            path = str(rest.pop(0))
            yield Recalled(path=path, problem=f"{path}: it ended the process that read it")


def _ask(paths: Sequence[Path], wanted: set[Identity]) -> Generator[Recalled]:
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "tonearm.proxy.recall"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # a terminal's Ctrl-C is for the recorder
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with contextlib.suppress(BrokenPipeError):
                question = {"paths": list(map(str, paths)), "wanted": sorted(wanted, key=str)}
                process.stdin.write(json.dumps(question).encode())
                process.stdin.close()
            for line in process.stdout:
                if not line.endswith(b"\n"):
                    return
                value = json.loads(line)
                value["known"] = [tuple(turn) for turn in value["known"]]
                value["present"] = [tuple(pair) for pair in value["present"]]
                yield Recalled(**value)
        finally:
            process.kill()


def main() -> None:
    """Answer the question on stdin."""
    if hasattr(os, "nice"):
        os.nice(10)
    question = json.load(sys.stdin)
    wanted = {(started_at, uri) for started_at, uri in question["wanted"]}
    for path in question["paths"]:
        sys.stdout.write(json.dumps(asdict(read(Path(path), wanted))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
