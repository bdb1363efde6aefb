"""The short way: the very bytes in both directions, and mitmproxy for what is not plain.

What clients, the server and the recorder see of either way is tested in ``test_launch``.
"""

import asyncio
import random
from contextlib import suppress

import pytest

from tests.proxy.harness import LIMIT_S, Upstream, connection, recording, run, true
from tonearm.model import Outcome
from tonearm.proxy.entrance import Entrance

PLAIN = b"POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


@pytest.fixture
def handed_over(monkeypatch):
    """What was handed to mitmproxy."""
    found = []
    real = Entrance._hand_over

    def watch(self, transport, data):
        found.append(data)
        real(self, transport, data)

    monkeypatch.setattr(Entrance, "_hand_over", watch)
    return found


class Bytes(Upstream):
    """A server that reads one request of known length and answers with bytes as they are."""

    def __init__(self, *portions, close=True):
        super().__init__()
        self.portions = portions
        self.close = close
        self.got = b""

    async def _serve(self, reader, writer):
        self._clients.append(writer)
        self.got = await reader.read(65536)
        for portion in self.portions:
            writer.write(portion)
            await writer.drain()
        if self.close:
            writer.close()


async def told(address, request):
    """Return all that a server answers before it closes the connection."""
    async with connection(address) as client:
        await client.send(request)
        return await client.reader.read()


ODD = (
    b"POST /api/chat HTTP/1.1\r\nhOST:   x\r\nX-Twice: 1\r\nx-twice: 2 \r\n"
    b"Content-Length: 2\r\n\r\n{}"
)
HEAD = b"HTTP/1.1 200 Fine\r\ncontent-TYPE:application/x-ndjson\r\nX:  spaced \r\n"
CLOSE = b"Connection: close\r\n"


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (CLOSE + b"content-length: 3\r\n\r\nabc", b"abc"),
        (
            CLOSE + b"Transfer-Encoding: chunked\r\n\r\n3;note=1\r\nabc\r\n00\r\nT: 1\r\n\r\n",
            b"abc",
        ),
        (b"\r\nuntil the end", b"until the end"),
    ],
)
@pytest.mark.parametrize("step", [1, 7, 4096])
def test_every_byte_is_what_it_was(handed_over, answer, body, step):
    """However odd and however it is cut; mitmproxy would write the heads anew."""
    whole = HEAD + answer
    portions = [whole[at : at + step] for at in range(0, len(whole), step)]

    async def scenario():
        async with Bytes(*portions) as upstream, recording(upstream.address) as rec:
            assert await told(rec.address, ODD) == whole
            assert upstream.got == ODD
            return (await rec.captures.get()).exchange()

    exchange = run(scenario())
    assert exchange.outcome is Outcome.COMPLETE
    assert exchange.response.body == body
    assert (exchange.request.body, exchange.response.reason) == (b"{}", "Fine")
    assert handed_over == []


def test_an_answer_cut_anywhere_arrives_whole_and_in_order():
    chance = random.Random(3)
    bodies = [
        [chance.randbytes(chance.choice([1, 9, 200, 70_000])) for _ in range(chance.randint(1, 20))]
        for _ in range(30)
    ]

    async def answer(exchange):
        await exchange.start()
        for piece in bodies[int(exchange.body)]:
            data = b"%x\r\n%s\r\n" % (len(piece), piece)
            cut = chance.randint(1, len(data)) if chance.random() < 0.3 else len(data)
            for part in (data[:cut], data[cut:]):
                exchange.writer.write(part)
                await exchange.writer.drain()
                for _ in range(chance.randint(0, 8)):
                    await asyncio.sleep(0)  # let the recorder read, or not
        await exchange.end()

    async def scenario():
        async with Upstream(answer) as upstream, recording(upstream.address) as rec:
            for n, pieces in enumerate(bodies):
                response = await rec.client.post("/api/chat", content=b"%d" % n)
                assert response.content == b"".join(pieces)
                exchange = (await rec.captures.get()).exchange()
                assert exchange.response.body == response.content
                assert exchange.chunks[-1].end == len(response.content)
            assert upstream.connections == 1

    run(scenario())


