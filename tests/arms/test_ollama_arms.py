"""Both ways of asking a real Ollama, seen layer by layer."""

import asyncio
from dataclasses import replace

import pytest

from tests.engines import OLLAMA_VERSIONS, tiny_gguf
from tests.tapes import ADD
from tonearm.arms import ArmOptions, load
from tonearm.errors import ArmUnavailable
from tonearm.model import ChatRequest, Layer
from tonearm.replay.compare import Kind, compare

pytestmark = pytest.mark.ollama


@pytest.fixture(params=OLLAMA_VERSIONS)
def ollama(request, ollama_server):
    return ollama_server(request.param)


@pytest.fixture(params=OLLAMA_VERSIONS)
def hiding(request, ollama_server):
    """The same weights, the markers typed as control tokens, as Ollama's converter does."""
    server = ollama_server(request.param)
    server.create("hiding:e2b", tiny_gguf(control=True))
    return replace(server, model="hiding:e2b")


GREEDY = {"temperature": 0, "repeat_penalty": 1.0, "num_ctx": 2048, "num_predict": 64}
CALL = "<|tool_call>call:add{a:19,b:37}<tool_call|>"


def ask(ollama, *arms, **fields):
    """Return one take of each arm for the same request."""
    body = {
        "model": ollama.model,
        "messages": [{"role": "user", "content": "Add 19 and 37."}],
        "tools": [ADD],
        "options": GREEDY,
        "think": False,
        "stream": False,
    } | fields

    async def main():
        takes = []
        for name in arms:
            arm = load(name, ArmOptions(url=ollama.url))
            await arm.open([body["model"]])
            takes.append(await arm.play(ChatRequest(body=body)))
            await arm.close()
        return takes

    return asyncio.run(main())


@pytest.mark.parametrize("stream", [True, False])
def test_arm_a_sees_every_layer(ollama, stream):
    (take,) = ask(ollama, "ollama-json", stream=stream)

    assert take.error is None
    assert take.rendered.prompt.endswith("Add 19 and 37.<turn|>\n<|turn>model\n")
    assert take.decoded.completion == CALL
    assert [(c.name, c.arguments) for c in take.answer.tool_calls] == [("add", {"a": 19, "b": 37})]
    assert (take.wire.status, take.wire.done, take.wire.done_reason) == (200, True, "stop")
    assert take.blind == {}


def test_arm_b_reads_the_same_completion_itself(ollama):
    (take,) = ask(ollama, "ollama-native")

    assert take.decoded.completion == CALL
    assert [(c.name, c.arguments) for c in take.answer.tool_calls] == [("add", {"a": 19, "b": 37})]
    assert take.answer.problems == ()


@pytest.mark.parametrize("think", [False, True])
def test_the_arms_agree_on_a_faithful_path(ollama, think):
    comparison = compare(*ask(ollama, "ollama-json", "ollama-native", think=think), [ADD])

    assert comparison.findings == ()
    assert comparison.hidden == ()


def test_a_parameter_called_description_is_lost_in_the_prompt(ollama):
    """Ollama's renderer leaves out parameters that are named like keywords of the schema."""
    parameters = ADD["function"]["parameters"]
    properties = parameters["properties"] | {"description": {"type": "string"}}
    tool = {
        "type": "function",
        "function": ADD["function"] | {"parameters": parameters | {"properties": properties}},
    }

    comparison = compare(*ask(ollama, "ollama-json", "ollama-native", tools=[tool]), [tool])

    first = comparison.divergences[0]
    assert (first.layer, first.kind) == (Layer.RENDER, Kind.PROMPT)
    assert "description:{type:" in first.right
    assert "description:{type:" not in first.left


def test_takes_are_pinned(ollama):
    take_a, take_b = ask(ollama, "ollama-json", "ollama-native")

    for take in (take_a, take_b):
        assert take.pin.server_version == ollama.version
        assert len(take.pin.digest) == 64
        assert take.pin.num_ctx == GREEDY["num_ctx"]
        assert take.pin.options.items() >= GREEDY.items()
        assert take.pin.options["num_thread"] == 1
        assert take.pin.options["top_k"] == 40


@pytest.mark.parametrize(("sent", "penalty"), [({}, {"0.24": 1.1, "0.33": 1.0}), (GREEDY, None)])
def test_defaults_in_force_are_those_of_the_servers_version(ollama, sent, penalty):
    (take,) = ask(ollama, "ollama-json", options=sent | {"num_predict": 4})

    expected = penalty[ollama.version[:4]] if penalty else 1.0
    assert take.pin.options["repeat_penalty"] == expected


def test_what_the_server_refuses_is_a_take_with_its_words(ollama):
    (take,) = ask(ollama, "ollama-json", options={"temperature": "hot"})

    assert take.answer is None
    assert take.wire.status == 500
    assert "temperature" in take.error


def test_a_missing_model_is_named_with_those_that_are_there(ollama):
    with pytest.raises(ArmUnavailable, match=rf"no model 'gone:1b' \(it has .*{ollama.model}"):
        ask(ollama, "ollama-json", model="gone:1b")


def test_no_server_is_named_with_the_way_out():
    async def main():
        await load("ollama-json=http://127.0.0.1:9", ArmOptions()).open(["m"])

    with pytest.raises(ArmUnavailable, match=r"cannot reach Ollama at http://127.0.0.1:9 .*serve"):
        asyncio.run(main())


def test_stripped_control_tokens_are_never_taken_for_no_call(hiding):
    """0.24.0 prints every token, 0.33.0 leaves control tokens out of raw answers."""
    if hiding.version.startswith("0.24"):
        (take,) = ask(hiding, "ollama-native")
        assert take.decoded.completion == CALL
        return
    with pytest.raises(ArmUnavailable, match=r"control tokens are stripped .* by Ollama 0\.33\.0"):
        ask(hiding, "ollama-native")


def test_the_chat_endpoint_shows_control_tokens_on_every_version(hiding):
    (take,) = ask(hiding, "ollama-json")

    assert take.decoded.completion == CALL


def test_the_engine_itself_shows_what_ollama_strips(ollama_server):
    server = ollama_server("0.33.0")
    server.create("hiding:e2b", tiny_gguf(control=True))
    hiding = replace(server, model="hiding:e2b")

    for think in (False, True):
        takes = ask(hiding, "ollama-json", "ollama-native,engine=found", think=think)
        comparison = compare(*takes, [ADD])
        assert comparison.findings == ()
        assert comparison.hidden == ()


def test_an_engine_that_is_not_there_is_named(ollama_server):
    """0.24.0 has its engine inside."""
    with pytest.raises(ArmUnavailable, match="no llama-server of tiny-gemma4:e2b"):
        ask(ollama_server("0.24.0"), "ollama-native,engine=found")
