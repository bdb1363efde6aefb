"""``tonearm serve`` under many clients, slow ones, greedy ones, and a signal among them.

A process of its own, bytes over sockets, and no clock: what comes before what decides.
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.proxy.harness import connection, run
from tests.replay.server.harness import asks, last, line, streamed, whole, write
from tests.replay.server.test_command import POSIX, ended, started
from tonearm.proxy.address import parse_upstream
from tonearm.replay.server.framing import frame

pytestmark = POSIX

INSTANT = ("--speed", "instant")
CLIENTS = 1_000
STREAMS = 10

SPARE_BYTES = 16 << 20
"""What a server may take for other reasons than the body that it was sent."""


def request(text):
    """Return the head and the body of a chat request."""
    body = json.dumps(asks(text)).encode()
    head = f"POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode(), body


async def ask(client, text):
    """Send a request whole."""
    await client.send(b"".join(request(text)))


async def several(stack, url, count):
    """Return connections that stay open as long as the stack."""
    address = parse_upstream(url)
    return [await stack.enter_async_context(connection(address)) for _ in range(count)]


def test_a_thousand_clients_at_once_get_their_own_answers(tmp_path):
    """All are in the middle of their requests before the first of them gets its answer."""
    many_files()
    tapes = [streamed(asks(f"q{n}"), line(f"a{n}"), last()) for n in range(CLIENTS)]
    path = write(tmp_path / "a.yaml", tapes)

    async def scenario():
        async with started(path, *INSTANT, "--strict") as (process, url), AsyncExitStack() as stack:
            clients = await several(stack, url, CLIENTS)
            for n, client in enumerate(clients):
                await client.send(request(f"q{n}")[0])
            for n, client in enumerate(clients):
                await client.send(request(f"q{n}")[1])
            for client, tape in zip(clients, tapes, strict=True):
                expected = frame(tape).whole
                assert await client.reader.readexactly(len(expected)) == expected
            return await ended(process)

    code, err = run(scenario())
    assert code == 0, err
    assert f"{CLIENTS} served from recordings; 0 missed; 0 never asked for" in err


def many_files():
    """Raise the limit of open files for the clients, which are all in this process."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4 * CLIENTS:
        pytest.skip(f"only {hard} files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 4 * CLIENTS), hard))


def test_clients_that_read_slowly_hold_up_nobody(tmp_path):
    """One does not read at all and one a byte at a time, while another is served every time."""
    long = streamed(asks("long"), *[line("x" * 10_000)] * 2_000)
    short = whole(asks("short"))
    path = write(tmp_path / "a.yaml", [long, short])
    expected, answer = frame(long).whole, frame(short).whole

    async def scenario():
        async with started(path, *INSTANT) as (process, url), AsyncExitStack() as stack:
            deaf, slow, quick = await several(stack, url, 3)
            for client in (deaf, slow):
                client.reader._limit = 1  # asyncio would read ahead
                await ask(client, "long")
            received = b""
            for _ in range(200):
                received += await slow.reader.readexactly(1)
                await ask(quick, "short")
                assert await quick.reader.readexactly(len(answer)) == answer
            for client, begin in ((slow, received), (deaf, b"")):
                rest = await client.reader.readexactly(len(expected) - len(begin))
                assert begin + rest == expected
            return await ended(process)

    code, err = run(scenario())
    assert (code, "202 served" in err) == (0, True), err


@pytest.mark.skipif(sys.platform != "linux", reason="how much memory was used is asked of Linux")
@pytest.mark.parametrize("declared", [True, False])
def test_bodies_of_a_hundred_megabytes_are_refused_and_not_kept(tmp_path, declared):
    """Declared ones are never read; of others no more is read than a body may have."""
    path = write(tmp_path / "a.yaml", [whole(asks("short"))])
    size, piece = 100_000_000, bytes(1_000_000)
    head = b"POST /api/chat HTTP/1.1\r\nHost: localhost\r\n"
    head += b"Content-Length: %d" % size if declared else b"Transfer-Encoding: chunked"

    async def upload(client):
        await client.send(head + b"\r\n\r\n")
        for _ in range(size // len(piece)):
            await client.send(piece if declared else b"%x\r\n%b\r\n" % (len(piece), piece))

    async def refused(url):
        async with connection(parse_upstream(url)) as client:
            sending = asyncio.create_task(upload(client))
            try:
                found = await client.until(b"}")
                await asyncio.gather(sending, return_exceptions=True)
            finally:
                client.writer.transport.abort()  # whatever has not been sent
            return found

    async def scenario():
        async with started(path, *INSTANT) as (process, url):
            before = peak_bytes(process.pid)
            answers = [await refused(url) for _ in range(5)]
            return answers, peak_bytes(process.pid) - before, await ended(process)

    answers, grown_bytes, (code, err) = run(scenario())
    assert all(answer.startswith(b"HTTP/1.1 413 ") for answer in answers)
    assert grown_bytes < SPARE_BYTES + (0 if declared else 64 << 20)
    assert code == 0, err


def peak_bytes(pid):
    """Return the most memory that a process has had."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def test_a_signal_lets_streams_end_and_cuts_off_those_that_do_not(tmp_path):
    """Within the grace, which is five seconds; the process ends with its summary either way."""
    brief = streamed(asks("brief"), line("a"), last(), times=[0.0, 2.0])
    endless = streamed(asks("endless"), line("a"), last(), times=[0.0, 3600.0])
    path = write(tmp_path / "a.yaml", [brief, endless])

    async def scenario():
        async with started(path) as (process, url), AsyncExitStack() as stack:
            ending = await several(stack, url, STREAMS)
            staying = await several(stack, url, STREAMS)
            for client in staying:
                await ask(client, "endless")
            for client in ending:
                await ask(client, "brief")
            begun = [await client.until(b"}\n\r\n") for client in (*ending, *staying)]
            code, err = await ended(process)
            rests = [await client.reader.read() for client in (*ending, *staying)]
            received = [a + b for a, b in zip(begun, rests, strict=True)]
            return code, err, received[:STREAMS], received[STREAMS:]

    code, err, full, cut = run(scenario())
    assert code == 0, err
    assert full == [frame(brief).whole] * STREAMS
    assert {frame(endless).whole.startswith(text) for text in cut} == {True}
    assert not any(text.endswith(b"0\r\n\r\n") for text in cut)
    assert f"{STREAMS} answers were cut off" in err
    assert f"{2 * STREAMS} served from recordings" in err
