"""The running proxy: what clients and Ollama see of it, and what it captures.

Order is shown by events: where a test says "before", one side waits for the other.
"""

import asyncio
import time

import httpx
import pytest

from tests.proxy import harness
from tests.proxy.harness import CHAT, LIMIT_S, Upstream, connection, ndjson, recording, run, said
from tonearm.errors import CaptureError
from tonearm.model import Outcome
from tonearm.proxy.addon import Recorder
from tonearm.proxy.address import Address, parse_listen
from tonearm.proxy.launch import Proxy
from tonearm.proxy.tally import Tally


@pytest.fixture(autouse=True, params=[True, False], ids=["relay", "mitmproxy"])
def way(request, monkeypatch):
    """Which way the traffic takes must make no difference."""
    monkeypatch.setattr(harness, "RELAYING", request.param)


async def exchange_of(rec):
    return (await rec.captures.get()).exchange()


def test_a_streamed_answer_reaches_the_client_piece_by_piece():
    """The server sends the second line only after the client has had the first."""

    async def scenario():
        had_first = asyncio.Event()

        async def answer(exchange):
            await exchange.start()
            await exchange.chunk(ndjson(said("first")))
            await had_first.wait()
            await exchange.chunk(ndjson(said("", done=True)))
            await exchange.end()

        async with Upstream(answer) as upstream, recording(upstream.address) as rec:
            lines = []
            async with rec.client.stream("POST", "/api/chat", json=CHAT) as response:
                async for line in response.aiter_lines():
                    lines.append(line)
                    had_first.set()
            assert len(lines) == 2
            exchange = await exchange_of(rec)

        assert exchange.outcome is Outcome.COMPLETE
        assert exchange.response.body == ndjson(said("first"), said("", done=True))
        assert len(exchange.chunks) == 2
        assert exchange.chunks[0].at_s <= exchange.chunks[1].at_s <= exchange.duration_s

    run(scenario())


@pytest.mark.parametrize("path", ["/api/pull", "/api/tags"])
def test_what_is_not_recorded_streams_too(path):
    async def scenario():
        had_first = asyncio.Event()

        async def answer(exchange):
            await exchange.start()
            await exchange.chunk(b'{"status": "pulling"}\n')
            await had_first.wait()
            await exchange.end()

        async with Upstream(answer) as upstream, recording(upstream.address) as rec:
            async with rec.client.stream("POST", path, json={}) as response:
                async for _ in response.aiter_lines():
                    had_first.set()
            assert rec.captures.empty()
            assert rec.tally.passed == 1

    run(scenario())


def test_an_upload_streams_to_the_server():
    """The client sends the rest of the blob only after the server has had its beginning."""

    async def scenario():
        had_first = asyncio.Event()

        async def answer(exchange):
            assert await exchange.reader.readuntil(b"first") == b"5\r\nfirst"
            had_first.set()
            await exchange.reader.readuntil(b"0\r\n\r\n")
            await exchange.answer(status="201 Created")

        async def blob():
            yield b"first"
            await had_first.wait()
            yield b"second"

        async with (
            Upstream(answer, read_body=False) as upstream,
            recording(upstream.address) as rec,
        ):
            response = await rec.client.post("/api/blobs/sha256:00", content=blob())
            assert response.status_code == 201
            assert rec.captures.empty()

    run(scenario())


def test_a_client_that_goes_away_frees_the_server_and_is_recorded_as_that():
    async def scenario():
        released = asyncio.Event()

        async def answer(exchange):
            await exchange.start()
            await exchange.chunk(ndjson(said("partial")))
            await exchange.gone()
            released.set()

        async with (
            Upstream(answer) as upstream,
            recording(upstream.address) as rec,
            connection(rec.address) as client,
        ):
            await client.post("/api/chat")
            await client.until(b"partial")
            await client.close()
            await released.wait()
            exchange = await exchange_of(rec)

        assert exchange.outcome is Outcome.CLIENT_ABORTED
        assert exchange.response.body == ndjson(said("partial"))
        assert exchange.error

    run(scenario())


