"""Cassettes that vcrpy wrote are read; what only looks like one cannot do harm."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import threading

import httpx
import pytest
import vcr
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from tests.cassette import samples
from tonearm.cassette import CassetteWriter, ForeignLimitsWarning, foreign, load
from tonearm.cassette import _foreign as child
from tonearm.errors import CassetteError

REQUEST = b"request: {method: GET, uri: 'http://h/', body: null, headers: {}}"
RESPONSE = b"response: {status: {code: 200, message: OK}, headers: {}, body: {string: x}}"
ONE = b"interactions:\n- " + REQUEST + b"\n  " + RESPONSE + b"\nversion: 1\n"


@contextlib.contextmanager
def chat_server():
    """Serve one streamed answer to every request; yield the address."""

    async def answer(request):
        await request.read()
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        for line in samples.streamed().response.body.splitlines(keepends=True):
            await response.write(line)
        return response

    async def serve():
        runner = web.ServerRunner(web.Server(answer))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port.append(runner.addresses[0][1])
        started.set()
        await stop.wait()
        await runner.cleanup()

    port, started, stop, loop = [], threading.Event(), asyncio.Event(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert started.wait(30)
        yield f"http://127.0.0.1:{port[0]}/api/chat"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()


def test_what_stock_vcrpy_recorded_is_read(tmp_path):
    path = tmp_path / "stock.yaml"
    asked = samples.streamed().request.body
    with chat_server() as uri, vcr.use_cassette(str(path)), httpx.Client(trust_env=False) as client:
        client.post(uri, content=asked, headers={"X-Bytes": "1"})
        client.post(uri, content=b"\xff\x00")

    cassette = load(path)

    first, second = cassette.exchanges
    assert (cassette.foreign, cassette.torn) == (True, None)
    assert (first.request.method, first.request.uri) == ("POST", uri)
    assert first.request.body == asked
    assert ("x-bytes", "1") in first.request.headers
    assert first.response.status == 200
    assert ("content-type", "application/x-ndjson") in first.response.headers
    assert first.response.body == samples.streamed().response.body
    assert (first.sequence, first.started_at, first.pin) == (0, None, None)
    assert (second.sequence, second.request.body) == (1, b"\xff\x00")


def test_our_file_saved_again_by_vcrpy_keeps_all_facts(tmp_path):
    """Adding an interaction makes vcrpy write the whole file in its own style."""
    path = tmp_path / "ours.yaml"
    with CassetteWriter(path) as writer:
        writer.append(samples.streamed())
        writer.append(samples.whole())
    with (
        chat_server() as uri,
        vcr.use_cassette(str(path), record_mode="new_episodes"),
        httpx.Client(trust_env=False) as client,
    ):
        client.post(uri, content=b"{}")

    cassette = load(path)

    assert cassette.foreign
    kept = [samples.by_name(exchange) for exchange in (samples.streamed(), samples.whole())]
    assert list(map(samples.by_name, cassette.exchanges[:2])) == kept
    assert [e.sequence for e in cassette.exchanges] == [0, 1, 2]


def test_the_file_that_was_read_is_the_same_value_as_json(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_bytes(ONE)

    (exchange,) = load(path).exchanges

    assert (exchange.request.uri, exchange.response.body) == ("http://h/", b"x")


def test_dates_and_merge_keys_stay_text(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_bytes(ONE.replace(b"headers: {}", b"headers: {<<: [a], Date: [2026-11-20]}", 1))

    (exchange,) = load(path).exchanges

    assert exchange.request.headers == (("<<", "a"), ("Date", "2026-11-20"))


def test_a_file_that_vcrpy_did_not_finish_is_never_shorter_without_a_word():
    """Cut anywhere, stock vcrpy's own file is refused, for the version is what it writes last."""
    for cut in range(len(ONE) - 1):
        with pytest.raises(child.Refused):
            child.convert(ONE[:cut])
    assert len(child.convert(ONE[:-1])["interactions"]) == 1


@given(st.data())
def test_damage_is_refused_or_harmless(data):
    """Whatever stands in the file, the child ends in words and with no interaction less."""
    start = data.draw(st.integers(0, len(ONE)))
    tokens = [b"&a ", b"*a", b"!!int ", b"? ", b"<<", b"---\n", b"\0", b"\xff", b"9" * 5000, b"["]
    junk = data.draw(st.sampled_from(tokens) | st.binary(max_size=4))
    kept = data.draw(st.integers(start, min(len(ONE), start + 20)))

    with contextlib.suppress(child.Refused):
        assert len(child.convert(ONE[:start] + junk + ONE[kept:])["interactions"]) >= 1


