"""The recorder as a script of a mitmproxy that somebody else starts."""

import asyncio
import importlib.util
import sys
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

import tonearm.proxy
from tests.proxy.harness import CHAT, LIMIT_S, Upstream, ndjson, run, said
from tonearm.cassette import Shelf, load
from tonearm.model import Outcome

ROOM = Path(tonearm.proxy.__file__).parent
MITMDUMP = Path(sys.executable).with_name("mitmdump")


def command(upstream, port, shelf):
    """The command line of docs/record.md."""
    options = {
        "tonearm_shelf": shelf,
        "connection_strategy": "lazy",
        "keep_host_header": "true",
        "tcp_timeout": "86400",
    }
    sets = [part for name, value in options.items() for part in ("--set", f"{name}={value}")]
    return [
        MITMDUMP,
        *("--mode", f"reverse:{upstream}"),
        *("--listen-host", "127.0.0.1", "--listen-port", str(port)),
        *("-s", ROOM / "script.py"),
        *sets,
    ]


async def listening(process):
    """Return the address that mitmdump says it has taken."""
    while line := (await process.stdout.readline()).decode():
        if " listening at " in line:
            return "http://" + line.rsplit(" listening at ", 1)[1].strip().rstrip(".")
    pytest.fail("mitmdump ended without listening")


def test_mitmdump_records_with_the_same_addon(tmp_path):
    """Streamed piece by piece, flushed on SIGTERM, an answer under way included."""

    async def scenario():
        had_first = asyncio.Event()

        async def answer(exchange):
            await exchange.start()
            await exchange.chunk(ndjson(said("first")))
            await had_first.wait()
            if b"forever" in exchange.body:
                await exchange.gone()
            else:
                await exchange.chunk(ndjson(said("", done=True)))
                await exchange.end()

        async with Upstream(answer) as upstream:
            process = await asyncio.create_subprocess_exec(
                *command(upstream.address.url, 0, tmp_path / "shelf"),
                "--set",
                f"confdir={tmp_path}",
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            try:
                url = await listening(process)
                async with httpx.AsyncClient(base_url=url, timeout=LIMIT_S, trust_env=False) as c:
                    async with c.stream("POST", "/api/chat", json=CHAT) as response:
                        async for _ in response.aiter_lines():
                            had_first.set()
                    body = {"model": "m", "messages": [{"role": "user", "content": "forever"}]}
                    async with c.stream("POST", "/api/chat", json=body) as response:
                        lines = response.aiter_lines()
                        await anext(lines)
                        process.terminate()
                        await process.communicate()
                assert process.returncode == 0
            finally:
                with suppress(ProcessLookupError):
                    process.kill()

    run(scenario())
    exchanges = [e for path in Shelf(tmp_path / "shelf").paths() for e in load(path).exchanges]
    found = {e.outcome: e.response.body for e in exchanges}
    assert found == {
        Outcome.COMPLETE: ndjson(said("first"), said("", done=True)),
        Outcome.PROXY_STOPPED: ndjson(said("first")),
    }


def test_a_shelf_that_cannot_be_written_stops_mitmdump_at_the_start(tmp_path):
    (tmp_path / "file").touch()

    async def scenario():
        process = await asyncio.create_subprocess_exec(
            *command("http://127.0.0.1:1", 0, tmp_path / "file" / "shelf"),
            "--set",
            f"confdir={tmp_path}",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await process.communicate()
        finally:
            with suppress(ProcessLookupError):
                process.kill()
        assert process.returncode == 1
        assert b"cannot write to the shelf" in output

    run(scenario())


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.py")), ids=lambda path: path.name)
def test_no_file_beside_the_script_hides_a_module_of_that_name(path):
    """mitmproxy puts the folder of a script first on the import path while it loads it."""
    name = path.stem
    elsewhere = importlib.util.find_spec(name) if name != "__init__" else None

    assert name not in sys.stdlib_module_names
    assert elsewhere is None
