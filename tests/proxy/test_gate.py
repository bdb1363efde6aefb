"""What the recorder lets in: nothing more than Ollama would, and nobody who holds others up."""

import asyncio
import json
import stat

import pytest

from tests.proxy import harness
from tests.proxy.harness import CHAT, LIMIT_S, Upstream, connection, recording, run
from tonearm.cassette import Shelf, load
from tonearm.errors import UsageError
from tonearm.proxy.address import Address
from tonearm.proxy.filing import Filing
from tonearm.proxy.gate import HEAD_S, Gate, error_body, is_local
from tonearm.proxy.session import Settings, make_gate
from tonearm.proxy.tally import Tally
from tonearm.proxy.writer import Writer
from tonearm.redaction import keyfile

TOKEN = "0123456789abcdef"


@pytest.fixture(autouse=True, params=[True, False], ids=["relay", "mitmproxy"])
def way(request, monkeypatch):
    """Which way the traffic takes must make no difference."""
    monkeypatch.setattr(harness, "RELAYING", request.param)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET http://127.0.0.1:1/x HTTP/1.1", b"400"),
        (b"POST http://elsewhere/api/chat HTTP/1.1", b"400"),
        (b"CONNECT elsewhere:443 HTTP/1.1", b"400"),
    ],
)
def test_it_is_no_proxy_for_other_servers(line, status):
    async def scenario():
        async with (
            Upstream() as upstream,
            recording(upstream.address) as rec,
            connection(rec.address) as client,
        ):
            await client.send(line + b"\r\nHost: x\r\n\r\n")
            answer = await client.reader.read()
            return answer, upstream.connections, rec.tally

    answer, connections, tally = run(scenario())
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 " + status)
    assert "it is no proxy" in json.loads(body)["error"]
    assert connections == 0
    assert sum(tally.refused.values()) == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": f"Bearer {TOKEN}"}, 200),
        ({"x-api-key": TOKEN}, 200),
        ({}, 401),
        ({"authorization": f"Bearer {TOKEN}x"}, 401),
        ({"authorization": "Basic " + TOKEN}, 401),
        ({"authorization": "Bearer \u00e9\u00e9"}, 401),
        ({"x-api-key": ""}, 401),
    ],
)
def test_a_request_needs_the_token_where_there_is_one(headers, status):
    async def scenario():
        async with (
            Upstream() as upstream,
            recording(upstream.address, gate={"token": TOKEN}) as rec,
        ):
            raw = {name: value.encode("latin-1") for name, value in headers.items()}
            response = await rec.client.post("/api/chat", json=CHAT, headers=raw)
            return response, upstream.seen, rec.captures.qsize()

    response, seen, recorded = run(scenario())
    assert response.status_code == status
    assert (len(seen), recorded) == ((1, 1) if status == 200 else (0, 0))


def test_the_token_is_neither_passed_on_nor_recorded():
    async def scenario():
        async with (
            Upstream() as upstream,
            recording(upstream.address, gate={"token": TOKEN}) as rec,
        ):
            headers = {"authorization": f"bearer {TOKEN}", "x-api-key": "another server's"}
            await rec.client.post("/v1/messages", json=CHAT, headers=headers)
            return upstream.seen[0].headers, (await rec.captures.get()).exchange()

    seen, exchange = run(scenario())
    assert "authorization" not in seen
    assert seen["x-api-key"] == "another server's"
    assert TOKEN not in repr(exchange)


def test_names_that_web_pages_could_have_are_refused_for_a_server_elsewhere():
    """Such a server keeps no guard of its own; it is told its own name."""

    async def scenario():
        async with (
            Upstream() as upstream,
            recording(upstream.address, gate={"guards_host": True}) as rec,
        ):
            good = await rec.client.post("/api/chat", json=CHAT)
            bad = await rec.client.post("/api/chat", json=CHAT, headers={"host": "evil.example"})
            return good.status_code, bad.status_code, [e.headers["host"] for e in upstream.seen]

    good, bad, hosts = run(scenario())
    assert (good, bad) == (200, 403)
    assert len(hosts) == 1