@pytest.mark.parametrize(
    ("first", "rest"),
    [
        (b"POST /api/chat HTTP/1.1\r\nHost: x\r\n", b"Content-Length: 2\r\n\r\n{}"),
        (PLAIN.replace(b"\r\n", b"\n"), b""),
        (PLAIN.replace(b"Host: x", b"Host: x\r\nExpect: 100-continue"), b""),
        (PLAIN.replace(b"Host: x", b"Host: x\r\nUpgrade: nothing"), b""),
        (PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"), b""),
    ],
    ids=["a head in parts", "no carriage return", "expect", "upgrade", "an old version"],
)
def test_what_is_not_plain_is_handed_to_mitmproxy_and_recorded_all_the_same(
    handed_over, first, rest
):
    async def scenario():
        async with (
            Upstream() as upstream,
            recording(upstream.address) as rec,
            connection(rec.address) as client,
        ):
            await client.send(first)
            await true(lambda: handed_over)
            await client.send(rest)
            await client.until(b"0\r\n\r\n")
            return (await rec.captures.get()).exchange()

    exchange = run(scenario())
    assert exchange.request.body == b"{}"
    assert exchange.response.body.count(b"\n") == 3
    assert handed_over == [first]


def test_a_connection_is_handed_over_in_the_middle_of_its_life(handed_over):
    odd = PLAIN.replace(b"Host: x", b"Host: x\r\nExpect: 100-continue")

    async def scenario():
        async with (
            Upstream() as upstream,
            recording(upstream.address) as rec,
            connection(rec.address) as client,
        ):
            for request in (PLAIN, odd, PLAIN):
                await client.send(request)
                await client.until(b"0\r\n\r\n")
                await rec.captures.get()
            assert len(rec.proxy._clients()) == 1

    run(scenario())
    assert handed_over == [odd]


def test_requests_sent_ahead_are_answered_in_turn(handed_over):
    async def answer(exchange):
        await exchange.answer(exchange.body)

    requests = [PLAIN.replace(b"{}", b"%02d" % n) for n in range(20)]

    async def scenario():
        async with (
            Upstream(answer) as upstream,
            recording(upstream.address) as rec,
            connection(rec.address) as client,
        ):
            await client.send(b"".join(requests[:7]))
            await client.until(b"\r\n\r\n")
            await client.send(b"".join(requests[7:]))
            for n in range(20):
                await client.until(b"2\r\n%02d\r\n0\r\n\r\n" % n)
                assert (await rec.captures.get()).exchange().request.body == b"%02d" % n

    run(scenario())
    assert handed_over == []


def test_what_a_client_has_sent_ahead_is_forgotten_when_it_goes(handed_over):
    """The next request would begin, or be handed over, on a connection that has ended."""

    async def scenario():
        async with (
            Upstream() as upstream,
            recording(upstream.address) as rec,
            connection(rec.address) as client,
        ):
            await client.send(PLAIN)
            await client.until(b"0\r\n\r\n")
            (relay,) = rec.proxy._entrance.relays.values()
            relay.close()
            for ahead in (PLAIN, PLAIN[:9]):
                relay._early = ahead
                relay._begin()
            await true(lambda: not rec.proxy._clients())
            return len(upstream.seen)

    assert run(scenario()) == 1
    assert handed_over == []


def test_a_client_that_reads_slowly_slows_the_server():
    """What was sent is not collected in the recorder."""
    piece = bytes(100_000)

    async def scenario():
        async def answer(exchange):
            await exchange.start()
            for _ in range(300):
                await exchange.chunk(piece)
            await exchange.end()

        async with (
            Upstream(answer) as upstream,
            recording(upstream.address) as rec,
            connection(rec.address) as client,
        ):
            client.writer.transport.pause_reading()
            await client.post("/api/chat")
            await true(lambda: upstream.seen)
            (relay,) = rec.proxy._entrance.relays.values()
            await true(lambda: not relay._server._transport.is_reading())
            assert relay._transport.get_write_buffer_size() < 1_000_000
            client.writer.transport.resume_reading()
            for _ in range(300):
                await client.reader.readuntil(b"186a0\r\n")
                await client.reader.readexactly(len(piece) + 2)
            await client.until(b"0\r\n\r\n")
            exchange = (await rec.captures.get()).exchange()
            assert exchange.response.body == piece * 300

    run(scenario())


def test_a_server_that_reads_slowly_slows_the_client():
    size = 30_000_000

    async def scenario():
        go = asyncio.Event()

        async def answer(exchange):
            await go.wait()
            exchange.body = await exchange.reader.readexactly(size)
            await exchange.answer(b"ok")

        async with (
            Upstream(answer, read_body=False) as upstream,
            recording(upstream.address) as rec,
            connection(rec.address) as client,
        ):
            sending = asyncio.create_task(client.post("/api/chat", bytes(size)))
            await true(lambda: upstream.seen)
            (relay,) = rec.proxy._entrance.relays.values()
            await true(lambda: not relay._transport.is_reading())
            go.set()
            await sending
            await client.until(b"0\r\n\r\n")
            assert len((await rec.captures.get()).exchange().request.body) == size

    run(scenario())


def test_an_answer_before_the_end_of_the_request_passes_and_is_recorded_as_that():
    async def scenario():
        async def answer(exchange):
            await exchange.answer(b"too long", status="413 Too Long")
            await exchange.reader.readexactly(200_000)

        async with (
            Upstream(answer, read_body=False) as upstream,
            recording(upstream.address) as rec,
            connection(rec.address) as client,
        ):
            head = PLAIN.replace(b"2\r\n\r\n{}", b"200000\r\n\r\n")
            await client.send(head)
            assert b"413 Too Long" in await client.until(b"0\r\n\r\n")
            exchange = (await rec.captures.get()).exchange()
            await client.send(bytes(200_000))
            await client.send(PLAIN.replace(b"{}", b"xy"))
            await client.until(b"0\r\n\r\n")
            return exchange, upstream.connections

    exchange, connections = run(scenario())
    assert (exchange.outcome, exchange.response.body) == (Outcome.TRUNCATED, b"too long")
    assert connections == 1


@pytest.mark.parametrize(
    "garbage",
    [b"hello\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", b"\r\n\r\n", b"HTTP/1.1 2"],
)
def test_what_is_no_answer_is_named_to_the_client(garbage):
    async def scenario():
        async with Bytes(garbage) as upstream, recording(upstream.address) as rec:
            answer = await told(rec.address, PLAIN)
            return answer, (await rec.captures.get()).exchange()

    answer, exchange = run(scenario())
    assert answer.startswith(b"HTTP/1.1 502 ")
    assert b"tonearm: no answer from Ollama" in answer
    assert exchange.outcome is Outcome.UPSTREAM_ERROR
    assert exchange.response.body == answer.partition(b"\r\n\r\n")[2]


def test_chunks_that_are_none_break_the_answer_off():
    bad = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nno chunk\r\n"

    async def scenario():
        async with Bytes(bad, close=False) as upstream, recording(upstream.address) as rec:
            assert await told(rec.address, PLAIN) == bad
            return (await rec.captures.get()).exchange()

    exchange = run(scenario())
    assert exchange.outcome is Outcome.UPSTREAM_ABORTED
    assert exchange.response.body == b"abc"
    assert "illegal chunk header" in exchange.error


def test_a_note_before_the_answer_passes_too():
    note = b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"

    async def scenario():
        async with Bytes(note[:5], note[5:] + answer) as up, recording(up.address) as rec:
            assert await told(rec.address, PLAIN) == note + answer
            return (await rec.captures.get()).exchange()

    assert run(scenario()).response.status == 204


def test_more_than_was_asked_for_ends_the_connection():
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}and more"

    async def scenario():
        async with Bytes(answer, close=False) as upstream, recording(upstream.address) as rec:
            assert await told(rec.address, PLAIN) == answer
            return (await rec.captures.get()).exchange()

    assert run(scenario()).response.body == b"{}"


