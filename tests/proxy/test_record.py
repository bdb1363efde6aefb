"""``tonearm record`` as a user runs it: a process, signals, exit codes and what it says."""

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

from tests.proxy.harness import CHAT, LIMIT_S, Upstream, hello, ndjson, run, said
from tonearm.cassette import Shelf, load
from tonearm.commands import main
from tonearm.commands.record import summary
from tonearm.model import Outcome
from tonearm.proxy.tally import Tally

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals of this kind are POSIX")

CLIENT = """
import json, os, sys, urllib.request
host = os.environ["OLLAMA_HOST"]
request = urllib.request.Request(host + "/api/chat", data=json.dumps({
    "model": "m", "messages": [{"role": "user", "content": "hi"}]}).encode())
try:
    print(urllib.request.urlopen(request).read().decode(), end="")
except urllib.error.HTTPError as err:
    print(err.read().decode())
"""


async def ollama(exchange):
    """Answer the recorder's questions about the engine, and chat requests."""
    known = {
        "/api/version": {"version": "0.24.0"},
        "/api/ps": {"models": [{"name": "m:latest", "digest": "d1", "context_length": 4096}]},
        "/api/show": {"modelfile": "FROM x", "details": {"family": "gemma4"}},
        "/api/tags": {"models": [{"name": "m:latest", "digest": "d1"}]},
    }
    if exchange.path in known:
        await exchange.answer(json.dumps(known[exchange.path]).encode())
    else:
        await hello(exchange)


def tonearm(*args):
    """Return the command line of a recorder."""
    return [sys.executable, "-m", "tonearm", "record", *map(str, args)]


@asynccontextmanager
async def started(*args, command=None, **env):
    """Run a recorder; it is gone when the block ends."""
    process = await asyncio.create_subprocess_exec(
        *(command or tonearm(*args)),
        env=os.environ | {"OLLAMA_HOST": ""} | env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def finished(*args, **env):
    """Run a recorder to its end; return its exit code, its output and what it said."""
    async with started(*args, **env) as process:
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def address(process):
    """Return where the recorder says that it listens."""
    line = (await process.stderr.readline()).decode()
    return line.rsplit(" ", 1)[1].strip()


def recorded(shelf):
    return [e for path in Shelf(shelf).paths() for e in load(path).exchanges]


def test_a_command_is_recorded_without_knowing(tmp_path):
    """Its output is its own, its exit code passes, the summary is on stderr."""

    async def scenario():
        async with Upstream(ollama) as upstream:
            args = ("--upstream", upstream.address.url, "--listen", "127.0.0.1:0")
            code = f"{CLIENT}\nsys.exit(3)"
            command = ("--shelf", tmp_path / "s", "--", sys.executable, "-c", code)
            return upstream, await finished(*args, *command)

    upstream, (code, out, err) = run(scenario())
    assert code == 3
    assert out.encode() == ndjson(said("hel"), said("lo"), said("", done=True))
    assert f"1 exchange recorded: 1 conversation, 1 file in {tmp_path / 's'}; 0 other" in err
    (exchange,) = recorded(tmp_path / "s")
    assert exchange.outcome is Outcome.COMPLETE
    assert exchange.response.body == out.encode()
    assert exchange.request.uri == f"{upstream.address.url}/api/chat"
    assert (exchange.pin.server_version, exchange.pin.digest) == ("0.24.0", "d1")


TOKEN = "glpat-Zq81Lk0vUe7TnB4sXyRd"
TELLS = CLIENT.replace('"hi"', f'"{TOKEN}"')


def told(tmp_path, *options):
    """Record a client that tells a secret; return what the recorder said."""

    async def scenario():
        async with Upstream(ollama) as upstream:
            args = ("--upstream", upstream.address.url, "--listen", "127.0.0.1:0", *options)
            return await finished(*args, "--shelf", tmp_path, "--", sys.executable, "-c", TELLS)

    code, _, err = run(scenario())
    assert code == 0
    return err


def test_a_secret_does_not_reach_the_disk(tmp_path, capsys):
    err = told(tmp_path)

    assert "redaction" not in err
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and TOKEN.encode() in p.read_bytes()]
    main(["ls", str(tmp_path)])
    assert "RAW" not in capsys.readouterr().out


