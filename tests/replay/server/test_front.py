"""The server on the wire: bytes over a socket, no HTTP library in between."""

import asyncio
import json
import re
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.proxy.harness import LIMIT_S, Upstream, connection, recording, run
from tests.replay.server.harness import (
    ANYWHERE,
    asks,
    last,
    line,
    serving,
    streamed,
    whole,
    wired,
)
from tonearm.errors import UsageError
from tonearm.model import Outcome
from tonearm.replay.server.framing import frame
from tonearm.replay.server.front import Front
from tonearm.replay.server.playback import Pace

CHAT = json.dumps(asks("hi")).encode()


def post(body=CHAT, path="/api/chat", *fields, version="1.1"):
    """Return the bytes of a request."""
    lines = [f"POST {path} HTTP/{version}", "Host: 127.0.0.1", *fields]
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def get(path, *fields, method="GET"):
    """Return the bytes of a request without a body."""
    lines = [f"{method} {path} HTTP/1.1"]
    if not any(field.startswith("Host:") for field in fields):
        lines.append("Host: 127.0.0.1")
    return "\r\n".join([*lines, *fields, "", ""]).encode()


async def response(client):
    """Return status, fields and body of a response that has a length."""
    head = (await client.until(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    fields = [tuple(text.split(": ", 1)) for text in lines]
    length = int(dict(fields).get("Content-Length", 0))
    return int(first.split(" ")[1]), fields, await client.reader.readexactly(length)


async def asked(server, *requests):
    """Send requests on one connection and return the responses, which have a length."""
    async with connection(server.address) as client:
        found = []
        for request in requests:
            await client.send(request)
            found.append(await response(client))
        return found


def test_a_recording_goes_out_byte_by_byte_as_it_came_in(tmp_path):
    """Cut anywhere, in the middle of a character too, and on one connection after another."""
    odd = line("\u0085 \u2028 \x7f ünï 🎬")
    exchange = streamed(asks("hi"), odd[:-7], odd[-7:], last())
    expected = frame(exchange).whole

    async def scenario():
        async with wired(tmp_path, exchange) as (_, client):
            for _ in range(3):
                await client.send(post())
                assert await client.reader.readexactly(len(expected)) == expected

    run(scenario())
    assert expected.count(b"\r\n\r\n") == 2


async def good(exchange):
    """Answer as a model that greets."""
    await exchange.answer(line("a"), last())


async def failing(exchange):
    """Answer as a model that fails when it has begun."""
    await exchange.answer(line("a"), b'{"error":"engine died"}\n')


async def refusing(exchange):
    """Answer as a server that is busy."""
    await exchange.answer(b'{"error":"busy"}', status="503 Service Unavailable")


async def dying(exchange):
    """Hang up in the middle of a line."""
    await exchange.start()
    await exchange.chunk(line("a"))
    await exchange.chunk(line("b")[:9])
    exchange.close()


@pytest.mark.parametrize("answer", [good, failing, refusing, dying])
def test_what_a_client_saw_through_the_recorder_it_sees_again(tmp_path, answer):
    """To the byte at which the connection ends."""

    async def seen(address):
        async with connection(address) as client:
            await client.send(post(CHAT, "/api/chat", "Connection: close"))
            return await client.reader.read()

    async def scenario():
        async with Upstream(answer) as ollama, recording(ollama.address) as rec:
            first = await seen(rec.address)
            exchange = (await rec.captures.get()).exchange()
        async with serving(tmp_path, exchange) as server:
            return first, await seen(server.address)

    first, again = run(scenario())
    assert again == first
    assert first.endswith(b"0\r\n\r\n") == (answer is not dying)


def test_pipelined_requests_are_answered_in_order(tmp_path):
    first, second = whole(asks("a", stream=False)), streamed(asks("b"))
    expected = frame(first).whole + frame(second).whole
    bodies = [json.dumps(body).encode() for body in (asks("a", stream=False), asks("b"))]

    async def scenario():
        async with wired(tmp_path, first, second) as (_, client):
            await client.send(b"".join(map(post, bodies)))
            return await client.reader.readexactly(len(expected))

    assert run(scenario()) == expected


def test_a_recorded_cut_closes_the_connection_at_the_same_byte(tmp_path):
    exchange = streamed(asks("hi"), line("a"), line("b")[:5], outcome=Outcome.UPSTREAM_ABORTED)

    async def scenario():
        async with wired(tmp_path, exchange) as (_, client):
            await client.send(post())
            return await client.reader.read()

    assert run(scenario()) == frame(exchange).whole


def test_a_stream_in_recorded_rhythm_comes_piece_by_piece(tmp_path):
    """A piece is there before the next one is due, which the test decides."""
    exchange = streamed(asks("hi"), line("a"), last(), times=[1.0, 2.0])
    gates = [asyncio.Event(), asyncio.Event()]
    waiting = iter(gates)
    whole_, marks = frame(exchange).whole, frame(exchange).marks

    async def sleep(seconds):
        await next(waiting).wait()

    async def scenario():
        pace = Pace(speed=1.0, clock=lambda: 0.0, sleep=sleep)
        async with wired(tmp_path, exchange, pace=pace) as (_, client):
            await client.send(post())
            gates[0].set()
            first = await client.reader.readexactly(marks[0][0])
            gates[1].set()
            return first + await client.reader.readexactly(len(whole_) - len(first))

    assert run(scenario()) == whole_


def test_a_body_in_chunks_is_read_like_any_other(tmp_path):
    request = (
        b"POST /api/chat HTTP/1.1\r\nHost: x.local\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in (CHAT[:7], CHAT[7:], b""))
    )
    exchange = whole(asks("hi"))

    async def scenario():
        async with serving(tmp_path, exchange) as server:
            return await asked(server, request, request)

    assert [(s, b) for s, _, b in run(scenario())] == [(200, exchange.response.body)] * 2


def test_a_client_that_waits_for_leave_to_send_gets_it(tmp_path):
    """curl waits before it sends a large body."""

    async def scenario():
        async with wired(tmp_path, whole(asks("hi"))) as (_, client):
            request = post(CHAT, "/api/chat", "Expect: 100-continue")
            await client.send(request[: -len(CHAT)])
            leave = await client.until(b"\r\n\r\n")
            await client.send(CHAT)
            return leave, await response(client)

    leave, (status, _, _) = run(scenario())
    assert leave == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert status == 200


def test_an_old_client_gets_a_length_and_the_end(tmp_path):
    exchange = streamed(asks("hi"))

    async def scenario():
        async with wired(tmp_path, exchange) as (_, client):
            await client.send(post(version="1.0"))
            return await client.reader.read()

    head, body = run(scenario()).split(b"\r\n\r\n", 1)
    assert body == exchange.response.body
    assert b"chunked" not in head


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_over_the_limit_is_refused(tmp_path, declared):
    """The client gets the answer although it is still sending, and the server stays."""
    limit = 1 << 20
    big = bytes(limit + 100_000)
    head = post(big)[: -len(big)]
    if not declared:
        head = re.sub(rb"Content-Length: \d+", b"Transfer-Encoding: chunked", head)
        big = b"%x\r\n%b\r\n0\r\n\r\n" % (len(big), big)

    async def scenario():
        async with wired(tmp_path, whole(asks("hi")), limit_bytes=limit) as (server, client):
            sending = asyncio.create_task(client.send(head + big))
            found = await response(client)
            await sending
            return found, await asked(server, post())

    (status, _, body), ((after, _, _),) = run(scenario())
    assert (status, after) == (413, 200)
    assert json.loads(body) == {"error": "tonearm: the request body is over 1 MiB"}


def test_a_declared_body_over_the_limit_is_refused_before_it_comes(tmp_path):
    """100 MB are refused while not one byte of them has been sent, or kept."""
    head = post(b"").replace(b"Content-Length: 0", b"Content-Length: 100000000")

    async def scenario():
        async with wired(tmp_path, whole(asks("hi"))) as (_, client):
            await client.send(head)
            return await response(client)

    assert run(scenario())[0] == 413


def test_a_slow_reader_does_not_hold_up_others(tmp_path):
    """20 MB wait for a client that reads nothing; another one is served meanwhile."""
    big, small = streamed(asks("big"), *[line("x" * 10_000)] * 2_000), whole(asks("hi"))
    expected = frame(big).whole

    async def scenario():
        async with wired(tmp_path, big, small) as (server, slow):
            await slow.send(post(json.dumps(asks("big")).encode()))
            head = await slow.until(b"\r\n\r\n")
            found = await asked(server, *[post()] * 20)
            assert server.front.busy == 1
            return found, head + await slow.reader.readexactly(len(expected) - len(head))

    found, received = run(scenario())
    assert [status for status, _, _ in found] == [200] * 20
    assert received == expected


def test_a_client_that_leaves_ends_its_answer(tmp_path):
    """Nothing goes on playing to nobody."""
    exchange = streamed(asks("hi"), line("a"), last(), times=[0.0, 3600.0])

    async def scenario():
        async with wired(tmp_path, exchange, pace=Pace(speed=1.0)) as (server, client):
            await client.send(post())
            await client.until(b"}\n\r\n")
            assert server.front.busy == 1
            await client.close()
            return await server.front.stop(LIMIT_S)

    assert run(scenario()) == 0


def test_a_source_that_fails_is_an_error_and_not_the_end(caplog):
    class Broken:
        async def answer(self, request):
            raise ValueError("secret prompt")

    async def scenario():
        front = Front(Broken())
        server = type("Server", (), {"address": await front.start(ANYWHERE)})
        found = await asked(server, post(), post())
        await front.stop(0.0)
        return found

    found = run(scenario())
    assert [status for status, _, _ in found] == [500, 500]
    assert json.loads(found[0][2])["error"].startswith("tonearm: this request made the server fail")
    assert "POST /api/chat failed" in caplog.text


def test_what_is_no_http_is_refused_and_not_logged(tmp_path, caplog):
    """The rest of a body that was given a wrong length is somebody's prompt."""

    async def scenario():
        async with wired(tmp_path, whole(asks("hi"))) as (_, client):
            await client.send(post())
            await response(client)
            await client.send(b"my secret\r\n\r\n")
            return await client.reader.read()

    assert b" 400 " in run(scenario())
    assert "this is no HTTP" in caplog.text
    assert "secret" not in caplog.text


def test_another_protocol_is_refused(tmp_path):
    async def scenario():
        async with wired(tmp_path, whole(asks("hi"))) as (server, client):
            await client.send(b"\x16\x03\x01 hello\r\n\r\n")
            refusal = await client.reader.read()
            return refusal, await asked(server, post())

    refusal, ((after, _, _),) = run(scenario())
    assert refusal.startswith(b"HTTP/1.0 400 ") or refusal.startswith(b"HTTP/1.1 400 ")
    assert after == 200


@asynccontextmanager
async def under_way(folder: Path):
    """Yield a server and a client to which a stream is played that has an hour to go."""
    exchange = streamed(asks("hi"), line("a"), last(), times=[0.0, 3600.0])
    async with wired(folder, exchange, pace=Pace(speed=1.0)) as (server, client):
        await client.send(post())
        await client.until(b"}\n\r\n")
        yield server, client


def test_a_stop_cuts_off_what_does_not_finish_in_time(tmp_path):
    async def scenario():
        async with under_way(tmp_path) as (server, client):
            broken = await server.front.stop(0.0)
            return broken, await client.reader.read()

    assert run(scenario()) == (1, b"")


def test_a_second_signal_does_not_wait_for_the_grace_to_end(tmp_path):
    async def scenario():
        async with under_way(tmp_path) as (server, _):
            cut = asyncio.Event()
            stopping = asyncio.create_task(server.front.stop(3600.0, cut))
            cut.set()
            return await stopping

    assert run(scenario()) == 1


def test_a_stop_waits_for_answers_under_way_and_takes_no_more(tmp_path):
    gate = asyncio.Event()
    exchange = streamed(asks("hi"), line("a"), last(), times=[0.0, 1.0])

    async def sleep(seconds):
        await gate.wait()

    async def scenario():
        pace = Pace(speed=1.0, clock=lambda: 0.0, sleep=sleep)
        async with wired(tmp_path, exchange, pace=pace) as (server, client):
            await client.send(post())
            first = await client.until(b"}\n\r\n")
            stopping = asyncio.create_task(server.front.stop(30.0))
            await asyncio.sleep(0)
            with pytest.raises(OSError, match=r"."):
                await asyncio.open_connection(server.address.host, server.address.port)
            gate.set()
            return await stopping, first + await client.reader.read()

    assert run(scenario()) == (0, frame(exchange).whole)


def test_a_port_that_is_taken_is_named(tmp_path):
    async def scenario():
        async with serving(tmp_path, whole(asks("hi"))) as server:
            with pytest.raises(UsageError, match=str(server.address.port)):
                await Front(server.source).start(server.address)

    run(scenario())