def test_a_head_request_has_no_body_whatever_its_length_says():
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n"

    async def scenario():
        async with (
            Bytes(answer, close=False) as upstream,
            recording(upstream.address) as rec,
            connection(rec.address) as client,
        ):
            await client.send(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await client.until(b"\r\n\r\n") == answer
            return rec.recorder.busy_clients(), rec.tally.passed

    assert run(scenario()) == (set(), 1)


def test_a_server_that_closed_its_connection_is_connected_to_again():
    async def scenario():
        async def answer(exchange):
            await exchange.answer(b"{}")
            exchange.close()

        async with Upstream(answer) as upstream, recording(upstream.address) as rec:
            for n in range(1, 4):
                assert (await rec.client.post("/api/chat", content=b"{}")).content == b"{}"
                assert upstream.connections == n
                (relay,) = rec.proxy._entrance.relays.values()
                await true(lambda relay=relay: relay._server is None)

    run(scenario())


def test_a_client_that_wants_no_more_is_let_go():
    async def scenario():
        async with Upstream() as upstream, recording(upstream.address) as rec:
            asked = PLAIN.replace(b"Host: x", b"Host: x\r\nConnection: close")
            answer = await told(rec.address, asked)
            assert answer.endswith(b"0\r\n\r\n")
            await upstream.seen[0].gone()
            assert rec.proxy._entrance.relays == {}

    run(scenario())


def test_a_client_that_goes_before_there_is_a_connection_leaves_none(monkeypatch):
    async def scenario():
        async with Upstream() as upstream, recording(upstream.address) as rec:
            loop = asyncio.get_running_loop()
            begun, real = asyncio.Event(), loop.create_connection

            async def never(*args, **named):
                begun.set()
                await asyncio.sleep(LIMIT_S)

            async with connection(rec.address) as client:
                monkeypatch.setattr(loop, "create_connection", never)
                await client.post("/api/chat")
                await begun.wait()
                monkeypatch.setattr(loop, "create_connection", real)
                (relay,) = rec.proxy._entrance.relays.values()
                relay.close()
                exchange = (await rec.captures.get()).exchange()
            assert exchange.outcome is Outcome.CLIENT_ABORTED
            assert relay._connecting.cancelling()
            assert upstream.connections == 0

    run(scenario())


def test_after_a_storm_of_requests_cut_anywhere_nothing_is_left():
    """Clients and the server break off where chance says; every connection and flow ends."""
    chance = random.Random(7)

    async def answer(exchange):
        await exchange.start()
        for _ in range(chance.randint(0, 6)):
            await exchange.chunk(bytes(chance.choice([1, 50, 5000])))
            if chance.random() < 0.1:
                exchange.close()
                return
        await exchange.end()

    async def visit(address):
        async with connection(address) as client:
            for _ in range(chance.randint(1, 4)):
                body = bytes(chance.choice([0, 2, 3000, 100_000]))
                request = PLAIN.replace(b"2\r\n\r\n{}", b"%d\r\n\r\n%s" % (len(body), body))
                request *= chance.choice([1, 1, 1, 2])
                cut = chance.random() < 0.3
                await client.send(request[: chance.randint(1, len(request))] if cut else request)
                if cut:
                    for _ in range(chance.randint(0, 30)):
                        await asyncio.sleep(0)
                    break
                await client.until(b"0\r\n\r\n")
            if chance.random() < 0.5:
                client.writer.transport.abort()

    async def visits(address):
        for _ in range(20):
            with suppress(OSError, asyncio.IncompleteReadError):
                await visit(address)

    async def scenario():
        async with Upstream(answer) as upstream, recording(upstream.address) as rec:
            await asyncio.gather(*(visits(rec.address) for _ in range(10)))
            await true(lambda: not rec.proxy._clients())
            assert rec.recorder.busy_clients() == set()
            assert rec.recorder._open == {}
            assert not rec.tally.lost
            return set(rec.tally.outcomes)

    assert {Outcome.COMPLETE, Outcome.CLIENT_ABORTED, Outcome.UPSTREAM_ABORTED} <= run(scenario())
