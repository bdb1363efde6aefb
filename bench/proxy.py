"""What the recorder costs, beside no proxy, bare mitmproxy and nginx, in one run.

    uv run python -m bench.proxy [--quick]

CPU seconds are those of the proxy's process alone. Wall times mean something only relative to one
another, and only on a quiet machine. Ways through a proxy are taken in turns, twice, and the better
of two is shown.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

MITMDUMP = Path(sys.executable).with_name("mitmdump")
START_S = 30.0
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
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait until somebody listens."""
    import socket

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
    found = [Way(name="direct", port=upstream)]

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
    add("mitmdump stream=True", port, mitmdump + bare)
    for name, extra in (("tonearm, recorder off", ["--off"]), ("tonearm record", [])):
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


def best(found: list[Way], rounds: int, **spec: float) -> dict[str, dict[str, float]]:
    """Return the better of several rounds for each way, taken in turns."""
    results: dict[str, list[dict[str, float]]] = {way.name: [] for way in found}
    for _ in range(rounds):
        for way in found:
            results[way.name].append(ask(way, **spec))
    return {
        name: {key: min(figures[key] for figures in runs) for key in runs[0]}
        for name, runs in results.items()
    }


def table(title: str, head: list[str], rows: list[list[str]]) -> None:
    """Print a table in Markdown."""
    print(f"\n{title}\n\n| way | " + " | ".join(head) + " |")
    print("|---" * (len(head) + 1) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |", flush=True)


def streams(found: list[Way], number: int, pieces: int, times: int, rounds: int) -> None:
    """Measure streams at the pace of a model."""
    spec = {"streams": number, "pieces": pieces, "gap_s": 0.02, "times": times}
    results = best(found, rounds, **spec)
    direct, bare = results["direct"], results["mitmdump stream=True"]
    rows = []
    for name, r in results.items():
        added = r["first_p50_ms"] - direct["first_p50_ms"]
        bare_added = bare["first_p50_ms"] - direct["first_p50_ms"]
        cpu, bare_cpu = r["cpu_s"] / r["pieces"] * 1e6, bare["cpu_s"] / bare["pieces"] * 1e6
        rows.append(
            [
                name,
                f"{added:.2f}",
                f"{r['first_p99_ms'] - direct['first_p99_ms']:.2f}",
                f"{added / bare_added:.2f}x",
                f"{r['way_p50_ms'] - direct['way_p50_ms']:.3f}",
                f"{r['way_p99_ms'] - direct['way_p99_ms']:.2f}",
                f"{cpu:.0f}",
                f"{cpu / bare_cpu:.2f}x",
            ]
        )
    head = ["added TTFT p50 ms", "p99", "of bare", "added per chunk p50 ms", "p99"]
    table(f"{number} streams, {pieces} chunks at 50/s", [*head, "CPU ms / 1,000", "of bare"], rows)


def requests(found: list[Way], number: int, times: int, rounds: int) -> None:
    """Measure small answers as fast as they come."""
    results = best(found, rounds, streams=number, pieces=0, gap_s=0, times=times)
    bare = results["mitmdump stream=True"]
    rows = [
        [
            name,
            f"{r['requests'] / r['wall_s']:.0f}",
            f"{r['cpu_s'] / r['requests'] * 1e3:.2f}",
            f"{r['cpu_s'] / bare['cpu_s']:.2f}x",
        ]
        for name, r in results.items()
    ]
    head = ["requests/s", "CPU ms / request", "of bare"]
    table(f"{number} connections, small answers", head, rows)


def memory(found: list[Way]) -> None:
    """Measure eight long requests at once; the last, for memory once taken is not given back."""
    rows = []
    for way in found:
        figures = ask(way, streams=8, pieces=0, gap_s=0, times=1, padding=20 << 20)
        rows.append([way.name, f"{way.rss_mb():.0f}", f"{figures['first_p50_ms']:.0f}"])
    table("8 requests of 20 MB at once", ["peak RSS MB", "answer p50 ms"], rows)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short round of each")
    quick = parser.parse_args().quick
    rounds, pieces = (1, 50) if quick else (2, 150)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found = ways(stack, folder)
        for number in (1, 16, 64):
            streams(found, number, pieces, 8 if number == 1 else 2, rounds)
        for number in (1, 16, 64):
            requests(found, number, (200 if quick else 600) // number + 5, rounds)
        memory(found)


if __name__ == "__main__":
    main()