def test_unsafe_raw_writes_everything_and_says_so_everywhere(tmp_path, capsys):
    """At the start, at the end, in the cassette and in the list of cassettes."""
    err = told(tmp_path, "--unsafe-raw")

    assert "WARNING: redaction is off (--unsafe-raw): keys, passwords and personal data are " in err
    assert "redaction was OFF (--unsafe-raw): these cassettes hold every secret" in err
    (path,) = Shelf(tmp_path).paths()
    assert TOKEN.encode() in path.read_bytes()
    assert b'"redaction":{"off":true}' in path.read_bytes()
    main(["ls", str(tmp_path)])
    assert "1 RAW, secrets included" in " ".join(capsys.readouterr().out.split())


def test_rules_that_are_wrong_are_one_line_and_nothing_starts(tmp_path, capsys):
    (tmp_path / "redaction.toml").write_text('off = ["email"]\nallow = "x"\n')

    code = main(["record", "--shelf", str(tmp_path), "--", sys.executable, "-c", CLIENT])

    assert code == 4
    assert capsys.readouterr().err.endswith("redaction.toml: allow is not a list of texts\n")


def test_the_usual_clients_are_pointed_at_the_recorder(tmp_path):
    """And a command that asks for no answer is not a successful recording."""
    names = ("OLLAMA_HOST", "OLLAMA_BASE_URL", "OPENAI_BASE_URL", "ANTHROPIC_BASE_URL")
    code = f"import os; print(*(os.environ[name] for name in {names}))"

    async def scenario():
        async with Upstream(ollama) as upstream:
            # The upstream comes from the variable that the command will see changed.
            args = (
                "--listen",
                "127.0.0.1:0",
                "--shelf",
                tmp_path,
                "--",
                sys.executable,
                "-c",
                code,
            )
            return await finished(*args, OLLAMA_HOST=upstream.address.authority)

    code, out, err = run(scenario())
    host, base, openai, anthropic = out.split()
    assert host.startswith("http://127.0.0.1:")
    assert (base, openai, anthropic) == (host, f"{host}/v1", host)
    assert f"clients connect to {host}" in err
    assert code == 5
    assert err.splitlines()[-1].startswith("tonearm: nothing was recorded: the command sent no ")


def test_a_server_that_is_down_is_a_warning_and_the_reason_at_the_end(tmp_path):
    async def scenario():
        async with Upstream() as gone:
            pass
        args = ("--upstream", gone.address.url, "--listen", "127.0.0.1:0", "--shelf", tmp_path)
        return gone.address.url, await finished(*args, "--", sys.executable, "-c", CLIENT)

    url, (code, out, err) = run(scenario())
    assert code == 4
    assert json.loads(out)["error"].startswith(f"tonearm: cannot reach Ollama at {url}: ")
    assert f"warning: Ollama at {url} does not answer yet" in err
    assert f"no answer was recorded: Ollama at {url} could not be reached" in err
    assert [e.outcome for e in recorded(tmp_path)] == [Outcome.UPSTREAM_ERROR]


def test_a_port_in_use_is_one_line_and_the_command_is_not_run(tmp_path, capsys):
    marker = f"open({str(tmp_path / 'ran')!r}, 'w')"
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = f"127.0.0.1:{other.getsockname()[1]}"
        args = ("--upstream", "http://127.0.0.1:1", "--listen", taken, "--shelf", tmp_path / "s")
        code = main(["record", *map(str, args), "--", sys.executable, "-c", marker])

    out, err = capsys.readouterr()
    assert (code, out) == (4, "")
    assert err.count("\n") == 1
    assert f"cannot listen on {taken}: the port is in use" in err
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("args", "code", "problem"),
    [
        (("--listen", "0.0.0.0:11435"), 2, "other machines could reach this address"),
        (("--upstream", "127.0.0.1:11435"), 2, "the address that the recorder itself would"),
        (("--upstream", "http://gateway/ollama"), 2, "a path"),
        (("--listen", "127.0.0.1:0", "--", "no-such-command-anywhere"), 2, "cannot run"),
        (("--shelf", os.devnull + "/shelf"), 4, "cannot write to the shelf"),
    ],
)
def test_what_cannot_work_is_said_in_one_line(tmp_path, capsys, args, code, problem):
    shelf = () if "--shelf" in args else ("--shelf", str(tmp_path))
    assert main(["record", "--upstream", "http://127.0.0.1:1", *shelf, *args]) == code

    out, err = capsys.readouterr()
    assert out == ""
    assert problem in err.splitlines()[-1]


