"""An agent meets a password: recorded, stitched, listed and served again without it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from itertools import accumulate

import pytest

from tests.proxy.harness import LIMIT_S, Upstream, ndjson, run
from tonearm import wire
from tonearm.cassette import Shelf, load
from tonearm.model import Link
from tonearm.stitch import Stitcher

PASSWORD = "Harbor!7qTz90Lm"

AGENT = f"""
import json, os, ollama
client = ollama.Client(host=os.environ["OLLAMA_HOST"])
messages = [{{"role": "user", "content": "log in for me"}}]
told = []
for turn in range(3):
    content, calls = "", []
    for part in client.chat(model="m", messages=messages, stream=True):
        content += part.message.content or ""
        calls += part.message.tool_calls or []
    messages.append({{"role": "assistant", "content": content,
                     "tool_calls": [call.model_dump() for call in calls]}})
    told.append([content, [dict(call.function.arguments) for call in calls]])
    for call in calls:
        result = "HOST=db1\\nDB_PASSWORD={PASSWORD}\\n" if turn == 0 else "welcome"
        messages.append({{"role": "tool", "tool_name": call.function.name, "content": result}})
print(json.dumps(told))
"""


async def model(exchange):
    """Read a file, log in with the password that was in it, and say it, three letters a piece."""
    if exchange.path != "/api/chat":
        return await exchange.answer(b"{}")
    messages = json.loads(exchange.body)["messages"]
    if len(messages) == 1:
        return await exchange.answer(*calls("read", path=".env"))
    found = messages[2]["content"].partition("DB_PASSWORD=")[2].strip()
    if len(messages) == 3:
        return await exchange.answer(*calls("login", user="root", password=found))
    text = f"I logged in; the password is {found}. Done."
    pieces = [text[at : at + 3] for at in range(0, len(text), 3)]
    lines = [ndjson(reply(content=piece)) for piece in pieces]
    return await exchange.answer(*lines, ndjson(reply(done=True, content="")))


def reply(*, done=False, **message):
    return {"model": "m", "message": {"role": "assistant", **message}, "done": done}


def calls(name, **arguments):
    call = {"function": {"name": name, "arguments": arguments}}
    yield ndjson(reply(content="", tool_calls=[call]))
    yield ndjson(reply(done=True, content=""))


async def output(*command, **env):
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        env=os.environ | {"OLLAMA_HOST": ""} | env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), LIMIT_S)
    assert process.returncode == 0, err.decode()
    return json.loads(out)


async def record(shelf):
    """Return what the agent was told while it was recorded."""
    tonearm = (sys.executable, "-m", "tonearm", "record", "--listen", "127.0.0.1:0")
    async with Upstream(model) as upstream:
        options = ("--upstream", upstream.address.url, "--shelf", shelf)
        return await output(*tonearm, *options, "--", sys.executable, "-c", AGENT)


async def replay(shelf):
    """Return what the same agent is told by the recording."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tonearm", "serve", str(shelf), "--listen", "127.0.0.1:0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        url = (await process.stdout.readline()).decode().strip()
        return await output(sys.executable, "-c", AGENT, OLLAMA_HOST=url)
    finally:
        process.send_signal(signal.SIGTERM)
        await process.communicate()


@pytest.mark.skipif(os.name == "nt", reason="signals of this kind are POSIX")
def test_an_agent_that_meets_a_password_is_recorded_and_served_without_it(tmp_path):
    told = run(record(tmp_path))
    assert told[1] == ["", [{"user": "root", "password": PASSWORD}]]
    assert told[2] == [f"I logged in; the password is {PASSWORD}. Done.", []]

    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert [p.name for p in files if PASSWORD.encode() in p.read_bytes()] == []
    (path,) = Shelf(tmp_path).paths()
    exchanges = load(path).exchanges
    stitcher = Stitcher()
    links = [stitcher.add(exchange).link for exchange in exchanges]
    assert links == [Link.START, Link.NEXT, Link.NEXT]
    found = json.loads(exchanges[1].request.body)["messages"][2]["content"]
    stand_in = found.partition("DB_PASSWORD=")[2].strip()
    assert len(stand_in) == len(PASSWORD)
    (call,) = wire.exchange_reply(exchanges[1]).message["tool_calls"]
    assert call["function"]["arguments"] == {"user": "root", "password": stand_in}
    last = exchanges[2]
    assert wire.exchange_reply(last).message["content"].endswith(f" is {stand_in}. Done.")
    lines = last.response.body.splitlines(keepends=True)
    assert {chunk.end for chunk in last.chunks} <= set(accumulate(map(len, lines)))

    again = run(replay(tmp_path))

    assert json.dumps(again) == json.dumps(told).replace(PASSWORD, stand_in)
