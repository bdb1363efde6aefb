"""Kill whole recorders with answers under way, and see what their shelf has of them.

    python -m tests.proxy.killing_recorder KILLS FOLDER

Each life is a process that runs all that ``tonearm record`` runs, forked so that it starts quickly.
Agents go on with their conversations from life to life; other clients read answers that never end.
What the recorder had shown as recorded must be there, and so must what stood in its journal; every
answer must be what was sent, or the beginning of it where it was cut.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import socket
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.proxy.harness import Exchange, ndjson, said
from tonearm.cassette import Shelf, journal, load
from tonearm.errors import CassetteError
from tonearm.model import Outcome
from tonearm.proxy import session, underway
from tonearm.proxy.address import Address
from tonearm.proxy.filing import Filing
from tonearm.proxy.recall import Identity, identity
from tonearm.proxy.tally import Tally

AGENTS = 3
ENDLESS = 2
PER_FOLDER = 20
SPREAD_S = 0.3
LOOK_S = 0.05
"""How often a life looks at what is under way; at a second's pace lives would have to be longer."""


def pieces(tag: str) -> Iterator[bytes]:
    """Yield what the server answers to the request of that name, without its end."""
    for n in range(10**6):
        yield ndjson(said(f"{tag} word {n} "))


class Agent:
    """One conversation, which goes on when the recorder is gone and back."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.messages = [{"role": "user", "content": name}]

    def answered(self, text: str) -> None:
        """Take an answer and think of the next question."""
        self.messages.append({"role": "assistant", "content": text})
        self.messages.append({"role": "user", "content": "on"})


async def answer(exchange: Exchange) -> None:
    """Answer an agent with three pieces, and others until they are gone."""
    if exchange.path != "/api/chat":
        await exchange.answer(b"{}")
        return
    tag = json.loads(exchange.body)["tag"]
    await exchange.start()
    for n, piece in enumerate(pieces(tag)):
        await exchange.chunk(piece)
        if n == 2 and tag.startswith("agent"):
            await exchange.chunk(ndjson(said("", done=True)))
            await exchange.end()
            return
        await asyncio.sleep(0.004)


def live(upstream: int, shelf: Path, pipe: int) -> None:
    """Record until killed."""
    underway.EVERY_S = LOOK_S
    underway.SHARE = 1
    settings = session.Settings(
        upstream=Address(host="127.0.0.1", port=upstream),
        listen=Address(host="127.0.0.1", port=0),
        metrics=Address(host="127.0.0.1", port=0),
        shelf=shelf,
    )
    session.record(settings, [], lambda line, **_: os.write(pipe, line.encode() + b"\n") and None)


class Life:
    """One recorder, the server behind it and the clients in front of it."""

    def __init__(self, shelf: Path, number: int, agents: list[Agent]) -> None:
        self.shelf = shelf
        self.number = number
        self.agents = agents
        self.acknowledged = 0

    def run(self, chance: random.Random) -> None:
        """Live, and be killed at a random moment."""
        server = socket.create_server(("127.0.0.1", 0))
        out, into = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(out)
            try:
                live(server.getsockname()[1], self.shelf, into)
            finally:
                os._exit(1)
        os.close(into)
        try:
            with os.fdopen(out, "rb") as pipe:
                metrics = pipe.readline().split()[-1].decode()
                recorder = pipe.readline().split()[-1].decode()
                asyncio.run(self._clients(server, metrics, recorder, child, chance))
        finally:
            os.waitpid(child, 0)
            server.close()

    async def _clients(
        self, server: socket.socket, metrics: str, url: str, child: int, chance: random.Random
    ) -> None:
        handling = await asyncio.start_server(_serve, sock=server)
        tasks = [asyncio.create_task(self._talk(url, agent)) for agent in self.agents]
        tasks += [asyncio.create_task(self._listen(url, n)) for n in range(ENDLESS)]
        try:
            while not self.acknowledged:
                self.acknowledged = await _recorded(metrics)
            await asyncio.sleep(chance.random() * SPREAD_S)
            self.acknowledged = await _recorded(metrics)
        finally:
            os.kill(child, signal.SIGKILL)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            handling.close()

    async def _talk(self, url: str, agent: Agent) -> None:
        turn = 0
        while True:
            tag = f"{agent.name} {self.number} {turn}"
            body = await _post(url, {"model": "m", "messages": agent.messages, "tag": tag})
            lines = map(json.loads, body.splitlines())
            agent.answered("".join(line["message"]["content"] for line in lines))
            turn += 1

    async def _listen(self, url: str, n: int) -> None:
        tag = f"endless {self.number} {n}"
        messages = [{"role": "user", "content": tag}]
        await _post(url, {"model": "m", "messages": messages, "tag": tag})


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            path = first.split(" ")[1]
            await answer(Exchange("POST", path, headers, reader, writer, body))
    writer.close()


async def _post(url: str, body: object) -> bytes:
    """Return the body of a whole answer.

    Raises:
        OSError: It was cut off.
        asyncio.IncompleteReadError: The same.
    """
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    data = json.dumps(body).encode()
    head = f"POST /api/chat HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(data)}\r\n\r\n"
    writer.write(head.encode() + data)
    try:
        await reader.readuntil(b"\r\n\r\n")
        found = b""
        while size := int((await reader.readuntil(b"\r\n")), 16):
            found += (await reader.readexactly(size + 2))[:-2]
        return found
    finally:
        writer.close()


async def _recorded(metrics: str) -> int:
    host, _, rest = metrics.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(rest.partition("/")[0]))
    writer.write(b"GET /metrics HTTP/1.0\r\n\r\n")
    text = await reader.read()
    writer.close()
    line = next(line for line in text.splitlines() if line.startswith(b"tonearm_recorded_total"))
    return int(line.split()[1])


def journalled(shelf: Path) -> set[Identity]:
    """Return what the journals of a killed recorder name."""
    found = set()
    for path in journal.find(shelf):
        with suppress(CassetteError):
            found |= {identity(exchange) for exchange in journal.read(path).exchanges}
    return found


class Findings(Counter[str]):
    """What a shelf holds, and what is wrong with it."""

    def look(self, shelf: Path, named: set[Identity]) -> None:
        """Count the exchanges of a shelf, and hold each against what the server sent."""
        tags: set[str] = set()
        files: defaultdict[str, set[Path]] = defaultdict(set)
        missing = set(named)
        for path in Shelf(shelf).paths():
            for exchange in load(path).exchanges:
                tag = json.loads(exchange.request.body)["tag"]
                missing.discard(identity(exchange))
                self["found"] += 1
                self["whole"] += exchange.outcome is Outcome.COMPLETE
                self["wrong"] += tag in tags or not _is_right(tag, exchange.response.body, exchange)
                tags.add(tag)
                if tag.startswith("agent"):
                    files[tag.split(" ")[0]].add(path)
        self["wrong"] += sum(len(paths) != 1 for paths in files.values())
        self["journalled, lost"] += len(missing)


def _is_right(tag: str, body: bytes, exchange) -> bool:
    expected = b""
    for n, piece in enumerate(pieces(tag)):
        if n == 3 and tag.startswith("agent"):
            expected += ndjson(said("", done=True))
            break
        if len(expected) >= len(body):
            break
        expected += piece
    if exchange.outcome is Outcome.COMPLETE:
        return tag.startswith("agent") and body == expected
    return exchange.outcome is Outcome.PROXY_STOPPED and expected.startswith(body)


def main(kills: int, folder: Path) -> int:
    """Kill so many times and print one line."""
    chance = random.Random(7)
    findings = Findings()
    for first in range(0, kills, PER_FOLDER):
        shelf = folder / f"shelf-{first}"
        shelf.mkdir(mode=0o700)
        agents = [Agent(f"agent{n}") for n in range(AGENTS)]
        named: set[Identity] = set()
        known = 0
        for number in range(first, min(first + PER_FOLDER, kills)):
            life = Life(shelf, number, agents)
            life.run(chance)
            known += life.acknowledged
            named |= journalled(shelf)
        before = findings["whole"]
        _take_over(shelf)
        findings.look(shelf, named)
        findings["acknowledged"] += known
        findings["lost"] += max(0, known - (findings["whole"] - before))
        findings["journalled"] += len(named)
    cut = findings["found"] - findings["whole"]
    print(
        f"{kills} kills: {findings['acknowledged']} exchanges acknowledged, "
        f"{findings['found']} found, {cut} of them cut off by a kill; "
        f"{findings['lost']} acknowledged lost, {findings['journalled, lost']} of "
        f"{findings['journalled']} in journals lost, {findings['wrong']} wrong"
    )
    return 1 if findings["lost"] or findings["journalled, lost"] or findings["wrong"] else 0


def _take_over(shelf: Path) -> None:
    """Do what the next recorder does first."""
    filing = Filing(Shelf(shelf), Tally())
    filing.read_shelf()
    filing.close()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), Path(sys.argv[2])))