def test_a_client_that_goes_away_before_the_answer_has_status_499():
    async def scenario():
        asked, released = asyncio.Event(), asyncio.Event()

        async def answer(exchange):
            asked.set()
            await exchange.gone()
            released.set()

        async with (
            Upstream(answer) as upstream,
            recording(upstream.address) as rec,
            connection(rec.address) as client,
        ):
            await client.post("/api/chat", b'{"model": "m"}')
            await asked.wait()
            await client.close()
            await released.wait()
            exchange = await exchange_of(rec)

        assert (exchange.outcome, exchange.response.status) == (Outcome.CLIENT_ABORTED, 499)
        assert exchange.request.body == b'{"model": "m"}'

    run(scenario())


def test_a_client_that_goes_away_during_its_upload_is_recorded_as_that():
    async def scenario():
        async with (
            Upstream() as upstream,
            recording(upstream.address) as rec,
            connection(rec.address) as client,
        ):
            await client.send(
                b"POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nhalf"
            )
            await client.close()
            exchange = await exchange_of(rec)
            assert upstream.seen == []

        assert (exchange.outcome, exchange.response.status) == (Outcome.CLIENT_ABORTED, 499)

    run(scenario())


def test_a_server_that_breaks_off_looks_to_the_client_as_it_does_directly():
    async def scenario():
        async def answer(exchange):
            await exchange.start()
            await exchange.chunk(ndjson(said("partial")))
            exchange.close()

        async def told(url):
            got = b""
            try:
                async with (
                    httpx.AsyncClient(timeout=LIMIT_S, trust_env=False) as client,
                    client.stream("POST", f"{url}/api/chat", json=CHAT) as response,
                ):
                    async for piece in response.aiter_raw():
                        got += piece
            except httpx.HTTPError as err:
                return got, type(err)
            return got, None

        async with Upstream(answer) as upstream, recording(upstream.address) as rec:
            direct = await told(upstream.address.url)
            assert direct == (ndjson(said("partial")), httpx.RemoteProtocolError)
            assert await told(rec.url) == direct
            exchange = await exchange_of(rec)

        assert exchange.outcome is Outcome.UPSTREAM_ABORTED
        assert exchange.response.body == ndjson(said("partial"))

    run(scenario())


def test_a_server_that_is_down_is_named_in_json_and_recorded():
    async def scenario():
        async with Upstream() as gone:
            pass
        async with recording(gone.address) as rec:
            response = await rec.client.post("/api/chat", json=CHAT)
            exchange = await exchange_of(rec)
            other = await rec.client.get("/api/tags")

        assert response.status_code == other.status_code == 502
        assert response.headers["content-type"] == "application/json"
        assert response.json()["error"].startswith(
            f"tonearm: cannot reach Ollama at {gone.address.url}: "
        )
        assert other.json()["error"].startswith("tonearm: cannot reach Ollama")
        assert exchange.outcome is Outcome.UPSTREAM_ERROR
        assert exchange.response.status == 502
        assert exchange.response.body == response.content

    run(scenario())


def test_a_server_that_hangs_up_instead_of_answering_is_named_in_json():
    async def scenario():
        async def answer(exchange):
            exchange.close()

        async with Upstream(answer) as upstream, recording(upstream.address) as rec:
            response = await rec.client.post("/api/chat", json=CHAT)
            exchange = await exchange_of(rec)

        assert response.status_code == 502
        assert response.json()["error"].startswith(
            f"tonearm: no answer from Ollama at {upstream.address.url}: "
        )
        assert exchange.outcome is Outcome.UPSTREAM_ERROR
        assert exchange.response.body == response.content

    run(scenario())


def test_a_malformed_request_is_refused_in_json_and_not_passed_on():
    async def scenario():
        async with (
            Upstream() as upstream,
            recording(upstream.address) as rec,
            connection(rec.address) as client,
        ):
            await client.send(b"POST /api/chat HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n")
            await client.send(b"Transfer-Encoding: chunked\r\n\r\n")
            answer = await client.reader.read()
            assert upstream.seen == []

        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"tonearm: refused this request" in answer

    run(scenario())


