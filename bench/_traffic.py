"""A server that streams and a client that listens, cheap enough not to be what is measured.

    python -m bench._traffic serve          prints its port
    python -m bench._traffic ask '{...}'    prints figures as JSON

Each piece of an answer says when it was created, as Ollama's do, so its way is measured one way.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time

HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
)
SMALL = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"


NS = 1_000_000_000


def piece(number: int) -> bytes:
    """Return one line as Ollama would send it."""
    s, ns = divmod(time.time_ns(), NS)
    line = json.dumps(
        {
            "model": "bench",
            "created_at": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(s)) + f".{ns:09}Z",
            "message": {"role": "assistant", "content": f" word{number}"},
            "done": False,
        }
    ).encode()
    return b"%x\r\n%s\n\r\n" % (len(line) + 1, line)


CREATED = re.compile(rb'"created_at": "[^"]*:(\d\d)\.(\d{9})Z"')


def ages_ns(data: bytes, now_ns: int) -> list[int]:
    """Return how long ago the lines in some data were created; none is older than a minute."""
    minute = 60 * NS
    return [(now_ns - int(second) * NS - int(ns)) % minute for second, ns in CREATED.findall(data)]


async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer requests until the client goes."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = 0
            for line in head.lower().split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            left, body = length, b""
            while left:
                part = await reader.read(min(left, 1 << 18))
                if not part:
                    return
                body = body or part[:200]
                left -= len(part)
            plan = json.loads(body.partition(b"\n")[0] or b"{}").get("options", {})
            if not plan.get("pieces"):
                writer.write(SMALL)
                continue
            writer.write(HEAD)
            for number in range(plan["pieces"]):
                writer.write(piece(number))
                if plan["gap_s"]:
                    await asyncio.sleep(plan["gap_s"])
                else:
                    await writer.drain()
            writer.write(b"0\r\n\r\n")
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def serve() -> None:
    """Serve on a free port for ever."""
    server = await asyncio.start_server(serve_one, "127.0.0.1", 0, limit=1 << 20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def request(port: int, plan: dict[str, float], padding: int) -> bytes:
    """Return a request; the plan stands in its first line, so that padding need not be parsed."""
    body = json.dumps({"model": "bench", "messages": [], "options": plan}).encode()
    body += b"\n" + b" " * padding
    head = (
        f"POST /api/chat HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def ask_one(port: int, plan: dict[str, float], times: int, padding: int) -> list[list[float]]:
    """Ask several times on one connection; return time to first piece, and ways of the others."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    found = []
    text = request(port, plan, padding)
    for _ in range(times):
        begun_ns = time.monotonic_ns()
        writer.write(text)
        await writer.drain()
        await reader.readuntil(b"\r\n\r\n")
        if not plan.get("pieces"):
            await reader.readexactly(2)
            found.append([float(time.monotonic_ns() - begun_ns)])
            continue
        ways: list[float] = []
        while size := int(await reader.readuntil(b"\r\n"), 16):
            data = await reader.readexactly(size + 2)
            if not ways:
                ways.append(float(time.monotonic_ns() - begun_ns))
            ways += map(float, ages_ns(data, time.time_ns()))
        await reader.readexactly(2)
        found.append(ways)
    writer.close()
    return found


async def ask(spec: dict[str, float]) -> None:
    """Ask as the specification says, and print the figures."""
    plan = {"pieces": int(spec["pieces"]), "gap_s": spec["gap_s"]}
    begun = time.monotonic()
    answers = await asyncio.gather(
        *(
            ask_one(int(spec["port"]), plan, int(spec["times"]), int(spec.get("padding", 0)))
            for _ in range(int(spec["streams"]))
        )
    )
    wall_s = time.monotonic() - begun
    flat = [answer for group in answers for answer in group]
    firsts = sorted(answer[0] for answer in flat)
    ways = sorted(way for answer in flat for way in answer[1:])
    figures = {"wall_s": wall_s, "requests": len(flat), "pieces": len(ways)}
    for name, values in (("first", firsts), ("way", ways)):
        for label, share in (("p50", 0.5), ("p99", 0.99)):
            at = min(len(values) - 1, int(len(values) * share))
            figures[f"{name}_{label}_ms"] = values[at] / 1e6 if values else float("nan")
    print(json.dumps(figures))


def run(main: object) -> None:
    """Run on uvloop where it is installed."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(main)  # type: ignore[arg-type]
    else:
        uvloop.run(main)  # type: ignore[arg-type]


if __name__ == "__main__":
    run(serve() if sys.argv[1] == "serve" else ask(json.loads(sys.argv[2])))
