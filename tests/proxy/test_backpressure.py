"""Who does not read holds the sender back, and costs the recorder no memory."""

import asyncio
import json

import pytest

from tests.proxy.harness import CHAT, Upstream, connection, recording, run
from tonearm.model import Outcome

PIECE = b"x" * (64 << 10)
PIECES = 1024
"""64 MiB in all, several times what the sockets between two programs hold."""

STUCK_S = 0.5


async def send(write, drain, count):
    """Send pieces until the other side takes no more; return how many were sent, or all."""
    for n in range(count):
        write(PIECE)
        waiting = asyncio.ensure_future(drain())
        done, _ = await asyncio.wait({waiting}, timeout=STUCK_S)
        if not done:
            return n, waiting
    return count, None


@pytest.mark.parametrize("path", ["/api/chat", "/api/pull"], ids=["recorded", "passed"])
@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "of known length"])
def test_a_client_that_does_not_read_stops_the_server(path, chunked):
    """When it reads at last, it gets everything."""
    stuck = asyncio.Event()
    sent = []

    async def flood(exchange):
        def write(data):
            frame = b"%x\r\n%s\r\n" % (len(data), data) if chunked else data
            exchange.writer.write(frame)

        if chunked:
            await exchange.start()
        else:
            size = PIECES * len(PIECE)
            exchange.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        count, waiting = await send(write, exchange.writer.drain, PIECES)
        sent.append(count)
        stuck.set()
        if waiting is not None:
            await waiting
        for _ in range(count + 1, PIECES):
            write(PIECE)
            await exchange.writer.drain()
        if chunked:
            await exchange.end()

    async def scenario():
        async with (
            Upstream(flood) as upstream,
            recording(upstream.address) as rec,
            connection(rec.address) as client,
        ):
            await client.post(path, json.dumps(CHAT).encode())
            await stuck.wait()
            size = 0
            head = await client.until(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            if chunked:
                while part := int((await client.until(b"\r\n")), 16):
                    size += len(await client.reader.readexactly(part + 2)) - 2
            else:
                size = len(await client.reader.readexactly(PIECES * len(PIECE)))
            capture = await rec.captures.get() if path == "/api/chat" else None
            return size, capture

    size, capture = run(scenario())
    assert sent[0] < PIECES // 2
    assert size == PIECES * len(PIECE)
    if capture is not None:
        exchange = capture.exchange()
        assert exchange.outcome is Outcome.TRUNCATED
        assert f"of {size} bytes" in exchange.error


@pytest.mark.parametrize(
    "path", ["/api/blobs/sha256:0", "/api/chat"], ids=["a blob", "a long question"]
)
def test_a_server_that_does_not_read_stops_the_client(path):
    """So an upload of any size needs no memory; when it is read at last, it is whole."""
    going = asyncio.Event()
    got = []

    async def swallow(exchange):
        await going.wait()
        got.append(sum([len(await exchange.reader.readexactly(len(PIECE))) for _ in range(PIECES)]))
        await exchange.answer(b"{}")

    async def scenario():
        async with (
            Upstream(swallow, read_body=False) as upstream,
            recording(upstream.address) as rec,
            connection(rec.address) as client,
        ):
            size = PIECES * len(PIECE)
            await client.send(
                f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode()
            )
            count, waiting = await send(client.writer.write, client.writer.drain, PIECES)
            going.set()
            if waiting is not None:
                await waiting
            for _ in range(count + 1, PIECES):
                await client.send(PIECE)
            assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
            return count

    assert run(scenario()) < PIECES // 2
    assert got == [PIECES * len(PIECE)]
