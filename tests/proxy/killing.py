"""Kill the writer again and again, and see that what it had acknowledged is there.

    python -m tests.proxy.killing KILLS FOLDER

Each life of the writer is a process that reads the shelf and goes on with the conversations it
finds, as a recorder does that is started again. It tells what is synced through a pipe and is
killed at a random moment.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from tonearm.cassette import Shelf, load
from tonearm.proxy.capture import Capture
from tonearm.proxy.filing import Filing
from tonearm.proxy.pins import PinBook
from tonearm.proxy.tally import Tally
from tonearm.proxy.tee import Tee
from tonearm.proxy.writer import Writer

SPREAD_S = 0.12
PER_FOLDER = 20
"""A new shelf after so many lives, so that reading it does not take longer than a life."""


def capture(life: int, conversation: int, turn: int) -> Capture:
    """Return one turn of one conversation, complete with an answer that can be told from others."""
    messages = [{"role": "user", "content": f"{life} {conversation}"}]
    for n in range(turn):
        messages += [{"role": "assistant", "content": str(n)}, {"role": "user", "content": "on"}]
    body = {"model": "m", "messages": messages, "turn": turn}
    tee = Tee(clock=time.monotonic)
    answer = {"message": {"role": "assistant", "content": str(turn)}, "done": True}
    tee(json.dumps({"of": [life, conversation, turn], **answer}).encode())
    tee(b"")
    return Capture(
        method="POST",
        uri="http://127.0.0.1:1/api/chat",
        started_at="2026-11-21T10:00:00.000+00:00",
        started_s=time.monotonic(),
        request_body=json.dumps(body).encode(),
        status=200,
        reason="OK",
        tee=tee,
        ended_s=time.monotonic(),
    )


def live(shelf: Path, life: int, pipe: int) -> None:
    """Write until killed."""
    tally = Tally()
    filing = Filing(Shelf(shelf), tally, pins=PinBook(lambda *_: {}))
    writer = Writer(filing, tally)
    writer.start()
    turn, told = 0, 0
    while True:
        for conversation in range(4):
            writer.put(capture(life, conversation, turn))
        turn += 1
        while writer.backlog > 8:
            time.sleep(0.0005)
        if tally.recorded != told:
            told = tally.recorded
            os.write(pipe, b"%d\n" % told)


def kill_once(shelf: Path, life: int, chance: random.Random) -> int:
    """Return how many exchanges one life had acknowledged."""
    out, into = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(out)
        try:
            live(shelf, life, into)
        finally:
            os._exit(1)
    os.close(into)
    with os.fdopen(out, "rb") as pipe:
        first = pipe.readline()
        time.sleep(chance.random() * SPREAD_S)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        said = (first + pipe.read()).split()
    return int(said[-1]) if said else 0


def check(shelf: Path) -> tuple[int, int]:
    """Return how many exchanges a shelf holds, and how many of them are not what was written."""
    found = wrong = 0
    for path in Shelf(shelf).paths():
        for exchange in load(path).exchanges:
            found += 1
            body, answer = json.loads(exchange.request.body), json.loads(exchange.response.body)
            life, conversation, turn = answer["of"]
            first = body["messages"][0]["content"]
            wrong += (first, body["turn"]) != (f"{life} {conversation}", turn)
    return found, wrong


def main(kills: int, folder: Path) -> int:
    """Kill so many times and print one line."""
    chance = random.Random(5)
    acknowledged = lost = found = wrong = 0
    for first in range(0, kills, PER_FOLDER):
        shelf = folder / f"shelf-{first}"
        shelf.mkdir(mode=0o700)
        lives = range(first, min(first + PER_FOLDER, kills))
        known = sum(kill_once(shelf, life, chance) for life in lives)
        there, bad = check(shelf)
        acknowledged, found, wrong = acknowledged + known, found + there, wrong + bad
        lost += max(0, known - there)
    print(
        f"{kills} kills: {acknowledged} exchanges acknowledged, {found} found, "
        f"{lost} acknowledged lost, {wrong} wrong"
    )
    return 0 if lost == wrong == 0 else 1


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2])))
