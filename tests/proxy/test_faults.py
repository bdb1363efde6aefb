"""Faults are injected everywhere; the client's bytes and their order stay what the server sent."""

import asyncio
import json
import os
import random
import re
import subprocess
import sys
import threading
from contextlib import suppress

import httpx
import pytest

from tests.proxy.harness import (
    CHAT,
    LIMIT_S,
    Upstream,
    connection,
    hello,
    ndjson,
    recording,
    run,
    said,
)
from tests.proxy.test_record import POSIX, address, started
from tonearm import losses
from tonearm.cassette import Shelf, journal, load
from tonearm.commands import main
from tonearm.errors import CassetteError
from tonearm.model import Outcome
from tonearm.proxy import addon
from tonearm.proxy.address import parse_listen
from tonearm.proxy.capture import Capture
from tonearm.proxy.filing import Filing
from tonearm.proxy.tally import Tally
from tonearm.proxy.tee import Breaker, Tee
from tonearm.proxy.writer import Writer

EXPECTED = ndjson(said("hel"), said("lo"), said("", done=True))
FAULTS = [ValueError, OSError, MemoryError, RecursionError, SystemExit, KeyboardInterrupt]


def broken(fault):
    def fail(*args, **named):
        raise fault("injected")

    return fail


async def identical(rec, requests, *, width=16, big=()):
    """Ask so many times and compare every answer byte by byte; ``big`` names long requests."""
    numbers = iter(range(requests))

    async def one():
        for n in numbers:
            text = "long " * 8000 if n in big else "hi"
            body = {"model": "m", "messages": [{"role": "user", "content": text}], "seed": n}
            response = await rec.client.post("/api/chat", json=body)
            assert response.content == EXPECTED

    await asyncio.gather(*(one() for _ in range(width)))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (addon, "_is_large"),
        (addon, "Capture"),
        (addon, "Tee"),
        (addon.wire, "endpoint"),
        (addon.Recorder, "_finish"),
        (addon.Recorder, "_hand_on"),
        (addon.Recorder, "give_up"),
        (addon.Recorder, "end"),
        (Capture, "stop"),
        (Tee, "_keep"),
        (Tally, "lose"),
        (Breaker, "count"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_fault_of_any_class_in_any_part_changes_no_byte(monkeypatch, owner, name, fault):
    monkeypatch.setattr(owner, name, broken(fault))

    async def scenario():
        async with Upstream() as upstream, recording(upstream.address) as rec:
            await identical(rec, 3)

    run(scenario())


def test_a_hundred_faults_at_any_place_change_no_byte(monkeypatch):
    """At each step of any part the dice decide; every exchange is recorded, cut, or counted."""
    chance = random.Random(11)
    left = 100

    def sometimes(function):
        def maybe(*args, **named):
            nonlocal left
            if left and chance.random() < 0.2:
                left -= 1
                raise chance.choice(FAULTS)("injected")
            return function(*args, **named)

        return maybe

    parts = [(Tee, "_keep"), (Capture, "stop"), (addon.Recorder, "_finish"), (Breaker, "count")]
    for owner, name in parts:
        monkeypatch.setattr(owner, name, sometimes(getattr(owner, name)))
    monkeypatch.setattr(Breaker, "open", False)

    async def scenario():
        async with Upstream() as upstream, recording(upstream.address) as rec:
            await identical(rec, 200)
            return rec.captures.qsize(), sum(rec.tally.lost.values())

    seen, lost = run(scenario())
    assert left == 0
    assert lost > 10
    assert seen + lost >= 200


class Stalled(Filing):
    """A disk that takes nothing until it is let go."""

    def __init__(self, *parts):
        super().__init__(*parts)
        self.go = threading.Event()

    def file(self, exchange):
        assert self.go.wait(LIMIT_S)
        super().file(exchange)


def test_a_disk_that_hangs_delays_nobody(tmp_path):
    """What the queue cannot hold is counted; what it holds is written when the disk comes back."""
    tally = Tally()
    filing = Stalled(Shelf(tmp_path), tally)
    writer = Writer(filing, tally, max_items=50)
    writer.start()

    async def scenario():
        async with (
            Upstream() as upstream,
            recording(upstream.address, sink=writer.put, tally=tally) as rec,
        ):
            await identical(rec, 400)

    run(scenario())
    filing.go.set()
    writer.close(LIMIT_S)
    assert tally.recorded == 50
    assert tally.lost == {"the queue to the writer was full": 350}
    assert sum(len(load(path).exchanges) for path in Shelf(tmp_path).paths()) == 50


def test_a_dead_writer_changes_no_byte(tmp_path, monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    tally = Tally()
    filing = Filing(Shelf(tmp_path), tally)
    monkeypatch.setattr(filing, "file", broken(SystemExit))
    writer = Writer(filing, tally)
    writer.start()

    async def scenario():
        async with (
            Upstream() as upstream,
            recording(upstream.address, sink=writer.put, tally=tally) as rec,
        ):
            await identical(rec, 50)

    run(scenario())
    writer.close(LIMIT_S)
    assert tally.recorded == 0
    assert sum(tally.lost.values()) == 50


FULL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
from tonearm.commands import main
sys.exit(main(sys.argv[1:]))
"""


@POSIX
def test_a_full_disk_costs_records_only_and_the_shelf_says_so(tmp_path, capsys):
    """A real recorder whose files can grow no further: every answer whole, every loss told."""
    shelf = tmp_path / "shelf"

    async def scenario():
        async with Upstream(hello) as upstream:
            args = ("--upstream", upstream.address.url, "--listen", "127.0.0.1:0")
            command = [sys.executable, "-c", FULL_DISK, "record", *args, "--shelf", str(shelf)]
            async with started(command=command) as process:
                url = await address(process)
                async with recording(upstream.address) as direct:
                    direct.client.base_url = url
                    await identical(direct, 100, big=range(0, 100, 2))
                process.terminate()
                _, err = await process.communicate()
                return process.returncode, err.decode()

    code, err = run(scenario())
    assert code == 0
    kept = sum(len(load(path).exchanges) for path in Shelf(shelf).paths())
    (note,) = losses.read(shelf)
    assert kept == 50
    assert sum(note.lost.values()) == 100 - kept == 100 - note.recorded
    assert f"{100 - kept} exchanges LOST: cannot be written: File too large" in err
    main(["ls", str(shelf)])
    assert f"{100 - kept} LOST by the recorder started" in capsys.readouterr().out


@POSIX
def test_a_recorder_that_is_killed_loses_nothing_that_it_had_counted(tmp_path):
    """SIGKILL under load, several times on one shelf; what was shown as recorded is there."""

    async def scenario():
        shown = 0
        for _ in range(3):
            shown += await killed(tmp_path)
        return shown

    async def killed(shelf):
        async with Upstream(hello) as upstream:
            args = ("--upstream", upstream.address.url, "--listen", "127.0.0.1:0")
            more = ("--metrics", "127.0.0.1:0", "--shelf", shelf)
            async with started(*args, *more) as process:
                metrics = (await process.stderr.readline()).decode().split()[-1]
                url = await address(process)
                async with recording(upstream.address) as rec:
                    rec.client.base_url = url
                    load = asyncio.create_task(identical(rec, 10**6))
                    while (found := await recorded(rec.client, metrics)) < 20:
                        assert not load.done()
                    process.kill()
                    await asyncio.wait({load})
                    assert load.exception() is not None
                return found

    async def recorded(client, metrics):
        text = (await client.get(metrics)).text
        line = next(line for line in text.splitlines() if line.startswith("tonearm_recorded_total"))
        return int(line.split()[1])

    shown = run(scenario())
    tapes = [load(path) for path in Shelf(tmp_path).paths()]
    exchanges = [exchange for tape in tapes for exchange in tape.exchanges]
    assert len(exchanges) >= shown >= 60
    assert all(exchange.response.body == EXPECTED for exchange in exchanges)


def survived(program, *args):
    """Return what a program says that kills recorders and counts what they leave."""
    done = subprocess.run(
        [sys.executable, "-m", f"tests.proxy.{program}", *args],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env=os.environ,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@POSIX
def test_fifty_kills_of_the_writer_lose_nothing_acknowledged(tmp_path):
    """The conversations go on from one life to the next, as recorders that are started again."""
    told = survived("killing", "50", str(tmp_path))

    acknowledged = re.search(r"50 kills: (\d+) exchanges acknowledged", told)
    assert int(acknowledged[1]) >= 50
    assert "0 acknowledged lost, 0 wrong" in told


@POSIX
def test_an_answer_under_way_survives_the_kill_of_its_recorder(tmp_path, capsys):
    """Its partial text is named at once, recorded at the next start, and its retry goes on."""
    words = [f"word{n} " for n in range(300)]
    waiting = asyncio.Event()

    async def talk(exchange):
        if exchange.path != "/api/chat":
            await exchange.answer(b"{}")
            return
        await exchange.start()
        for word in words:
            await exchange.chunk(ndjson(said(word)))
        if waiting.is_set():
            await exchange.chunk(ndjson(said("", done=True)))
            await exchange.end()
        else:
            waiting.set()
            await exchange.gone()

    async def kept():
        """Wait until the journal holds a part of the answer."""
        while not any(e.response.body for p in journal.find(tmp_path) for e in read(p)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)

    def read(path):
        with suppress(CassetteError):
            return journal.read(path).exchanges
        return ()

    async def scenario():
        async with Upstream(talk) as upstream:
            args = ("--upstream", upstream.address.url, "--listen", "127.0.0.1:0")
            async with (
                started(*args, "--shelf", tmp_path) as process,
                connection(parse_listen((await address(process))[7:])) as client,
            ):
                await client.post("/api/chat", json.dumps(CHAT).encode())
                await waiting.wait()
                await kept()
                process.kill()
                await process.wait()
            main(["ls", str(tmp_path)])
            async with started(*args, "--shelf", tmp_path) as process:
                url = await address(process)
                async with httpx.AsyncClient(timeout=LIMIT_S, trust_env=False) as again:
                    assert (await again.post(f"{url}/api/chat", json=CHAT)).status_code == 200
                process.terminate()
                return (await process.communicate())[1].decode()

    err = run(scenario())
    assert "1 under way in a recorder that was KILLED" in capsys.readouterr().out
    assert "1 exchange recovered that a killed recorder had begun" in err
    assert "1 exchange recorded: 1 conversation" in err
    (path,) = Shelf(tmp_path).paths()
    cut, whole = load(path).exchanges
    assert (cut.outcome, cut.response.status) == (Outcome.PROXY_STOPPED, 200)
    assert len(cut.response.body) > 10_000
    assert whole.response.body.startswith(cut.response.body)
    assert journal.find(tmp_path) == []


@POSIX
def test_kills_of_whole_recorders_lose_nothing_acknowledged_or_journalled(tmp_path):
    told = survived("killing_recorder", "5", str(tmp_path))

    figures = re.search(r"5 kills: (\d+) exchanges acknowledged.* (\d+) of them cut", told)
    assert int(figures[1]) >= 5
    assert int(figures[2]) >= 5
    assert "0 acknowledged lost, 0 of " in told