BOMB = b"a: &a [x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (n + 1, n + 1, b",".join([b"*%c" % n] * 8)) for n in b"abcdefgh"
)


@pytest.mark.parametrize(
    ("data", "line", "reason"),
    [
        (b"[" * 200_000, 1, "nested more than 64 levels deep"),
        (b"- " * 200_000, 1, "nested more than 64 levels deep"),
        (b"{a: " * 200_000, 1, "nested more than 64 levels deep"),
        (BOMB, 1, "an anchor or an alias"),
        (b"interactions: []\nx: *unknown\n", 2, "an anchor or an alias"),
        (b"x: !!python/object/apply:os.system [id]\n", 1, "python/object/apply:os.system"),
        (b"x: !!timestamp 2026-11-20\n", 1, "yaml.org,2002:timestamp"),
        (b"x: !!int abc\n", None, "not of the type it claims"),
        (b"x: !!binary '?'\n", None, None),
        (b"a: [\n", 2, "is not valid YAML"),
        (b"a: \x00\n", None, "is not valid YAML"),
        (b"\xff\xfe\xff", None, "is not valid YAML"),
        (b"interactions: []\nversion: 1\n---\n{}\n", 3, "is not valid YAML"),
        (b"- request: {}\n", 1, "vcrpy before 1.0"),
        (b"just text", 1, "no list of interactions"),
        (b"\n# nothing\n", 1, "no list of interactions"),
        (b"interactions: []\n", None, "has no version"),
        (b"interactions: []\nversion: 2\n", None, "is of version 2, not 1"),
        (b"interactions: []\ninteractions: []\nversion: 1\n", 2, "more than one list"),
        (ONE.replace(b"headers: {}", b"headers: {!!binary aGk=: a}"), None, "a key of bytes"),
        (ONE.replace(b"200", b"0x" + b"9" * 5000), None, "a number of too many digits"),
        (b"x: !!foo%1b y\n", 1, r"of type 'tag:yaml.org,2002:foo\x1b'"),
        (ONE.replace(b"method: GET, ", b""), 2, "request.method is missing"),
        (ONE.replace(b"status: {code: 200", b"status: {code: '200'"), 2, "status.code is text"),
    ],
)
def test_a_hostile_or_wrong_file_is_an_error_with_a_place(tmp_path, data, line, reason):
    path = tmp_path / "hostile.yaml"
    path.write_bytes(data)

    with pytest.raises(CassetteError) as caught:
        load(path)

    assert caught.value.path == path
    if reason is not None:
        assert reason in str(caught.value)
        assert caught.value.line == line


@pytest.mark.skipif(os.name != "posix", reason="the system has no signals")
def test_a_reader_that_dies_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "deadly.yaml"
    path.write_bytes(ONE)
    run = subprocess.run
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    monkeypatch.setattr(
        foreign.subprocess, "run", lambda _, **rest: run([sys.executable, "-c", code], **rest)
    )

    with pytest.raises(CassetteError, match="was ended by SIGSEGV"):
        load(path)


def test_a_reader_that_hangs_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "slow.yaml"
    path.write_bytes(ONE)
    monkeypatch.setattr(foreign, "WALL_LIMIT_S", 0.001)

    with pytest.raises(CassetteError, match="cannot be read as YAML within"):
        load(path)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits memory")
def test_the_reader_is_limited():
    """The limits hold: a child that wants more memory than it may have does not get it."""
    code = "from tonearm.cassette import _foreign as f; assert f._limit() == []; bytearray(1 << 31)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)

    assert b"MemoryError" in done.stderr


def test_a_system_without_limits_is_named(tmp_path, monkeypatch):
    """As on Windows, which has no ``resource`` module."""
    monkeypatch.setitem(sys.modules, "resource", None)
    unlimited = child._limit()
    path = tmp_path / "one.yaml"
    path.write_bytes(ONE)
    result = {"unlimited": unlimited, **child.convert(ONE)}
    done = subprocess.CompletedProcess([], 0, stdout=json.dumps(result).encode())
    monkeypatch.setattr(foreign.subprocess, "run", lambda *_, **__: done)

    with pytest.warns(ForeignLimitsWarning, match="a limit on processor time and memory"):
        cassette = load(path)

    assert len(cassette.exchanges) == 1
