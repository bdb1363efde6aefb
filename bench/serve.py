"""Measure what serving recordings costs, against mitmproxy's replay, vcrpy and bare asyncio.

Run with ``uv run bench/serve.py``; it takes some three minutes and needs Linux. Throughput is
requests per second of the server's own processor time, so that a busy machine does not change the
ratios much; servers are asked in turns and each keeps its best round. Only ratios mean something
elsewhere. The exit status is 1 when one misses its goal.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path

from mitmproxy import http
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow
from rich.console import Console
from rich.table import Table
from vcr import matchers
from vcr.cassette import Cassette
from vcr.request import Request

from tonearm.cassette import CassetteWriter, find, load, seal
from tonearm.model import Chunk, Exchange, HttpRequest, HttpResponse
from tonearm.replay.server.framing import frame
from tonearm.replay.server.repertoire import Found, Repertoire
from tonearm.replay.server.reply import Asked

ROUNDS = 3
ROUND_S = 2.0
CONNECTIONS = 16
RECORDINGS = 1_000
START_S = 120.0
PATH = "/api/chat"
URI = f"http://127.0.0.1:11434{PATH}"


def asked(number: int, size_bytes: int = 0, *, indent: int | None = None) -> bytes:
    """Return the body of one of the requests; ``indent`` spells it another way."""
    messages = [{"role": "user", "content": f"question {number} {'word ' * (size_bytes // 5)}"}]
    body = {"model": "gemma4:e2b", "messages": messages, "options": {"seed": 7}}
    return json.dumps(body, indent=indent).encode()


def exchange(number: int, chunks: int, size_bytes: int = 0) -> Exchange:
    """Return a streamed answer whose lines are 20 ms apart."""
    lines = [_line(f" word{n}", done=n == chunks - 1) for n in range(chunks)]
    ends = accumulate(map(len, lines))
    return Exchange(
        request=HttpRequest(method="POST", uri=URI, body=asked(number, size_bytes)),
        response=HttpResponse(
            status=200,
            reason="OK",
            headers=(
                ("Content-Type", "application/x-ndjson"),
                ("Date", "Fri, 20 Nov 2026 09:30:00 GMT"),
                ("Transfer-Encoding", "chunked"),
            ),
            body=b"".join(lines),
        ),
        duration_s=0.02 * chunks,
        chunks=tuple(Chunk(end, 0.02 * n) for n, end in enumerate(ends, 1)),
    )


def _line(text: str, *, done: bool) -> bytes:
    message = {"role": "assistant", "content": text}
    created = "2026-11-20T09:30:00.123456789Z"
    body = {"model": "gemma4:e2b", "created_at": created, "message": message, "done": done}
    return json.dumps(body).encode() + b"\n"


def write(folder: Path, name: str, exchanges: Iterator[Exchange]) -> Path:
    """Write a cassette."""
    with CassetteWriter(folder / name) as writer:
        for item in exchanges:
            writer.append(item)
    return folder / name


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, on a core of its own where there are two."""

    process: subprocess.Popen[bytes]
    port: int

    @property
    def cpu_s(self) -> float:
        """Processor time used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def memory_bytes(self) -> int:
        """Memory in use."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def running(command: list[str | Path], port: int | None = None) -> Iterator[Server]:
    """Run a server that prints its address, or listens on a port that it was given."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE if port is None else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
        if process.stdout is not None:
            port = int(process.stdout.readline().strip().rpartition(b":")[2])
        assert port is not None
        _wait(port)
        yield Server(process, port)
    finally:
        process.kill()
        process.wait()


def _wait(port: int) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nothing listens on port {port}")


def recordings(folder: Path, chunks: int) -> Path:
    """Return a cassette of many requests with answers of one length."""
    return write(folder, f"{chunks}.yaml", (exchange(n, chunks) for n in range(RECORDINGS)))


def ours(path: Path, speed: str = "instant") -> list[str | Path]:
    """Return the command line of our server."""
    options = ["--listen", "127.0.0.1:0", "--speed", speed]
    return [sys.executable, "-m", "tonearm", "serve", path, *options]


def mitmproxys(folder: Path, chunks: int, port: int) -> list[str | Path]:
    """Return the command line of mitmproxy's server replay of the same exchanges."""
    path = folder / f"{chunks}.flows"
    with path.open("wb") as file:
        writer = FlowWriter(file)
        for number in range(RECORDINGS):
            source = exchange(number, chunks)
            flow = tflow.tflow()
            flow.request = http.Request.make("POST", URI, source.request.body)
            headers = {"Content-Type": "application/x-ndjson"}
            flow.response = http.Response.make(200, source.response.body, headers)
            writer.add(flow)
    options = {
        "server_replay_reuse": "true",
        "server_replay_ignore_host": "true",
        "server_replay_ignore_port": "true",
        "connection_strategy": "lazy",
    }
    sets = [word for name, value in options.items() for word in ("--set", f"{name}={value}")]
    mode = ["--mode", "reverse:http://127.0.0.1:11434", "--listen-port", str(port)]
    program = Path(sys.executable).with_name("mitmdump")
    return [program, "-q", "--server-replay", path, "--listen-host", "127.0.0.1", *mode, *sets]