def test_errors_of_the_server_pass_unchanged():
    async def scenario():
        async def answer(exchange):
            await exchange.answer(b'{"error":"model not found"}', status="404 Not Found")

        async with Upstream(answer) as upstream, recording(upstream.address) as rec:
            response = await rec.client.post("/api/chat", json=CHAT)
            exchange = await exchange_of(rec)

        assert (response.status_code, response.content) == (404, b'{"error":"model not found"}')
        assert exchange.outcome is Outcome.COMPLETE
        assert exchange.response.status == 404

    run(scenario())


@pytest.mark.parametrize("fault", [ValueError, MemoryError, SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("part", ["clock", "now"])
def test_a_recorder_that_fails_everywhere_changes_no_byte(part, fault):
    """Ten answers through a recorder all of whose faculties raise, compared byte by byte."""

    def fail():
        raise fault

    async def scenario():
        async with Upstream() as upstream, recording(upstream.address, **{part: fail}) as rec:
            for _ in range(10):
                response = await rec.client.post("/api/chat", json=CHAT)
                assert response.content == ndjson(said("hel"), said("lo"), said("", done=True))
            assert sum(rec.tally.lost.values()) == 10

    run(scenario())


def test_a_copy_that_fails_in_the_middle_changes_no_byte():
    """Only the copy is truncated, and says so."""
    calls = iter(range(10**6))

    def clock():
        if next(calls) % 4 == 2:  # in turn: the request, first piece, second piece, ...
            raise OSError("injected")
        return 0.0

    async def scenario():
        async with Upstream() as upstream, recording(upstream.address, clock=clock) as rec:
            response = await rec.client.post("/api/chat", json=CHAT)
            assert response.content == ndjson(said("hel"), said("lo"), said("", done=True))
            exchange = await exchange_of(rec)
        assert exchange.outcome is Outcome.TRUNCATED
        assert exchange.response.body == ndjson(said("hel"))

    run(scenario())


def test_the_name_that_the_client_asked_for_reaches_the_server():
    """Ollama refuses foreign names to keep web pages out; the proxy must not hide them."""

    async def scenario():
        async with (
            Upstream() as upstream,
            recording(upstream.address) as rec,
            connection(rec.address) as client,
        ):
            await client.post("/api/chat", host="evil.example")
            await client.until(b"0\r\n\r\n")
            assert upstream.seen[0].headers["host"] == "evil.example"

    run(scenario())


def test_requests_of_one_connection_are_exchanges_of_their_own():
    async def scenario():
        async with Upstream() as upstream, recording(upstream.address) as rec:
            for n in range(3):
                body = {"model": f"m{n}", "messages": []}
                await rec.client.post("/api/chat", json=body)
            bodies = [(await exchange_of(rec)).request.body for _ in range(3)]
            assert upstream.connections == 1
        assert [f"m{n}".encode() in body for n, body in enumerate(bodies)] == [True] * 3

    run(scenario())


def test_no_connection_is_opened_for_a_client_that_asks_nothing():
    async def scenario():
        async with (
            Upstream() as upstream,
            recording(upstream.address) as rec,
            connection(rec.address),
        ):
            await rec.client.get("/api/version")
            assert upstream.connections == 1

    run(scenario())


def test_only_loopback_is_listened_on():
    async def scenario():
        async with Upstream() as upstream, recording(upstream.address) as rec:
            for host in ("127.0.0.2", "::1"):
                with pytest.raises(ConnectionRefusedError):
                    await asyncio.open_connection(host, rec.address.port)

    run(scenario())


def test_a_port_in_use_is_one_clear_error():
    async def scenario():
        async with Upstream() as upstream:
            taken = parse_listen(upstream.address.authority)
            proxy = Proxy(
                Recorder(lambda capture: None, Tally()),
                upstream=Address(host="127.0.0.1", port=1),
                listen=taken,
            )
            with pytest.raises(CaptureError, match="the port is in use") as caught:
                await proxy.start()
            assert taken.authority in str(caught.value)

    run(scenario())


def test_the_end_waits_for_answers_under_way_and_lets_nobody_else_in():
    async def scenario():
        finish = asyncio.Event()

        async def answer(exchange):
            await exchange.start()
            await exchange.chunk(b"first")
            await finish.wait()
            await exchange.chunk(b"last")
            await exchange.end()

        async with (
            Upstream(answer) as upstream,
            recording(upstream.address) as rec,
            connection(rec.address) as idle,
            connection(rec.address) as client,
        ):
            await client.post("/api/chat")
            await client.until(b"first")
            draining = asyncio.create_task(rec.proxy.drain(LIMIT_S, asyncio.Event()))
            assert await idle.reader.read() == b"", "an idle connection is closed"
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(rec.address.host, rec.address.port)
            assert not draining.done()
            finish.set()
            assert await client.until(b"0\r\n\r\n") == b"\r\n4\r\nlast\r\n0\r\n\r\n"
            await draining
            exchange = await exchange_of(rec)

        assert (exchange.outcome, exchange.response.body) == (Outcome.COMPLETE, b"firstlast")

    run(scenario())


@pytest.mark.parametrize("grace_s", [0.0, LIMIT_S])
def test_what_does_not_finish_in_time_is_cut_and_recorded_as_that(grace_s):
    """Either the grace is over or a second signal asks for the end."""

    async def scenario():
        async def answer(exchange):
            await exchange.start()
            await exchange.chunk(b"first")
            await exchange.gone()

        async with (
            Upstream(answer) as upstream,
            recording(upstream.address) as rec,
            connection(rec.address) as client,
        ):
            await client.post("/api/chat")
            await client.until(b"first")
            cut = asyncio.Event()
            if grace_s:
                cut.set()
            await rec.proxy.drain(grace_s, cut)
            await rec.proxy.stop()
            assert b"0\r\n\r\n" not in await client.reader.read(), "no false end of the body"
            exchange = await exchange_of(rec)
            assert rec.captures.empty()

        assert exchange.outcome is Outcome.PROXY_STOPPED
        assert exchange.response.body == b"first"

    run(scenario())


def test_many_clients_at_once_get_and_leave_what_is_theirs():
    async def scenario():
        async def answer(exchange):
            await exchange.answer(exchange.body, exchange.body)

        async with Upstream(answer) as upstream, recording(upstream.address) as rec:

            async def one(n):
                body = f'{{"n": {n}}}'.encode()
                assert (await rec.client.post("/api/chat", content=body)).content == body * 2

            await asyncio.gather(*(one(n) for n in range(50)))
            exchanges = [await exchange_of(rec) for _ in range(50)]

        assert all(e.response.body == e.request.body * 2 for e in exchanges)
        assert len({e.request.body for e in exchanges}) == 50

    run(scenario())


@pytest.mark.parametrize("begun", [False, True], ids=["before its first word", "in the middle"])
def test_a_model_that_is_silent_for_hours_is_waited_for(monkeypatch, begun):
    """Every clock of the process jumps, so that whatever limits a silence does so now."""
    ahead_s = 0.0
    hours_s = 3 * 60 * 60.0
    for name in ("time", "monotonic"):
        real = getattr(time, name)
        monkeypatch.setattr(time, name, lambda real=real: real() + ahead_s)
    silent, speak = asyncio.Event(), asyncio.Event()

    async def ponder(exchange):
        if begun:
            await exchange.start()
            await exchange.chunk(b"one\n")
        silent.set()
        await speak.wait()
        if not begun:
            await exchange.start()
        await exchange.chunk(b"two\n")
        await exchange.end()

    async def scenario():
        nonlocal ahead_s
        async with (
            Upstream(ponder) as upstream,
            recording(upstream.address) as rec,
            connection(rec.address) as client,
        ):
            await client.post("/api/chat")
            await silent.wait()
            if begun:
                await client.until(b"one\n")
            ahead_s = hours_s
            for _ in range(1000):
                await asyncio.sleep(0)
            speak.set()
            await client.until(b"two\n")
            await client.until(b"0\r\n\r\n")
            return (await rec.captures.get()).exchange()

    exchange = asyncio.run(asyncio.wait_for(scenario(), hours_s + LIMIT_S))
    assert exchange.outcome is Outcome.COMPLETE
    assert exchange.response.body.endswith(b"two\n")
