"""The clients that agents are made of cannot tell recordings from Ollama."""

import asyncio
import json
from contextlib import contextmanager

import aiohttp
import httpx
import ollama
import pytest
import requests

from tests.cassette import samples
from tests.replay.server.harness import asks, last, line, streamed, whole, write
from tonearm.model import Outcome
from tonearm.replay.server.background import Background
from tonearm.replay.server.loading import load_stock
from tonearm.replay.server.recordings import Recordings

QUESTION = dict(samples.QUESTION)
CALL = samples.WHOLE_MESSAGE["tool_calls"][0]["function"]


@contextmanager
def served(folder, *exchanges):
    """Serve exchanges on a thread of their own; yield the URL."""
    stock = load_stock([write(folder / "a.yaml", exchanges)])
    with Background(Recordings(stock)) as running:
        yield running.address.url


@pytest.fixture
def url(tmp_path):
    """A server of a streamed answer and of the same in a piece."""
    with served(tmp_path, samples.streamed(), samples.whole()) as url:
        yield url


def check_parts(parts):
    """See that the parts of a stream are those that were recorded."""
    messages = [part.message for part in parts]
    assert [m.content for m in messages] == [
        *(piece["content"] for piece in samples.PIECES),
        "",
    ]
    assert "".join(m.thinking or "" for m in messages) == samples.WHOLE_MESSAGE["thinking"]
    (call,) = [call for m in messages for call in m.tool_calls or ()]
    assert (call.function.name, call.function.arguments) == (CALL["name"], CALL["arguments"])
    assert (parts[-1].done, parts[-1].done_reason, parts[-1].eval_count) == (True, "stop", 41)


def check_whole(answer):
    """See that an answer in one piece is the one that was recorded."""
    assert answer.message.content == samples.WHOLE_MESSAGE["content"]
    assert answer.message.thinking == samples.WHOLE_MESSAGE["thinking"]
    assert answer.message.tool_calls[0].function.arguments == CALL["arguments"]
    assert answer.total_duration == samples.COUNTS["total_duration"]


def sync_client(url):
    return ollama.Client(host=url, trust_env=False)


def test_ollama_sync(url):
    with sync_client(url) as client:
        check_parts(list(client.chat(**QUESTION, stream=True)))
        check_whole(client.chat(**QUESTION, stream=False))


def test_ollama_async(url):
    async def talk():
        async with ollama.AsyncClient(host=url, trust_env=False) as client:
            parts = [part async for part in await client.chat(**QUESTION, stream=True)]
            return parts, await client.chat(**QUESTION, stream=False)

    parts, answer = asyncio.run(talk())
    check_parts(parts)
    check_whole(answer)


def test_ollamas_other_questions(url):
    with sync_client(url) as client:
        (listed,) = client.list().models
        (loaded,) = client.ps().models
        shown = client.show(samples.MODEL)
        unloaded = client.generate(samples.MODEL, keep_alive=0)

    assert (listed.model, listed.digest) == (samples.MODEL, samples.PIN.digest)
    assert (loaded.model, loaded.context_length) == (samples.MODEL, samples.PIN.num_ctx)
    assert shown.capabilities == list(samples.PIN.capabilities)
    assert unloaded.done_reason == "unload"


def test_ollama_shows_why_there_is_no_answer(url):
    changed = QUESTION | {"options": QUESTION["options"] | {"seed": 8}}

    with (
        sync_client(url) as client,
        pytest.raises(ollama.ResponseError, match=r"options\.seed: recorded 7, asked 8") as caught,
    ):
        client.chat(**changed)

    assert caught.value.status_code == 400


def said(text):
    """Return the request that ollama's client makes of a text; it always sends tools."""
    return asks(text, tools=[])


def test_ollama_fails_as_it_failed(tmp_path):
    exchanges = [
        streamed(said("error"), line("x"), b'{"error":"engine died"}\n'),
        streamed(said("cut"), line("x"), line("y")[:9], outcome=Outcome.UPSTREAM_ABORTED),
        whole(said("http"), {"error": "model is busy"}, status=500),
    ]
    with served(tmp_path, *exchanges) as url, sync_client(url) as client:
        with pytest.raises(ollama.ResponseError, match="engine died"):
            list(client.chat(**said("error"), stream=True))
        with pytest.raises(httpx.RemoteProtocolError):
            list(client.chat(**said("cut"), stream=True))
        with pytest.raises(ollama.ResponseError, match="model is busy") as caught:
            list(client.chat(**said("http"), stream=True))

    assert caught.value.status_code == 500


def test_a_separator_that_python_takes_for_a_line_end_breaks_no_converted_stream(tmp_path):
    """httpx, and so ollama's client, cuts lines at U+0085 and U+2028 as they are."""
    reply = json.loads(last()) | {"message": {"role": "assistant", "content": "a\u0085b\u2028c"}}
    exchange = whole(said("a") | {"stream": False}, reply)
    with served(tmp_path, exchange) as url, sync_client(url) as client:
        parts = list(client.chat(**said("a"), stream=True))

    assert "".join(part.message.content for part in parts) == "a\u0085b\u2028c"


def test_httpx(url):
    body = samples.streamed().request.body
    with httpx.Client(base_url=url, trust_env=False) as client:
        with client.stream("POST", "/api/chat", content=body) as response:
            streamed_body = b"".join(response.iter_bytes())
        answer = client.post("/api/chat", content=samples.whole().request.body)

    assert streamed_body == samples.streamed().response.body
    assert [*response.headers.items()] == [
        (name.lower(), value) for name, value in samples.streamed().response.headers
    ]
    assert answer.content == samples.whole().response.body


def test_requests(url):
    with requests.Session() as session:
        session.trust_env = False
        with session.post(
            f"{url}/api/chat", data=samples.streamed().request.body, stream=True
        ) as response:
            pieces = list(response.iter_content(chunk_size=None))
        answer = session.post(f"{url}/api/chat", data=samples.whole().request.body)

    assert b"".join(pieces) == samples.streamed().response.body
    assert answer.content == samples.whole().response.body


def test_aiohttp_sees_the_chunks_that_were_recorded(url):
    async def talk():
        async with aiohttp.ClientSession() as session:
            body = samples.streamed().request.body
            async with session.post(f"{url}/api/chat", data=body) as response:
                chunks = [data async for data, _ in response.content.iter_chunks()]
            body = samples.whole().request.body
            async with session.post(f"{url}/api/chat", data=body) as response:
                return chunks, await response.read()

    chunks, answer = asyncio.run(talk())
    assert chunks == samples.streamed().response.body.splitlines(keepends=True)
    assert answer == samples.whole().response.body
