"""The relay changes what the fault says, and nothing else."""

import json
from contextlib import asynccontextmanager

import httpx

from tests.proxy.harness import CHAT, Upstream, ndjson, run, said
from tonearm.demo.relay import Fault, Relay


async def answer(exchange):
    await exchange.answer(ndjson(said("hel"), said("lo")), ndjson(said("", done=True)))


@asynccontextmanager
async def through(fault, handler=answer):
    async with (
        Upstream(handler) as upstream,
        Relay(upstream.address.url, fault) as relay,
        httpx.AsyncClient(base_url=relay.url, trust_env=False) as client,
    ):
        yield client, upstream


def test_without_a_fault_everything_passes_as_it_came():
    async def scenario():
        async with through(Fault()) as (client, upstream):
            reply = await client.post("/api/chat", json=CHAT)

            assert json.loads(upstream.seen[0].body) == CHAT
            assert [json.loads(x) for x in reply.text.splitlines()] == [
                said("hel"),
                said("lo"),
                said("", done=True),
            ]
            assert reply.headers["content-type"] == "application/x-ndjson"

    run(scenario())


def test_a_fault_changes_the_request_and_single_lines_of_the_answer():
    fault = Fault(
        request=lambda body: body | {"model": "other"},
        reply=lambda line: None if line["done"] else line | {"seen": True},
    )

    async def scenario():
        async with through(fault) as (client, upstream):
            reply = await client.post("/api/chat", json=CHAT)

            assert json.loads(upstream.seen[0].body) == CHAT | {"model": "other"}
            lines = [json.loads(x) for x in reply.text.splitlines()]
            assert lines == [said("hel") | {"seen": True}, said("lo") | {"seen": True}]

    run(scenario())


def test_other_endpoints_and_their_queries_are_left_alone():
    async def other(exchange):
        await exchange.answer(b'{"a": 1}\n', status="404 Not Found")

    fault = Fault(request=lambda body: {}, reply=lambda line: None)

    async def scenario():
        async with through(fault, other) as (client, upstream):
            reply = await client.post("/api/show?x=%20y", content=b'{"model":"m"}')

            assert (reply.status_code, reply.text) == (404, '{"a": 1}\n')
            (seen,) = upstream.seen
            assert (seen.method, seen.path, seen.body) == (
                "POST",
                "/api/show?x=%20y",
                b'{"model":"m"}',
            )

    run(scenario())