def free_port() -> int:
    """Return a port that nothing listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def request(body: bytes) -> bytes:
    """Return a request as an ordinary client would send it."""
    head = f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def ask(port: int, body: bytes) -> int:
    """Send one request and return how many bytes its answer has."""
    received = b""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(request(body))
        while not _whole(received):
            data = client.recv(1 << 20)
            if not data:
                raise RuntimeError(f"the server hung up after {received[:200]!r}")
            received += data
    if b" 200 " not in received[:15]:
        raise RuntimeError(f"no recording was served: {received[:500]!r}")
    return len(received)


def _whole(received: bytes) -> bool:
    head, end, body = received.partition(b"\r\n\r\n")
    _, found, length = head.lower().partition(b"content-length: ")
    if found:
        return len(body) >= int(length.split(b"\r\n")[0])
    return bool(end) and body.endswith(b"0\r\n\r\n")


def throughput(server: Server, bodies: list[bytes]) -> float:
    """Return how many requests a server answers with a second of its processor's time."""
    size = ask(server.port, bodies[0])
    requests = [request(body) for body in bodies]
    clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(CONNECTIONS)]
    turns = {client.fileno(): [client, size, n] for n, client in enumerate(clients)}
    poll = select.epoll()
    for fd, (client, _, n) in turns.items():
        poll.register(fd, select.EPOLLIN)
        client.sendall(requests[n])
    buffer = bytearray(1 << 20)
    done, start_s, end = 0, server.cpu_s, time.monotonic() + ROUND_S
    while time.monotonic() < end:
        for fd, _ in poll.poll(1.0):
            turn = turns[fd]
            turn[1] -= turn[0].recv_into(buffer)
            if turn[1] <= 0:
                done += 1
                turn[1], turn[2] = size, (turn[2] + CONNECTIONS) % len(requests)
                turn[0].sendall(requests[turn[2]])
    used_s = server.cpu_s - start_s
    poll.close()
    for client in clients:
        client.close()
    return done / used_s


def compare(folder: Path, chunks: int) -> dict[str, float]:
    """Return the throughput of each server, all of them up at once and asked in turns."""
    same = [asked(n) for n in range(RECORDINGS)]
    other = [asked(n, indent=1) for n in range(RECORDINGS)]
    port = free_port()
    floor = [sys.executable, __file__, "floor", str(chunks)]
    with (
        running(ours(recordings(folder, chunks))) as server,
        running(mitmproxys(folder, chunks, port), port) as mitmproxy,
        running(floor) as bare,
    ):
        turns: list[tuple[str, Server, list[bytes]]] = [
            ("ours", server, same),
            ("ours, spelled otherwise", server, other),
            ("mitmproxy", mitmproxy, same),
            ("floor", bare, same),
        ]
        for _, each, bodies in turns:  # so that whatever is made on first use has been made
            for body in bodies:
                ask(each.port, body)
        found: dict[str, float] = {}
        for _ in range(ROUNDS):
            for name, each, bodies in turns:
                found[name] = max(found.get(name, 0.0), throughput(each, bodies))
        return found


