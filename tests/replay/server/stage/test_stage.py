"""The stage between a client and an engine, every step of which the test decides."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.proxy.harness import LIMIT_S, connection, run
from tests.replay.server.harness import ANYWHERE
from tests.replay.server.stage.puppet import Puppet
from tonearm.arms.engine import EngineRefused
from tonearm.replay.server.front import Front
from tonearm.replay.server.stage.source import Stage
from tonearm.replay.server.stage.speech import Clock

MODEL = "puppet:e2b"
HELLO = [{"role": "user", "content": "Hi"}]
CALL = '<|tool_call>call:add{a:1,note:<|"|>x<|"|>}<tool_call|>'
ADD = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


@asynccontextmanager
async def visited(puppet, clock=None):
    """Serve a puppet; yield its address and an ordinary client."""
    async with Stage(puppet, MODEL, clock=clock) as stage:
        front = Front(stage)
        address = await front.start(ANYWHERE)
        try:
            async with httpx.AsyncClient(
                base_url=address.url, timeout=LIMIT_S, trust_env=False
            ) as client:
                yield address, client
        finally:
            await front.stop(0.0)


def ask(puppet, *bodies, path="/api/chat"):
    """Return the answers to requests, asked one after the other."""

    async def scenario():
        async with visited(puppet) as (_, client):
            return [await client.post(path, json={"model": MODEL} | body) for body in bodies]

    return run(scenario())


def objects(answer):
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def chat(puppet, **more):
    return objects(ask(puppet, {"messages": HELLO, "think": False} | more)[0])


def said(pieces, name):
    return "".join(piece["message"].get(name, "") for piece in pieces)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 99])
def test_a_call_that_is_cut_anywhere_comes_out_whole_and_alone(size):
    text = f"I see.{CALL}"
    cut = [text[at : at + size] for at in range(0, len(text), size)]

    pieces = chat(Puppet([cut]), tools=[ADD])

    calls = [piece["message"]["tool_calls"] for piece in pieces if "tool_calls" in piece["message"]]
    assert [[call["function"] for call in made] for made in calls] == [
        [{"index": 0, "name": "add", "arguments": {"a": 1, "note": "x"}}]
    ]
    assert said(pieces, "content") == "I see."
    assert pieces[-1]["done_reason"] == "stop"


def test_content_thoughts_and_counts_are_told_apart():
    puppet = Puppet([["<|channel>", "thought", "\n", "Hm", ".", "<channel|>", "Yes", "."]])

    pieces = chat(puppet, think=True)

    assert (said(pieces, "thinking"), said(pieces, "content")) == ("Hm.", "Yes.")
    last = pieces[-1]
    assert list(last) == [
        *("model", "created_at", "message", "done", "done_reason", "total_duration"),
        *("load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count"),
        "eval_duration",
    ]
    assert (last["eval_count"], last["eval_duration"]) == (9, 500_000_000)
    assert last["prompt_eval_count"] == len(puppet.passages[0].ids)


def test_a_thought_that_was_not_wanted_is_not_sent():
    pieces = chat(Puppet([["<|channel>", "thought\n", "Hm.", "<channel|>", "Yes."]]))

    assert said(pieces, "content") == "Yes."
    assert not any("thinking" in piece["message"] for piece in pieces)


@pytest.mark.parametrize(("tools", "kept"), [([ADD], True), ([], False)])
def test_an_answer_in_one_piece_forgets_calls_of_tools_that_nobody_declared(tools, kept):
    (whole,) = chat(Puppet([list(CALL)]), tools=tools, stream=False)

    assert ("tool_calls" in whole["message"]) is kept


def test_a_stream_stays_unfinished_where_the_engine_repeats_itself():
    pieces = chat(Puppet([["na ", "na"] * 40]))

    assert [piece["done"] for piece in pieces] == [False] * 31


def test_a_format_waits_for_the_thought_and_binds_what_follows():
    puppet = Puppet([["<|channel>", "thought\n", "Hm.", "<channel|>", "x", "y"], ["{", "}"]])

    pieces = chat(puppet, think=True, format="json")

    assert (said(pieces, "thinking"), said(pieces, "content")) == ("Hm.", "{}")
    free, bound = puppet.passages
    assert free.grammar is None
    assert "object" in bound.grammar
    assert "Hm." in "".join(map(chr, bound.ids))


def test_a_format_without_a_thought_binds_at_once():
    puppet = Puppet([["{", "}"]])

    chat(puppet, format={"type": "object"})

    assert [passage.schema for passage in puppet.passages] == [{"type": "object"}]


def test_options_reach_the_engine_with_ollamas_own_stop_beneath_them():
    puppet = Puppet([["x"]])
    ask(
        puppet,
        {"messages": HELLO, "options": {"top_k": 5.0, "num_predict": -1, "nope": 1}},
        {"messages": HELLO, "options": {"stop": ["."], "num_ctx": 64}},
    )

    first, second = puppet.passages
    assert first.options == {"stop": ["<turn|>"], "top_k": 5, "num_predict": 40960}
    assert second.options["stop"] == ["."]
    assert puppet.loads == [(4096, True), (64, True)]


def test_the_oldest_messages_make_room_and_the_system_stays():
    puppet = Puppet([["x"]])
    history = [
        {"role": "system", "content": "Short."},
        *({"role": "user", "content": f"number {n}"} for n in range(20)),
    ]

    chat(puppet, messages=history, options={"num_ctx": 150})

    prompt = "".join(map(chr, puppet.passages[0].ids))
    assert "Short." in prompt
    assert "number 19" in prompt
    assert "number 3" not in prompt
    assert len(prompt) <= 150


def test_a_message_too_long_keeps_its_beginning_and_its_end():
    puppet = Puppet([["x"]])

    chat(puppet, messages=[{"role": "user", "content": "abc" * 99}], options={"num_ctx": 100})

    prompt = "".join(map(chr, puppet.passages[0].ids))
    assert len(prompt) == 100 - (100 - 5) // 2
    assert prompt.startswith("<bos>")
    assert prompt.endswith("<|turn>model\n")


def test_without_shift_a_message_too_long_is_refused():
    body = {"messages": [{"role": "user", "content": "x" * 99}], "shift": False}

    (answer,) = ask(Puppet([["x"]]), body | {"options": {"num_ctx": 50}, "stream": False})

    assert answer.status_code == 400
    assert "longer than the context length" in answer.json()["error"]


def test_a_raw_prompt_is_continued_as_it_is_with_one_beginning():
    puppet = Puppet([["a", "<|channel>", " "]])

    (answer,) = ask(
        puppet,
        {"prompt": "<bos>Once", "raw": True, "stream": False},
        path="/api/generate",
    )

    assert "".join(map(chr, puppet.passages[0].ids)) == "<bos>Once"
    assert puppet.passages[0].markers == ()
    body = answer.json()
    assert body["response"] == "a<|channel> "
    assert "context" not in body


def test_the_tokens_of_an_earlier_answer_stand_before_the_prompt():
    puppet = Puppet([["x"]])
    body = {"prompt": "Hi", "stream": False, "think": False, "context": [65, 66]}

    (answer,) = ask(puppet, body, path="/api/generate")

    prompt = "".join(map(chr, puppet.passages[0].ids))
    assert prompt.startswith("<bos>AB<bos>")
    assert "".join(map(chr, answer.json()["context"])) == prompt.removeprefix("<bos>") + "x"


def test_log_probs_come_with_their_tokens():
    (piece, _) = chat(Puppet([["é"]]), logprobs=True, top_logprobs=1)

    entry = {"token": "é", "logprob": -0.5, "bytes": [195, 169]}
    assert piece["logprobs"] == [entry | {"top_logprobs": [entry]}]


@pytest.mark.parametrize("stream", [True, False])
def test_what_the_engine_refuses_is_told_with_its_status(stream):
    refusal = EngineRefused("puppet", "no", status=418, body='{"error":"no"}')

    (answer,) = ask(Puppet([[]], refusal=refusal), {"messages": HELLO, "stream": stream})

    assert (answer.status_code, answer.json()) == (418, {"error": '{"error":"no"}'})


def test_answers_come_one_after_the_other_and_nothing_else_waits():
    async def scenario():
        puppet = Puppet([["a", "b"]], go=asyncio.Event())
        async with visited(puppet) as (_, client):
            bodies = [{"model": MODEL, "messages": HELLO, "think": False}] * 3
            asked = [asyncio.create_task(client.post("/api/chat", json=b)) for b in bodies]
            await puppet.begun.wait()
            version = await client.get("/api/version")
            talking = puppet.talking
            puppet.go.set()
            return version, talking, [objects(await answer) for answer in asked]

    version, talking, answers = run(scenario())
    assert version.status_code == 200
    assert talking == 1
    assert [said(pieces, "content") for pieces in answers] == ["ab"] * 3


def test_a_client_that_leaves_ends_its_answer_and_the_next_one_begins():
    async def scenario():
        puppet = Puppet([["a", "b"]], go=asyncio.Event())
        body = json.dumps({"model": MODEL, "messages": HELLO, "think": False}).encode()
        async with visited(puppet) as (address, client):
            async with connection(address) as leaver:
                await leaver.post("/api/chat", body, host="localhost")
                await leaver.until(b'"content":"a"')
            await puppet.over.wait()
            talking = puppet.talking
            puppet.go.set()
            return talking, objects(await client.post("/api/chat", content=body))

    talking, pieces = run(scenario())
    assert talking == 0
    assert said(pieces, "content") == "ab"


def test_a_client_that_does_not_read_holds_nobody_up():
    async def scenario():
        puppet = Puppet([[f"{n:1000}" for n in range(20_000)]])
        body = json.dumps({"model": MODEL, "messages": HELLO, "think": False}).encode()
        async with visited(puppet) as (address, _), connection(address) as idler:
            await idler.post("/api/chat", body, host="localhost")
            await puppet.over.wait()
            return puppet.talking

    assert run(scenario()) == 0


def test_the_model_is_listed_as_loaded_until_its_time_is_over():
    now = 1_700_000_000_123_456_700

    async def scenario():
        clock = Clock(now_ns=lambda: times[-1])
        times = [now]
        async with visited(Puppet([["x"]]), clock=clock) as (_, client):

            async def loaded():
                return (await client.get("/api/ps")).json()["models"]

            first = await loaded()
            await client.post("/api/chat", json={"model": MODEL, "keep_alive": "1m"})
            (second,) = await loaded()
            times.append(now + 61_000_000_000)
            return first, second, await loaded()

    first, second, third = run(scenario())
    assert (first, third) == ([], [])
    assert second["expires_at"] == "2023-11-14T22:14:20.1234567Z"
    assert second["context_length"] == 4096


def test_a_client_of_http_1_0_gets_the_stream_without_chunks():
    body = json.dumps({"model": MODEL, "messages": HELLO, "think": False}).encode()

    async def scenario():
        async with visited(Puppet([["a"]])) as (address, _), connection(address) as client:
            head = f"POST /api/chat HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n"
            await client.send(head.encode() + body)
            return (await client.reader.read()).decode()

    head, _, rest = run(scenario()).partition("\r\n\r\n")
    assert "chunked" not in head
    assert [json.loads(line)["done"] for line in rest.splitlines()] == [False, True]