@pytest.mark.parametrize(
    ("authority", "local"),
    [
        ("", True),
        ("localhost", True),
        ("LOCALHOST:11435", True),
        ("127.0.0.1:11435", True),
        ("[::1]:11435", True),
        ("::1", True),
        ("192.168.1.5:11435", True),
        ("0.0.0.0", True),
        ("box.local:1", True),
        ("host.docker.internal", True),
        ("evil.example", False),
        ("evil.example:11434", False),
        ("localhost.evil.example", False),
        ("local", False),
        ("8.8.8.8", False),
        ("127.0.0.1.evil.example", False),
    ],
)
def test_a_name_is_local_as_ollama_judges_it(authority, local):
    assert is_local(authority) is local


@pytest.mark.parametrize(
    ("upstream", "mode", "guards", "forwards"),
    [
        ("127.0.0.1", "reverse", False, False),
        ("gpu.example", "reverse", True, False),
        ("127.0.0.1", "regular", False, True),
        ("gpu.example", "transparent", False, False),
    ],
)
def test_the_gate_fits_the_way_in(tmp_path, upstream, mode, guards, forwards):
    there, here = Address(host=upstream, port=1), Address(host="127.0.0.1", port=2)
    gate = make_gate(Settings(upstream=there, listen=here, shelf=tmp_path, mode=mode), Tally())

    assert (gate.guards_host, gate.forwards_to is not None) == (guards, forwards)


def test_a_head_without_end_is_refused():
    async def scenario():
        async with (
            Upstream() as upstream,
            recording(upstream.address, gate={"max_head_bytes": 10_000}) as rec,
            connection(rec.address) as client,
        ):
            await client.send(b"POST /api/chat HTTP/1.1\r\nX-Long: " + b"x" * 20_000)
            answer = await client.reader.read()
            return answer, upstream.connections

    answer, connections = run(scenario())
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"its head is longer than 10000 bytes" in answer
    assert connections == 0


def test_what_is_not_http_is_refused_in_json():
    async def scenario():
        async with (
            Upstream() as upstream,
            recording(upstream.address) as rec,
            connection(rec.address) as client,
        ):
            await client.send(b"hello there\r\n\r\n")
            return await client.reader.read()

    answer = run(scenario())
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"tonearm: refused this request: it is not valid HTTP"' in answer


def test_slow_clients_do_not_keep_others_waiting():
    """300 that never finish a head, 50 that ask: all 50 are answered, and the 300 are closed."""
    late = 0.0

    def clock():
        return late

    async def scenario():
        nonlocal late
        async with Upstream() as upstream, recording(upstream.address, gate={"clock": clock}) as r:
            slow = [
                await asyncio.open_connection(r.address.host, r.address.port) for _ in range(300)
            ]
            for _, writer in slow:
                writer.write(b"POST /api/chat HTTP/1.1\r\nX-Slow: ")
            statuses = await asyncio.gather(
                *((r.client.post("/api/chat", json=CHAT)) for _ in range(50))
            )
            assert [s.status_code for s in statuses] == [200] * 50
            assert upstream.connections <= 50, "a client that asks nothing costs no connection"
            late = HEAD_S + 1
            assert await asyncio.gather(*(reader.read() for reader, _ in slow)) == [b""] * 300
            assert (await r.client.post("/api/chat", json=CHAT)).status_code == 200
            for _, writer in slow:
                writer.close()

    run(scenario())


def test_an_idle_client_makes_room_for_another():
    async def scenario():
        async with (
            Upstream() as upstream,
            recording(upstream.address, max_clients=3) as rec,
            connection(rec.address) as first,
            connection(rec.address),
            connection(rec.address),
        ):
            response = await rec.client.post("/api/chat", json=CHAT)
            assert response.status_code == 200
            assert await first.reader.read() == b""

    run(scenario())


def test_a_client_is_turned_away_where_all_others_are_busy():
    """An answer under way is worth more than a new question."""

    async def scenario():
        finish = asyncio.Event()

        async def answer(exchange):
            await exchange.start()
            await exchange.chunk(b"first")
            await finish.wait()
            await exchange.end()

        async with (
            Upstream(answer) as upstream,
            recording(upstream.address, max_clients=1) as rec,
            connection(rec.address) as busy,
        ):
            await busy.post("/api/chat")
            await busy.until(b"first")
            async with connection(rec.address) as other:
                assert await other.reader.read() == b""
            finish.set()
            assert await busy.until(b"0\r\n\r\n")

    run(scenario())


