"""``tonearm serve`` as a user runs it: a process, signals, exit codes and what it says."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import asynccontextmanager, suppress

import httpx
import pytest

from tests.proxy.harness import LIMIT_S, connection, ndjson, run, said
from tests.proxy.harness import Upstream as Ollama
from tests.replay.server.harness import asks, last, line, streamed, write
from tonearm.cassette import Shelf, load
from tonearm.commands import main
from tonearm.commands.serve import allow_many_files
from tonearm.proxy.address import parse_listen

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals of this kind are POSIX")
ANYWHERE = ("--listen", "127.0.0.1:0")


@asynccontextmanager
async def started(*args, **env):
    """Run a server; yield its process and its URL."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tonearm", "serve", *map(str, args), *ANYWHERE),
        env=os.environ | {"OLLAMA_HOST": ""} | env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process, (await process.stdout.readline()).decode().strip()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def ended(process, number=signal.SIGTERM):
    """Send a signal; return the exit code and what was said."""
    process.send_signal(number)
    out, err = await process.communicate()
    assert out == b""
    return process.returncode, err.decode()


def visit(folder, *args, bodies=(), number=signal.SIGTERM):
    """Run a server, ask it, end it; return the answers, the exit code and what was said."""

    async def scenario():
        async with started(folder, *args) as (process, url):
            async with httpx.AsyncClient(base_url=url, timeout=LIMIT_S, trust_env=False) as client:
                answers = [await client.post("/api/chat", json=body) for body in bodies]
            return answers, *await ended(process, number)

    return run(scenario())


@POSIX
def test_a_shelf_is_served_until_a_signal_comes(tmp_path):
    """The address is all that is on stdout; the summary is on stderr."""
    write(tmp_path / "a.yaml", [streamed(asks("a")), streamed(asks("b"))])
    write(tmp_path / "b.yaml", [streamed(asks("c"))])

    (answer,), code, err = visit(tmp_path, bodies=[asks("a")])

    assert answer.text.startswith(line("hel").decode())
    assert code == 0
    first, *rest = err.splitlines()
    assert first.startswith("tonearm: serving 3 exchanges of 2 cassettes; clients connect to http")
    assert rest == [
        "tonearm: 1 served from recordings; 0 missed; 2 never asked for",
        "tonearm: never asked for: a.yaml#1, b.yaml#0",
    ]


@POSIX
def test_misses_are_explained_while_it_runs_and_strictness_counts_them(tmp_path):
    path = write(tmp_path / "a.yaml", [streamed(asks("a"))])

    (miss, _), code, err = visit(path, "--strict", bodies=[asks("x"), asks("a")])

    assert "messages[0].content" in miss.json()["error"]
    assert code == 1
    assert 'tonearm:   messages[0].content: recorded "a", asked "x"\n' in err
    assert err.endswith("tonearm: 1 served from recordings; 1 missed; 0 never asked for\n")


@POSIX
@pytest.mark.parametrize(("bodies", "code"), [([asks("a")], 0), ([], 1)])
def test_strictness_counts_what_was_never_asked_for(tmp_path, bodies, code):
    path = write(tmp_path / "a.yaml", [streamed(asks("a"))])

    assert visit(path, "--strict", bodies=bodies, number=signal.SIGINT)[1] == code


@POSIX
def test_members_that_are_ignored_may_differ(tmp_path):
    path = write(tmp_path / "a.yaml", [streamed(asks("a", options={"seed": 1}))])

    (answer,), _, _ = visit(
        path, "--ignore", "options.seed", bodies=[asks("a", options={"seed": 2})]
    )

    assert answer.status_code == 200


@POSIX
def test_a_talkative_server_names_the_recording_of_each_answer(tmp_path):
    path = write(tmp_path / "a.yaml", [streamed(asks("a"))])

    assert "POST /api/chat: a.yaml#0" in visit(path, "--verbose", bodies=[asks("a")])[2]