@POSIX
def test_a_signal_ends_the_recorder_after_the_answers_under_way(tmp_path):
    """SIGTERM lets a stream finish, flushes, and exits with 0."""

    async def scenario():
        finish = asyncio.Event()

        async def answer(exchange):
            if exchange.path != "/api/chat":
                return await ollama(exchange)
            await exchange.start()
            await exchange.chunk(ndjson(said("first")))
            await finish.wait()
            await exchange.chunk(ndjson(said("", done=True)))
            await exchange.end()

        args = ("--listen", "127.0.0.1:0", "--shelf", tmp_path)
        async with Upstream(answer) as up, started("--upstream", up.address.url, *args) as process:
            url = await address(process)
            async with (
                httpx.AsyncClient(base_url=url, timeout=LIMIT_S, trust_env=False) as client,
                client.stream("POST", "/api/chat", json=CHAT) as response,
            ):
                lines = response.aiter_lines()
                await anext(lines)
                process.send_signal(signal.SIGTERM)
                said_so = await process.stderr.readline()
                finish.set()
                assert [line async for line in lines]
            _, err = await process.communicate()
            return process.returncode, (said_so + err).decode()

    code, err = run(scenario())
    assert code == 0
    assert "clients with an answer under way: 1" in err
    assert "1 exchange recorded" in err
    (exchange,) = recorded(tmp_path)
    assert exchange.outcome is Outcome.COMPLETE
    assert exchange.response.body == ndjson(said("first"), said("", done=True))


@POSIX
def test_a_second_signal_cuts_what_does_not_finish(tmp_path):
    async def scenario():
        async def answer(exchange):
            if exchange.path != "/api/chat":
                return await ollama(exchange)
            await exchange.start()
            await exchange.chunk(ndjson(said("first")))
            await exchange.gone()

        args = ("--listen", "127.0.0.1:0", "--shelf", tmp_path)
        async with Upstream(answer) as up, started("--upstream", up.address.url, *args) as process:
            url = await address(process)
            async with (
                httpx.AsyncClient(base_url=url, timeout=LIMIT_S, trust_env=False) as client,
                client.stream("POST", "/api/chat", json=CHAT) as response,
            ):
                lines = response.aiter_lines()
                await anext(lines)
                process.send_signal(signal.SIGINT)
                await process.stderr.readline()
                process.send_signal(signal.SIGINT)
                await process.communicate()
            return process.returncode

    assert run(scenario()) == 0
    (exchange,) = recorded(tmp_path)
    assert exchange.outcome is Outcome.PROXY_STOPPED
    assert exchange.response.body == ndjson(said("first"))


@POSIX
@pytest.mark.parametrize(("reaction", "code"), [("sys.exit(9)", 9), ("os.abort()", 134)])
def test_a_signal_goes_to_the_command(tmp_path, reaction, code):
    """The recorder lives as long as the command, whatever that makes of the signal."""
    command = f"""
import os, signal, sys
def react(*_):
    {reaction}
signal.signal(signal.SIGTERM, react)
print("ready", flush=True)
signal.pause()
"""

    async def scenario():
        args = ("--upstream", "http://127.0.0.1:1", "--listen", "127.0.0.1:0")
        async with started(
            *args, "--shelf", tmp_path, "--", sys.executable, "-c", command
        ) as process:
            await process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            await process.communicate()
            return process.returncode

    assert run(scenario()) == code


def test_the_command_line_does_not_load_mitmproxy():
    """Every command pays for what is imported at the top of each."""
    code = "import sys, tonearm.commands.record; sys.exit('mitmproxy' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_summary_names_every_loss(tmp_path):
    tally = Tally(recorded=2, unanswered=1, passed=1, conversations=1, files=1)
    tally.lose("the queue to the writer was full", 3)

    tally.refused["its token is missing or wrong"] += 2

    assert [line for line, _ in summary(tally, tmp_path)] == [
        f"2 exchanges recorded: 1 conversation, 1 file in {tmp_path}; "
        "1 other request passed through",
        "1 exchange without an answer from Ollama",
        "2 requests refused: its token is missing or wrong",
        "3 exchanges LOST: the queue to the writer was full",
    ]
