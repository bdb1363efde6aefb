"""What was not recorded is asked of a real server, and kept if that is wanted."""

import asyncio
import json

import pytest

from tests.proxy.harness import Upstream as Ollama
from tests.proxy.harness import ndjson, run, said
from tests.replay.server.harness import asks, line, streamed, visited, wired
from tonearm.model import Outcome
from tonearm.proxy.address import Address
from tonearm.replay.server.upstream import Upstream

ANSWER = ndjson(said("hel"), said("lo"), said("", done=True))


class Shelf:
    """Takes captures as the recorder's writer would."""

    def __init__(self):
        self.captures = []

    @property
    def exchanges(self):
        return [capture.exchange() for capture in self.captures]


def beyond(ollama, shelf=None):
    return Upstream(ollama.address, keep=shelf.captures.append if shelf else None)


def test_a_request_that_was_not_recorded_goes_on(tmp_path):
    async def scenario():
        async with Ollama() as ollama:
            source = beyond(ollama)
            async with visited(tmp_path, streamed(asks("a")), beyond=source) as (server, client):
                known = await client.post("/api/chat", json=asks("a"))
                new = await client.post("/api/chat", json=asks("b"), headers={"X-Own": "1"})
                tags = await client.get("/api/tags?x=%20y")
            await source.close()
        return known, new, tags, ollama.seen, server.source.ledger

    known, new, tags, seen, ledger = run(scenario())
    assert known.text.startswith(line("hel").decode())
    assert new.content == tags.content == ANSWER
    assert [(e.method, e.path) for e in seen] == [
        ("POST", "/api/chat"),
        ("GET", "/api/tags?x=%20y"),
    ]
    assert json.loads(seen[0].body) == asks("b")
    assert seen[0].headers["x-own"] == "1"
    assert (ledger.served, ledger.forwarded, len(ledger.misses)) == (1, 2, 1)
    assert ledger.misses[0].lines() == ["no recording for POST /api/chat: it was not recorded"]


def test_pieces_pass_as_they_come(tmp_path):
    """The second piece is sent only when the client has the first."""
    sent = asyncio.Event()

    async def slow(exchange):
        await exchange.start()
        await exchange.chunk(b"one\n")
        await sent.wait()
        await exchange.chunk(b"two\n")
        await exchange.end()

    async def scenario():
        shelf = Shelf()
        async with Ollama(slow) as ollama:
            source = beyond(ollama, shelf)
            async with wired(tmp_path, beyond=source) as (_, client):
                await client.post("/api/chat", json.dumps(asks("a")).encode(), host="localhost")
                first = await client.until(b"4\r\none\n\r\n")
                sent.set()
                rest = await client.until(b"0\r\n\r\n")
            await source.close()
        return first, rest, shelf.exchanges

    first, rest, (exchange,) = run(scenario())
    assert first.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n")
    assert rest == b"4\r\ntwo\n\r\n0\r\n\r\n"
    assert exchange.response.body == b"one\ntwo\n"
    assert [chunk.end for chunk in exchange.chunks] == [4, 8]
    assert exchange.outcome is Outcome.COMPLETE


def test_only_inference_is_kept(tmp_path):
    async def scenario():
        shelf = Shelf()
        async with Ollama() as ollama:
            source = beyond(ollama, shelf)
            async with visited(tmp_path, beyond=source) as (_, client):
                await client.get("/api/tags")
                await client.post("/api/chat", json=asks("a"))
            await source.close()
        return shelf.exchanges, ollama

    (exchange,), ollama = run(scenario())
    assert exchange.request.uri == f"{ollama.address.url}/api/chat"
    assert json.loads(exchange.request.body) == asks("a")
    assert exchange.response.body == ANSWER
    assert exchange.duration_s > 0


def test_a_server_that_is_down_is_said_and_recorded_as_such(tmp_path):
    async def scenario():
        shelf = Shelf()
        async with Ollama() as gone:
            pass
        source = beyond(gone, shelf)
        async with visited(tmp_path, beyond=source) as (_, client):
            answer = await client.post("/api/chat", json=asks("a"))
        await source.close()
        return answer, gone, shelf.exchanges

    answer, gone, (exchange,) = run(scenario())
    assert answer.status_code == 502
    assert answer.json()["error"].startswith(
        f"tonearm: cannot reach Ollama at {gone.address.url}: "
    )
    assert exchange.outcome is Outcome.UPSTREAM_ERROR
    assert exchange.response.body == answer.content


def test_a_server_that_dies_in_a_stream_is_seen_to(tmp_path):
    async def dies(exchange):
        await exchange.start()
        await exchange.chunk(b"one\n")
        exchange.close()

    async def scenario():
        shelf = Shelf()
        async with Ollama(dies) as ollama:
            source = beyond(ollama, shelf)
            async with wired(tmp_path, beyond=source) as (_, client):
                await client.post("/api/chat", json.dumps(asks("a")).encode(), host="localhost")
                received = await client.reader.read()
            await source.close()
        return received, shelf.exchanges

    received, (exchange,) = run(scenario())
    assert received.endswith(b"\r\n\r\n4\r\none\n\r\n")
    assert (exchange.outcome, exchange.response.body) == (Outcome.UPSTREAM_ABORTED, b"one\n")


def test_a_client_that_leaves_frees_the_server(tmp_path):
    gone = asyncio.Event()

    async def patient(exchange):
        await exchange.start()
        await exchange.chunk(b"one\n")
        await exchange.gone()
        gone.set()

    async def scenario():
        shelf = Shelf()
        async with Ollama(patient) as ollama:
            source = beyond(ollama, shelf)
            async with wired(tmp_path, beyond=source) as (server, client):
                await client.post("/api/chat", json.dumps(asks("a")).encode(), host="localhost")
                await client.until(b"one\n\r\n")
                await client.close()
                await gone.wait()
                await server.front.stop(30.0)
            await source.close()
        return shelf.exchanges

    (exchange,) = run(scenario())
    assert (exchange.outcome, exchange.response.body) == (Outcome.CLIENT_ABORTED, b"one\n")


@pytest.mark.parametrize("status", ["404 Not Found", "500 Internal Server Error"])
def test_errors_pass_as_they_are(tmp_path, status):
    async def fails(exchange):
        await exchange.answer(b'{"error":"no"}', status=status)

    async def scenario():
        async with Ollama(fails) as ollama:
            source = beyond(ollama)
            async with visited(tmp_path, beyond=source) as (_, client):
                answer = await client.post("/api/chat", json=asks("a"))
            await source.close()
        return answer

    answer = run(scenario())
    assert f"{answer.status_code} {answer.reason_phrase}" == status
    assert answer.json() == {"error": "no"}


def test_a_body_that_ends_with_the_connection_ends_so_for_the_client_too(tmp_path):
    async def old(exchange):
        exchange.writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nbody")
        exchange.close()

    async def scenario():
        async with Ollama(old) as ollama:
            source = beyond(ollama)
            async with wired(tmp_path, beyond=source) as (_, client):
                await client.post("/api/chat", json.dumps(asks("a")).encode(), host="localhost")
                received = await client.reader.read()
            await source.close()
        return received

    assert run(scenario()) == b"HTTP/1.1 200 OK\r\n\r\nbody"


def test_nobody_is_asked_before_a_request_needs_it(tmp_path):
    async def scenario():
        source = Upstream(Address(host="127.0.0.1", port=1))
        async with visited(tmp_path, streamed(asks("a")), beyond=source) as (_, client):
            answer = await client.post("/api/chat", json=asks("a"))
        await source.close()
        return answer

    assert run(scenario()).status_code == 200