@POSIX
def test_a_second_signal_cuts_off_what_is_under_way(tmp_path):
    """The first one waits for it, but not for ever; the process ends with its summary."""
    path = write(tmp_path / "a.yaml", [streamed(asks("a"), line("x"), last(), times=[0.0, 3600.0])])

    async def scenario():
        async with started(path) as (process, url):
            async with connection(parse_listen(url.removeprefix("http://"))) as client:
                await client.post("/api/chat", json.dumps(asks("a")).encode(), host="localhost")
                await client.until(b"}\n\r\n")
                await process.stderr.readline()
                process.send_signal(signal.SIGTERM)
                waiting = (await process.stderr.readline()).decode()
                rest = await asyncio.gather(ended(process), client.reader.read())
            return waiting, *rest

    waiting, (code, err), received = run(scenario())
    assert "waiting up to 5 s for 1 unfinished answers" in waiting
    assert "1 answers were cut off" in err
    assert (code, received) == (0, b"")


@POSIX
def test_what_is_missing_is_recorded_into_a_new_shelf_and_served_from_then_on(tmp_path):
    shelf = tmp_path / "shelf"

    async def ollama(exchange):
        if exchange.path == "/api/chat":
            await exchange.answer(ndjson(said("hello"), said("", done=True)))
        else:
            await exchange.answer(b"{}")

    async def scenario():
        async with Ollama(ollama) as upstream:
            args = (shelf, "--on-miss", "record", "--upstream", upstream.address.url)
            async with started(*args) as (process, url):
                async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
                    headers = {"Authorization": "Bearer hunter2-of-mine"}
                    answers = [
                        await client.post("/api/chat", json=asks("a"), headers=headers)
                        for _ in range(2)
                    ]
                code, err = await ended(process)
            chats = [e for e in upstream.seen if e.path == "/api/chat"]
        return answers, code, err, chats

    answers, code, err, chats = run(scenario())
    assert [answer.content for answer in answers] == [
        ndjson(said("hello"), said("", done=True))
    ] * 2
    assert (code, len(chats)) == (0, 1)
    assert "1 served from recordings; 1 missed; 0 never asked for; 1 forwarded\n" in err
    assert err.endswith("tonearm: 1 recorded\n")
    (path,) = Shelf(shelf).paths()
    (exchange,) = load(path).exchanges
    assert exchange.response.body == answers[0].content
    assert "hunter2" not in path.read_text(encoding="utf-8")

    (again,), _, _ = visit(shelf, bodies=[asks("a")])
    assert again.content == answers[0].content


@pytest.mark.parametrize(
    ("args", "code", "problem"),
    [
        (("gone.yaml",), 4, "no such file"),
        (("{}", "--speed", "fast"), 2, "--speed fast"),
        (("{}", "--ignore", "..."), 2, "--ignore ..."),
        (("{}", "--listen", "0.0.0.0:1"), 2, "--listen 0.0.0.0:1"),
        (("{}", "--on-miss", "record", "--upstream", "http://127.0.0.1:1"), 2, "--shelf"),
        (
            (
                "{}",
                "--on-miss",
                "passthrough",
                "--upstream",
                "127.0.0.1:4444",
                "--listen",
                "127.0.0.1:4444",
            ),
            2,
            "the address that this server would listen on",
        ),
    ],
)
def test_what_cannot_work_is_said_in_one_line(tmp_path, capsys, args, code, problem):
    path = write(tmp_path / "a.yaml", [streamed(asks("a"))])

    assert main(["serve", *(str(path) if arg == "{}" else arg for arg in args)]) == code

    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert problem in err


def test_an_empty_shelf_is_nothing_to_serve(tmp_path, capsys):
    assert main(["serve", str(tmp_path)]) == 5
    assert "no cassette" in capsys.readouterr().err


def test_a_port_in_use_is_one_line(tmp_path, capsys):
    path = write(tmp_path / "a.yaml", [streamed(asks("a"))])
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        code = main(["serve", str(path), "--listen", taken])

    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert f"cannot listen on {taken}" in err.splitlines()[-1]


def test_as_many_clients_may_connect_as_the_system_allows():
    resource = pytest.importorskip("resource", reason="Windows has no such limit")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, before[1]), before[1]))
        allow_many_files()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == before[1]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