@pytest.mark.parametrize(
    "model", ["../../escape", "/etc/passwd", "..\\up", "a\0b", "-rf", "x" * 5000, "con", "\n"]
)
def test_the_name_of_a_model_leads_out_of_no_shelf(tmp_path, model):
    """Through the recorder to the disk, where only the owner may read."""
    shelf, tally = tmp_path / "a" / "shelf", Tally()
    writer = Writer(Filing(Shelf(shelf), tally), tally)
    writer.start()

    async def scenario():
        async with (
            Upstream() as upstream,
            recording(upstream.address, sink=writer.put, tally=tally) as rec,
        ):
            await rec.client.post("/api/chat", json=CHAT | {"model": model})

    run(scenario())
    writer.close(LIMIT_S)

    assert not tally.lost
    own = shelf / keyfile.FOLDER
    files = [path for path in tmp_path.rglob("*") if path.is_file() and own not in path.parents]
    (path,) = Shelf(shelf).paths()
    assert files == [path]
    assert json.loads(load(path).exchanges[0].request.body)["model"] == model
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(shelf.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/api/chat", ("error",)),
        ("/v1/chat/completions", ("error", "message")),
        ("/v1/messages", ("error", "message")),
        ("", ("error",)),
    ],
)
def test_errors_have_the_shape_of_their_protocol(path, place):
    value = json.loads(error_body(path, 502, "why"))
    for name in place:
        value = value[name]
    assert value == "why"


def test_a_listener_for_others_needs_a_token_that_cannot_be_guessed(tmp_path):
    from tonearm.commands.record import read_token

    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    assert read_token(path, {}) == TOKEN
    assert read_token(None, {"TONEARM_TOKEN": TOKEN}) == TOKEN
    for environ in (
        {},
        {"TONEARM_TOKEN": "short"},
        {"TONEARM_TOKEN": "with a space in the middle"},
    ):
        with pytest.raises(UsageError, match="needs a token of 16"):
            read_token(None, environ)
    with pytest.raises(UsageError, match="gone"):
        read_token(tmp_path / "gone", {})


def test_the_proxy_waits_longer_for_a_silent_model_than_anyone_would():
    """Loading a model and reading a long prompt are silent; ten minutes are mitmproxy's default."""

    async def scenario():
        async with Upstream() as upstream, recording(upstream.address) as rec:
            return rec.proxy._master.options.tcp_timeout

    assert run(scenario()) >= 24 * 60 * 60


def test_a_long_request_reaches_the_server_while_it_comes_and_is_recorded():
    """The client sends the rest only after the server has had the beginning."""

    async def scenario():
        had_first = asyncio.Event()

        async def answer(exchange):
            await exchange.reader.readuntil(b"first")
            had_first.set()
            await exchange.reader.readuntil(b"0\r\n\r\n")
            await exchange.answer(b"ok")

        async def body():
            yield b"first"
            await had_first.wait()
            yield b"second"

        async with (
            Upstream(answer, read_body=False) as upstream,
            recording(upstream.address) as rec,
        ):
            response = await rec.client.post("/api/chat", content=body())
            assert response.content == b"ok"
            return (await rec.captures.get()).exchange()

    exchange = run(scenario())
    assert exchange.request.body == b"firstsecond"
    assert str(exchange.outcome) == "complete"


def test_a_server_that_is_down_is_named_for_a_long_request_too():
    async def scenario():
        async with Upstream() as gone:
            pass
        async with recording(gone.address) as rec:
            response = await rec.client.post("/api/chat", content=b"x" * 200_000)
            return response, (await rec.captures.get()).exchange()

    response, exchange = run(scenario())
    assert response.status_code == exchange.response.status == 502
    assert response.content == exchange.response.body


def test_the_gate_remembers_only_heads_that_are_on_their_way():
    gate = Gate(tally=Tally(), clock=lambda: now)
    now = 0.0
    gate.reading("slow")
    gate.reading("quick")
    now = HEAD_S
    gate.reading("slow")
    gate.reading("new")
    gate.read("quick")
    gate.read("unknown")
    now += 0.5

    assert gate.overdue() == ["slow"]
