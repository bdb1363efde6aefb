"""The causes as real servers show them, old and new."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.engines import OLLAMA_VERSIONS, tiny_gguf
from tests.replay.translator import conversations, vectors
from tests.replay.translator.test_check import ALREADY_MAPPED, from_entry
from tonearm.arms import ArmOptions, load
from tonearm.bakeoff.loop import Agent, run_task
from tonearm.bakeoff.tasks import load_tasks
from tonearm.model import ChatRequest, Layer, Pin, Rendered, Take, WireShape
from tonearm.replay.translator import check
from tonearm.replay.translator.causes import Cause, habits
from tonearm.templates import get

pytestmark = pytest.mark.ollama


@pytest.fixture(scope="module", params=OLLAMA_VERSIONS)
def server(request, ollama_server):
    return ollama_server(request.param)


def revision(server):
    """Return what this release does and the newest does not."""
    return {cause.value for cause in habits(server.version) - habits(None)}


def post(server, path, body):
    return httpx.post(server.url + path, json=body, timeout=300, trust_env=False)


def rendered(server, request, **more):
    """Return a take of which only the prompt was asked for; nothing is generated."""
    body = {"model": server.model, "options": {"num_ctx": 2048}} | request.body | more
    answer = post(server, "/api/chat", body | {"stream": False, "_debug_render_only": True})
    pin = Pin(
        model=body["model"],
        server_version=server.version,
        capabilities=("completion", "tools", "thinking"),
    )
    if answer.status_code != 200:
        words = answer.json()["error"]
        shape = WireShape(status=answer.status_code, error=words)
        return Take(arm="a", translated=True, wire=shape, error=words, pin=pin)
    prompt = answer.json()["_debug_info"]["rendered_template"]
    return Take(arm="a", translated=True, rendered=Rendered(prompt=prompt), pin=pin)


def causes(server, request, **more):
    return {finding.cause for finding in check(request, rendered(server, request, **more)).findings}


def without_model(request):
    return ChatRequest(body={k: v for k, v in request.body.items() if k != "model"})


@pytest.mark.parametrize("entry", vectors.divergences(), ids=lambda e: e["id"])
def test_each_class_is_found_in_the_prompt_of_a_server(server, entry):
    clean = entry["equal"] or entry["class"] in ALREADY_MAPPED
    expected = set() if clean else {vectors.CAUSES[entry["class"]]}

    found = causes(server, without_model(from_entry(entry)))

    assert found - revision(server) == expected


def test_every_prompt_of_made_up_conversations_is_explained(server):
    for seed in range(60):
        request = without_model(ChatRequest(body=conversations.request(seed)))

        assert "unexplained" not in causes(server, request), f"seed {seed}"


def test_dropped_messages_are_found_where_the_context_is_too_short(server):
    words = "one two three four five six seven eight nine ten " * 8
    turns = [
        {"role": role, "content": f"{number} {words}"}
        for number in range(6)
        for role in ("user", "assistant")
    ]
    system = {"role": "system", "content": "Be brief."}
    last = {"role": "user", "content": "And now?"}
    request = ChatRequest(body={"messages": [system, *turns, last], "think": False})

    (finding,) = check(request, rendered(server, request, options={"num_ctx": 512})).findings

    assert (finding.cause, finding.severity) == ("history-dropped", 3)
    assert finding.summary.endswith("of 14")
    assert "Be brief." in finding.left
    assert "Be brief." in finding.right


def test_a_system_message_of_the_model_is_found(server):
    name = "pirate:e2b"
    body = {"model": name, "from": server.model, "system": "You are a pirate.", "stream": False}
    post(server, "/api/create", body).raise_for_status()
    request = ChatRequest(body={"messages": [{"role": "user", "content": "Hi"}], "think": False})

    (finding,) = check(request, rendered(server, request, model=name)).findings

    assert finding.cause == "modelfile-system"
    assert "You are a pirate." in finding.right


def test_the_variant_of_the_other_size_is_found(server):
    request = ChatRequest(body={"messages": [{"role": "user", "content": "Hi"}], "think": False})

    (finding,) = check(request, rendered(server, request), get("gemma4-large")).findings

    assert finding.cause == "empty-thought-of-other-variant"


def test_thinking_is_on_where_the_request_does_not_say(server):
    request = ChatRequest(body={"messages": [{"role": "user", "content": "Hi"}]})
    seen = rendered(server, request)

    assert check(request, seen).findings == ()
    assert "<|think|>" in seen.rendered.prompt


def play(server, model, tasks, options, **settings):
    """Return the requests of agents on their way, each with what arm A saw."""
    turns = []

    async def conversation():
        arm = load("ollama-json", ArmOptions(url=server.url))
        await arm.open([model])

        async def ask(request):
            take = await arm.play(request)
            turns.append((request, take))
            return take

        try:
            for task in tasks:
                agent = Agent(arm="a", model=model, options=options, step_budget=8, **settings)
                await run_task(task, agent, ask)
        finally:
            await arm.close()

    asyncio.run(conversation())
    return turns


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_the_bake_off_is_clean_without_thinking(server, stream):
    book = load_tasks()
    tasks = book.select("every", 1)

    turns = play(server, server.model, tasks, book.options, think=False, stream=stream)

    assert len(turns) > len(tasks)
    for request, take in turns:
        comparison = check(request, take)
        assert (comparison.findings, comparison.hidden) == ((), ())


def test_the_bake_off_with_thinking_differs_by_the_template_revision_alone(server):
    """Up to v0.32.0 no thought is opened after a result; every such turn says so."""
    book = load_tasks()

    turns = play(server, server.model, book.select("every", 1), book.options, think=True)

    for request, take in turns:
        after_result = request.messages[-1]["role"] == "tool"
        old = after_result and Cause.THOUGHT_NOT_REOPENED in revision(server)
        comparison = check(request, take)
        found = [finding.cause for finding in comparison.findings]
        assert found == (["revision-thought-not-reopened"] if old else [])
        assert comparison.hidden == ()


@pytest.fixture(scope="module")
def unsure(server):
    server.create("unsure:e2b", tiny_gguf("unsure"))
    book = load_tasks()
    tasks = [task for task in book.tasks if task.id in ("research-1", "research-3")]
    return play(server, "unsure:e2b", tasks, book.options, think=False, stream=False)


def parse_findings(turns):
    found = [
        (finding, take)
        for request, take in turns
        for finding in check(request, take).findings
        if finding.layer is Layer.PARSE
    ]
    return {finding.cause: (finding, take) for finding, take in found}


def test_a_call_that_the_server_drops_is_found_with_its_reason(unsure):
    finding, take = parse_findings(unsure)[Cause.DROPPED_CALL]

    assert 'page:team<|"|>team<|"|>' in finding.left
    assert finding.summary.endswith("bare_string")
    assert (take.answer.content, take.answer.tool_calls) == ("", ())


def test_a_tag_that_the_server_leaks_is_found(unsure):
    finding, take = parse_findings(unsure)[Cause.LEAKED_MARKUP]

    assert "<channel|>" in take.answer.content
    assert finding.right.endswith("<channel|>")
    assert "<channel|>" not in finding.left
