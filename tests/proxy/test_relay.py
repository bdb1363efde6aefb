"""The short way for whole chunks: same bytes, same order, same record as by the long way."""

import asyncio
import random

import pytest

from tests.proxy.harness import Upstream, connection, recording, run
from tonearm.proxy import relay
from tonearm.proxy.relay import payloads


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"3\r\nabc\r\n", [b"abc"]),
        (b"3\r\nabc\r\n1\r\nd\r\n", [b"abc", b"d"]),
        (b"A\r\n0123456789\r\n", [b"0123456789"]),
        (b"2\r\n\r\n\r\n", [b"\r\n"]),
        (b"", []),
        (b"0\r\n\r\n", None),
        (b"3\r\nabc\r\n0\r\n\r\n", None),
        (b"3\r\nab", None),
        (b"3\r\nabc\r", None),
        (b"3\r\nabcd\r\n", None),
        (b"3;x=y\r\nabc\r\n", None),
        (b"-3\r\nabc\r\n", None),
        (b"+3\r\nabc\r\n", None),
        (b" 3\r\nabc\r\n", None),
        (b"\r\nabc\r\n", None),
        (b"00000000003\r\nabc\r\n", None),
    ],
)
def test_only_whole_chunks_of_a_body_take_the_short_way(data, found):
    assert payloads(data) == found


def test_what_is_no_number_takes_the_long_way():
    with pytest.raises(ValueError, match="invalid literal"):
        payloads(b"xyz\r\nabc\r\n")


@pytest.fixture
def taken(monkeypatch):
    """Which pieces took the short way."""
    found = []
    real = relay.Relay._relay

    def watch(self, stream, data):
        short = real(self, stream, data)
        found.append(short)
        return short

    monkeypatch.setattr(relay.Relay, "_relay", watch)
    return found


def test_an_answer_cut_anywhere_arrives_whole_and_in_order(taken):
    """Some writes end with a chunk and some within one, so both ways take turns."""
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

    run(scenario())
    assert True in taken
    assert False in taken


def test_pieces_that_come_one_by_one_take_the_short_way(taken):
    async def scenario():
        had = asyncio.Event()

        async def answer(exchange):
            await exchange.start()
            for n in range(20):
                await exchange.chunk(b"piece %02d" % n)
                await had.wait()
                had.clear()
            await exchange.end()

        async with (
            Upstream(answer) as upstream,
            recording(upstream.address) as rec,
            connection(rec.address) as client,
        ):
            await client.post("/api/chat")
            for n in range(20):
                await client.until(b"piece %02d" % n)
                had.set()
            await client.until(b"0\r\n\r\n")
            return (await rec.captures.get()).exchange()

    exchange = run(scenario())
    assert exchange.response.body == b"".join(b"piece %02d" % n for n in range(20))
    assert len(exchange.chunks) == 20
    assert taken.count(True) >= 19


@pytest.mark.parametrize("fault", [ValueError, AttributeError, MemoryError])
def test_a_fault_on_the_short_way_leaves_the_long_one(monkeypatch, fault):
    def fail(self, stream):
        raise fault

    monkeypatch.setattr(relay.Relay, "_idle", fail)

    async def scenario():
        async with Upstream() as upstream, recording(upstream.address) as rec:
            response = await rec.client.post("/api/chat", content=b"{}")
            assert response.content.count(b"\n") == 3

    run(scenario())
