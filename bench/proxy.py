"""What the recorder costs, beside no proxy, bare mitmproxy and nginx, in one run and one table.

    uv run python -m bench.proxy [--quick]

The ways through a proxy take turns, round after round. Shown are medians over the rounds, and
``x bare`` is the median of each round's ratio to bare mitmproxy. CPU seconds are those of the
proxy's process alone; wall times mean something only relative to one another.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

MITMDUMP = Path(sys.executable).with_name("mitmdump")
START_S = 30.0
DIRECT, BARE = "direct", "mitmdump stream=True"
OFF, ON = "tonearm, recorder off", "tonearm record"

type Figure = Callable[[dict[str, float]], float]

STREAM = "def responseheaders(flow):\n    flow.response.stream = True\n"
NGINX = """
worker_processes 1;
daemon off;
error_log /dev/null;
pid {folder}/pid;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  client_max_body_size 0;
  upstream model {{ server 127.0.0.1:{upstream}; keepalive 256; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://model;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_request_buffering off;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way from the client to the server."""

    name: str
    port: int
    process: psutil.Process | None = None

    def cpu_s(self) -> float:
        """Return the CPU time that it has used so far, its children's included."""
        if self.process is None:
            return 0.0
        family = [self.process, *self.process.children(recursive=True)]
        times = [member.cpu_times() for member in family]
        return sum(t.user + t.system for t in times)

    def rss_mb(self) -> float:
        """Return the most memory that it has held."""
        if self.process is None:
            return 0.0
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmHWM:\s+(\d+)", status)
        return int(found[1]) / 1024 if found else float("nan")


@contextmanager
def running(command: list[str], **more: object) -> Iterator[subprocess.Popen[str]]:
    """Run a process for the length of a block."""
    process = subprocess.Popen(command, text=True, **more)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(START_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait until somebody listens."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def ways(stack: ExitStack, folder: Path) -> list[Way]:
    """Start everything; what is not installed is left out with a note."""
    serve = [sys.executable, "-m", "bench._traffic", "serve"]
    server = stack.enter_context(running(serve, stdout=subprocess.PIPE))
    assert server.stdout is not None
    upstream = int(server.stdout.readline())
    found = [Way(name=DIRECT, port=upstream)]

    def add(name: str, port: int, command: list[str]) -> None:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = stack.enter_context(running(command, **quiet))
        wait_for(port)
        found.append(Way(name=name, port=port, process=psutil.Process(process.pid)))

    if shutil.which("nginx"):
        port = free_port()
        config = folder / "nginx.conf"
        config.write_text(NGINX.format(folder=folder, upstream=upstream, port=port))
        add("nginx", port, ["nginx", "-c", str(config), "-e", "/dev/null"])
    else:
        print("nginx is not installed and therefore left out")
    script, port = folder / "stream.py", free_port()
    script.write_text(STREAM)
    mitmdump = [str(MITMDUMP), "-q", "--mode", f"reverse:http://127.0.0.1:{upstream}"]
    listen = ["--listen-host", "127.0.0.1", "--listen-port"]
    bare = [*listen, str(port), "-s", str(script), "--set", f"confdir={folder}"]
    add(BARE, port, mitmdump + bare)
    for name, extra in ((OFF, ["--off"]), (ON, []), ("tonearm, mitmproxy's way", ["--long"])):
        port = free_port()
        command = [sys.executable, "-m", "bench._recorder", str(upstream), str(port)]
        add(name, port, [*command, str(folder / f"shelf-{port}"), *extra])
    return found


def ask(way: Way, **spec: float) -> dict[str, float]:
    """Return the figures of one round."""
    before = way.cpu_s()
    text = json.dumps({"port": way.port, **spec})
    command = [sys.executable, "-m", "bench._traffic", "ask", text]
    out = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
    figures: dict[str, float] = json.loads(out)
    return figures | {"cpu_s": way.cpu_s() - before}


@dataclass(frozen=True, slots=True)
class Found:
    """The figures of all rounds, by way."""

    rounds: dict[str, list[dict[str, float]]]

    def median(self, way: str, figure: Figure) -> float:
        """Return the median of a figure."""
        return statistics.median(map(figure, self.rounds[way]))

    def added(self, way: str, name: str) -> float:
        """Return how much a way adds to a figure."""
        pairs = zip(self.rounds[way], self.rounds[DIRECT], strict=True)
        return statistics.median(mine[name] - direct[name] for mine, direct in pairs)

    def ratio(self, way: str, other: str, figure: Figure) -> float:
        """Return the median of the ratios of two ways, each within one round."""
        pairs = zip(self.rounds[way], self.rounds[other], strict=True)
        return statistics.median(ratio(figure(mine), figure(its)) for mine, its in pairs)

    def added_ratio(self, way: str, other: str, name: str) -> float:
        """Return the median of the ratios of what two ways add to a figure."""
        rounds = zip(self.rounds[way], self.rounds[other], self.rounds[DIRECT], strict=True)
        return statistics.median(ratio(a[name] - d[name], b[name] - d[name]) for a, b, d in rounds)


def ratio(mine: float, its: float) -> float:
    """Return a ratio that is no number where there is nothing to compare with."""
    return mine / its if its > 0 else math.nan


def take_turns(found: list[Way], rounds: int, **spec: float) -> Found:
    """Return the figures of several rounds in which all ways take turns."""
    figures: dict[str, list[dict[str, float]]] = {way.name: [] for way in found}
    for _ in range(rounds):
        for way in found:
            figures[way.name].append(ask(way, **spec))
    return Found(figures)


def cpu_per_piece(figures: dict[str, float]) -> float:
    """Return CPU ms per 1,000 pieces."""
    return figures["cpu_s"] / figures["pieces"] * 1e6


def cpu_per_request(figures: dict[str, float]) -> float:
    """Return CPU ms per request."""
    return figures["cpu_s"] / figures["requests"] * 1e3


def per_s(figures: dict[str, float]) -> float:
    """Return requests per second."""
    return figures["requests"] / figures["wall_s"]


HEAD = (
    "streams",
    "way",
    "first piece ms",
    "added p50",
    "x bare",
    "added p99",
    "added per piece p50 ms",
    "p99",
    "CPU ms per 1,000",
    "x bare",
    "requests/s",
    "CPU ms per request",
    "x bare",
)


def row(number: int, way: str, streamed: Found, small: Found) -> list[str]:
    """Return one line of the table."""
    cells = [
        f"{streamed.median(way, lambda f: f['first_p50_ms']):.2f}",
        f"{streamed.added(way, 'first_p50_ms'):.2f}",
        f"{streamed.added_ratio(way, BARE, 'first_p50_ms'):.2f}",
        f"{streamed.added(way, 'first_p99_ms'):.1f}",
        f"{streamed.added(way, 'way_p50_ms'):.3f}",
        f"{streamed.added(way, 'way_p99_ms'):.1f}",
        f"{streamed.median(way, cpu_per_piece):.0f}",
        f"{streamed.ratio(way, BARE, cpu_per_piece):.2f}",
        f"{small.median(way, per_s):.0f}",
        f"{small.median(way, cpu_per_request):.2f}",
        f"{small.ratio(way, BARE, cpu_per_request):.2f}",
    ]
    return [str(number), way, *cells]


def show(cells: Iterable[str]) -> None:
    """Print a line of a table in Markdown."""
    print("| " + " | ".join(cells) + " |", flush=True)


def measure(found: list[Way], number: int, rounds: int) -> list[str]:
    """Print the lines for a number of streams; return what the recorder adds to its own proxy."""
    times = 8 if number == 1 else 2
    streamed = take_turns(found, rounds, streams=number, pieces=50, gap_s=0.02, times=times)
    small = take_turns(found, rounds, streams=number, pieces=0, gap_s=0, times=400 // number + 5)
    for way in found:
        show(row(number, way.name, streamed, small))
    return [
        str(number),
        f"{streamed.ratio(ON, OFF, lambda f: f['first_p50_ms']):.2f}",
        f"{streamed.ratio(ON, OFF, lambda f: f['way_p50_ms']):.2f}",
        f"{streamed.ratio(ON, OFF, cpu_per_piece):.2f}",
        f"{small.ratio(ON, OFF, cpu_per_request):.2f}",
    ]


def memory(found: list[Way]) -> None:
    """Measure eight long requests at once; the last, for memory once taken is not given back."""
    print("\n8 requests of 20 MB at once:\n")
    show(("way", "peak RSS MB", "answered after ms"))
    show(["---"] * 3)
    for way in found:
        figures = ask(way, streams=8, pieces=0, gap_s=0, times=1, padding=20 << 20)
        show((way.name, f"{way.rss_mb():.0f}", f"{figures['first_p50_ms']:.0f}"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of each")
    rounds = 1 if parser.parse_args().quick else 5
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found = ways(stack, folder)
        print(
            f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, medians of {rounds} rounds\n"
        )
        show(HEAD)
        show(["---"] * len(HEAD))
        own = [measure(found, number, rounds) for number in (1, 16, 64)]
        print("\nRecorder on, as a multiple of off:\n")
        show(("streams", "first piece", "per piece", "CPU per piece", "CPU per request"))
        show(["---"] * 5)
        for cells in own:
            show(cells)
        memory(found)


if __name__ == "__main__":
    main()