class Floor(asyncio.Protocol):
    """As little as a server of ready-made answers can do in asyncio."""

    answers: dict[bytes, bytes] = {}  # noqa: RUF012 - the one table of the process

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = transport
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        """Answer a request when all of it is there."""
        assert isinstance(self._transport, asyncio.WriteTransport)
        data = self._rest + data
        head, _, body = data.partition(b"\r\n\r\n")
        length = head.rpartition(b"Content-Length: ")[2]
        if not length.isdigit() or len(body) < int(length):
            self._rest = data
            return
        self._rest = b""
        self._transport.write(self.answers[body])


async def serve_floor(chunks: int) -> None:
    """Serve the recordings with next to nothing in between."""
    for number in range(RECORDINGS):
        Floor.answers[asked(number)] = frame(exchange(number, chunks)).whole
    server = await asyncio.get_running_loop().create_server(Floor, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def match_costs() -> tuple[float, float]:
    """Return seconds to find the last of many recordings: ours, spelled otherwise, and vcrpy's."""
    tape = Cassette(
        "unused", match_on=(matchers.method, matchers.uri, matchers.body), record_mode="none"
    )
    repertoire = Repertoire()
    response = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": b""}}
    for number in range(RECORDINGS):
        body = asked(number, 8_000)
        tape.append(Request("POST", URI, body, {}), response)
        repertoire.add(exchange(number, 4, 8_000), Path("a.yaml"), number)
    tape.rewound = True  # as after loading: what was recorded before may be played
    last = Request("POST", URI, asked(RECORDINGS - 1, 8_000), {})
    spelled = asked(RECORDINGS - 1, 8_000, indent=1)
    wanted = Asked(method="POST", target=PATH, path=PATH, body=spelled)
    assert tape.can_play_response_for(last)
    assert isinstance(repertoire.take(wanted), Found)
    return _best(lambda: repertoire.take(wanted), 200), _best(
        lambda: tape.can_play_response_for(last), 1
    )


def match_growth() -> tuple[float, float]:
    """Return seconds to find a request of 1 MB, spelled otherwise, among few and among many."""
    found = []
    for count in (10, 200):
        repertoire = Repertoire()
        for number in range(count):
            repertoire.add(exchange(number, 4, 1_000_000), Path("a.yaml"), number)
        body = asked(count - 1, 1_000_000, indent=1)
        wanted = Asked(method="POST", target=PATH, path=PATH, body=body)
        assert isinstance(repertoire.take(wanted), Found)
        found.append(_best(partial(repertoire.take, wanted), 20))
    return found[0], found[1]


def _best(work: Callable[[], object], times: int) -> float:
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(times):
            work()
        rounds.append((time.process_time() - start) / times)
    return min(rounds)


async def _arrivals(port: int, marks: list[int]) -> list[float]:
    """Return when each piece of the answer to the first request was there."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request(asked(0)))
    times: list[float] = []
    received = 0
    while len(times) < len(marks):
        received += len(await reader.read(1 << 16))
        now = time.monotonic()
        times += [now] * (sum(mark <= received for mark in marks) - len(times))
    writer.close()
    return times


def rhythm_errors(folder: Path) -> list[float]:
    """Return by how much the waits between pieces miss those recorded, seconds, eight at a time."""
    source = exchange(0, 200)
    path = write(folder, "rhythm.yaml", iter([source]))
    marks = [end for end, _ in frame(source).marks]

    async def listen(port: int) -> list[list[float]]:
        return await asyncio.gather(*(_arrivals(port, marks) for _ in range(8)))

    with running(ours(path, "recorded")) as server:
        found = asyncio.run(listen(server.port))
    waits = [b - a for times in found for a, b in pairwise(times)]
    return sorted(abs(wait - 0.02) for wait in waits)


@dataclass(frozen=True, slots=True)
class Start:
    """What a shelf costs before anything is asked of it."""

    wall_s: float
    """From the command to the first answer."""
    cpu_s: float
    memory_bytes: int
    recorded_bytes: int
    """Of the bodies on the shelf."""


def start_costs(folder: Path, cassettes: int, each: int) -> Start:
    """Return what it takes to serve a shelf whose every other cassette is sealed."""
    shelf = folder / f"shelf{cassettes}"
    shelf.mkdir()
    for number in range(cassettes):
        numbers = range(number * each, (number + 1) * each)
        path = write(shelf, f"{number:04}.yaml", (exchange(n, 20, 5_000) for n in numbers))
        if number % 2:
            seal(path)
    start = time.monotonic()
    with running(ours(shelf)) as server:
        ask(server.port, asked(0, 5_000))
        wall_s = time.monotonic() - start
        used = server.cpu_s, server.memory_bytes
    exchanges = (e for path in find([shelf]) for e in load(path).exchanges)
    recorded = sum(len(e.request.body) + len(e.response.body) for e in exchanges)
    return Start(wall_s, *used, recorded)


def main() -> int:
    """Measure, print one table and say whether every goal is met."""
    table = Table("what", "cost", "against", "ratio", "goal")
    met: list[bool] = []

    def row(what: str, cost: str, against: str, ratio: float, goal: float | None) -> None:
        met.append(goal is None or ratio >= goal)
        wanted = "" if goal is None else f">= {goal:g}"
        table.add_row(what, cost, against, f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}", wanted)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for chunks, goal in ((20, 20), (200, 10)):
            found = compare(folder, chunks)
            for kind in ("ours", "ours, spelled otherwise"):
                what = f"{chunks} chunks{kind.removeprefix('ours')}"
                cost = f"{found[kind]:,.0f} requests/cpu-s"
                mine = found[kind]
                wanted = goal if kind == "ours" else None
                against = f"mitmproxy {found['mitmproxy']:,.0f}"
                row(what, cost, against, mine / found["mitmproxy"], wanted)
                row("", "", f"asyncio {found['floor']:,.0f}", mine / found["floor"], None)
        took, theirs = match_costs()
        against = f"vcrpy, body: {theirs * 1e3:.0f} ms"
        row(f"match, 8 kB, {RECORDINGS:,}", f"{took * 1e6:.0f} us", against, theirs / took, 500)
        few, many = match_growth()
        what, against = "match, 1 MB, 200", f"among 10: {few * 1e3:.1f} ms"
        row(what, f"{many * 1e3:.1f} ms", against, few / many, 0.5)
        errors = rhythm_errors(folder)
        p50, p99 = statistics.median(errors), errors[int(0.99 * len(errors))]
        table.add_row(
            "rhythm, 20 ms, 8 clients", f"p50 {p50 * 1e3:.1f}, p99 {p99 * 1e3:.1f} ms off"
        )
        empty, full = start_costs(folder, 1, 1), start_costs(folder, 100, 100)
        grown = (full.memory_bytes - empty.memory_bytes) / full.recorded_bytes
        table.add_row(
            f"start, 10,000 x {full.recorded_bytes // 10_000 / 1e3:.1f} kB",
            f"{full.wall_s:.1f} s, {full.cpu_s:.1f} cpu-s",
            f"one exchange: {empty.wall_s:.1f} s, {empty.cpu_s:.1f} cpu-s",
        )
        table.add_row("memory of a recorded MB", f"{grown:.2f} MB")
    Console(width=110).print(table)
    return 0 if all(met) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["floor"]:
        asyncio.run(serve_floor(int(sys.argv[2])))
    else:
        sys.exit(main())
