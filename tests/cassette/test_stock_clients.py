"""Stock vcrpy replays our file to the clients that agents are made of."""

import asyncio
import gzip
import json
from dataclasses import replace

import aiohttp
import httpx
import ollama
import pytest
import requests
import vcr

from tests.cassette import samples
from tonearm.cassette import CassetteWriter

HOST = samples.URI.removesuffix("/api/chat")
MESSAGES = samples.QUESTION["messages"]


@pytest.fixture
def cassette(tmp_path):
    """Our file with a streamed answer and one in a piece, replayed by vcrpy and never written."""
    path = tmp_path / "ours.yaml"
    with CassetteWriter(path) as writer:
        writer.append(samples.streamed())
        writer.append(samples.whole())
    before = path.read_bytes()
    with vcr.use_cassette(str(path), record_mode="none") as tape:
        yield tape
    assert path.read_bytes() == before


def joined(parts):
    """Return the message that the parts of a stream make, as plain values."""
    messages = [part.message.model_dump(exclude_none=True) for part in parts]
    return {
        "role": messages[0]["role"],
        "content": "".join(m.get("content", "") for m in messages),
        "thinking": "".join(m.get("thinking", "") for m in messages),
        "tool_calls": [call for m in messages for call in m.get("tool_calls", [])],
    }


def expected():
    """Return the recorded message as ollama's client knows it: without call ids and indices."""
    (call,) = samples.WHOLE_MESSAGE["tool_calls"]
    function = {k: v for k, v in call["function"].items() if k != "index"}
    return samples.WHOLE_MESSAGE | {"tool_calls": [{"function": function}]}


def test_ollama_streaming_and_whole(cassette):
    client = ollama.Client(host=HOST, trust_env=False)

    parts = list(client.chat(samples.MODEL, MESSAGES, stream=True))
    answer = client.chat(samples.MODEL, MESSAGES, stream=False)

    assert joined(parts) == expected()
    assert len(parts) == len(samples.PIECES) + 1
    assert (parts[-1].done, parts[-1].eval_count) == (True, 41)
    assert answer.message.model_dump(exclude_none=True) == expected()
    assert cassette.all_played


def test_ollama_async_streaming_and_whole(cassette):
    async def talk():
        client = ollama.AsyncClient(host=HOST, trust_env=False)
        stream = await client.chat(samples.MODEL, MESSAGES, stream=True)
        parts = [part async for part in stream]
        return parts, await client.chat(samples.MODEL, MESSAGES, stream=False)

    parts, answer = asyncio.run(talk())

    assert joined(parts) == expected()
    assert answer.message.model_dump(exclude_none=True) == expected()
    assert cassette.all_played


def test_httpx_plain_and_stream(cassette):
    body = samples.streamed().request.body
    with httpx.Client(trust_env=False) as client:
        with client.stream("POST", samples.URI, content=body) as response:
            streamed = b"".join(response.iter_bytes())
        whole = client.post(samples.URI, content=body)

    assert streamed == samples.streamed().response.body
    assert response.headers["content-type"] == "application/x-ndjson"
    assert whole.content == samples.whole().response.body
    assert cassette.all_played


def test_requests_stream_and_plain(cassette):
    body = samples.streamed().request.body
    with requests.Session() as session:
        session.trust_env = False
        with session.post(samples.URI, data=body, stream=True) as response:
            streamed = b"".join(response.iter_content(64))
        whole = session.post(samples.URI, data=body)

    assert streamed == samples.streamed().response.body
    assert response.headers["Content-Type"] == "application/x-ndjson"
    assert whole.content == samples.whole().response.body
    assert cassette.all_played


def test_aiohttp_stream_and_plain(cassette):
    async def talk():
        body = samples.streamed().request.body
        async with aiohttp.ClientSession() as session:
            async with session.post(samples.URI, data=body) as response:
                lines = [line async for line in response.content]
            async with session.post(samples.URI, data=body) as response:
                return lines, await response.read()

    lines, whole = asyncio.run(talk())

    assert lines == samples.streamed().response.body.splitlines(keepends=True)
    assert whole == samples.whole().response.body
    assert cassette.all_played


def test_the_body_can_be_matched_on(tmp_path):
    path = tmp_path / "ours.yaml"
    with CassetteWriter(path) as writer:
        writer.append(samples.streamed())
        writer.append(samples.whole())

    with (
        vcr.use_cassette(str(path), record_mode="none", match_on=["method", "uri", "body"]),
        httpx.Client(trust_env=False) as client,
    ):
        whole = client.post(samples.URI, content=samples.whole().request.body)

    assert whole.content == samples.whole().response.body


def test_a_compressed_body_is_replayed_with_the_header_that_says_so(tmp_path):
    """Bytes and ``content-encoding`` stay together; the client takes the coding off."""
    path = tmp_path / "ours.yaml"
    plain = samples.whole()
    coded = replace(
        plain.response,
        headers=(*plain.response.headers, ("Content-Encoding", "gzip")),
        body=gzip.compress(plain.response.body),
    )
    with CassetteWriter(path) as writer:
        writer.append(replace(plain, response=coded))

    with (
        vcr.use_cassette(str(path), record_mode="none"),
        httpx.Client(trust_env=False) as client,
    ):
        answer = client.post(samples.URI, content=b"{}")

    assert answer.json() == json.loads(plain.response.body)


def test_a_header_that_the_stubs_cannot_hold_does_not_break_the_replay(tmp_path):
    """vcrpy's stub for httpx fails on a reason or a header that is not ASCII."""
    path = tmp_path / "ours.yaml"
    odd = replace(
        samples.whole().response,
        reason="Déjà vu",
        headers=(("X-Name", "Amélie\udcff"), ("é" * 3000, "x")),
    )
    with CassetteWriter(path) as writer:
        writer.append(replace(samples.whole(), response=odd))

    with (
        vcr.use_cassette(str(path), record_mode="none"),
        httpx.Client(trust_env=False) as client,
    ):
        answer = client.post(samples.URI, content=b"{}")

    assert answer.content == odd.body
    assert answer.reason_phrase == "D?j? vu"
