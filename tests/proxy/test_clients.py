"""What users of the common clients read when something goes wrong behind the recorder."""

from importlib import import_module

import pytest

from tests.engines import package
from tests.proxy.harness import LIMIT_S, Upstream, recording, run

QUESTION = [{"role": "user", "content": "hi"}]


def library(name):
    package(name, group="clients")
    return import_module(name)


async def ask_openai(url):
    client = library("openai").AsyncOpenAI(
        base_url=f"{url}/v1", api_key="x", max_retries=0, timeout=LIMIT_S
    )
    async with client:
        return await client.chat.completions.create(model="m", messages=QUESTION)


async def ask_anthropic(url):
    client = library("anthropic").AsyncAnthropic(
        base_url=url, api_key="x", max_retries=0, timeout=LIMIT_S
    )
    async with client:
        return await client.messages.create(model="m", messages=QUESTION, max_tokens=9)


async def ask_ollama(url):
    client = library("ollama").AsyncClient(host=url, timeout=LIMIT_S)
    async with client:
        return await client.chat("m", QUESTION)


ASKED = [
    (ask_openai, "openai", "InternalServerError"),
    (ask_anthropic, "anthropic", "InternalServerError"),
    (ask_ollama, "ollama", "ResponseError"),
]


@pytest.mark.parametrize(("ask", "name", "error"), ASKED, ids=["openai", "anthropic", "ollama"])
def test_a_server_that_is_down_is_told_in_words(ask, name, error):
    async def scenario():
        async with Upstream() as gone:
            pass
        async with recording(gone.address) as rec:
            with pytest.raises(getattr(library(name), error)) as caught:
                await ask(rec.url)
            return caught.value, gone.address.url

    err, url = run(scenario())
    assert err.status_code == 502
    assert f"tonearm: cannot reach Ollama at {url}" in str(err)
    assert "<html>" not in str(err)


@pytest.mark.parametrize(("ask", "name"), [(ask_openai, "openai"), (ask_anthropic, "anthropic")])
def test_a_wrong_token_is_told_as_a_wrong_key(ask, name):
    async def scenario():
        async with (
            Upstream() as upstream,
            recording(upstream.address, gate={"token": "0123456789abcdef"}) as rec,
        ):
            with pytest.raises(library(name).AuthenticationError) as caught:
                await ask(rec.url)
            return caught.value

    assert "token is missing or wrong" in str(run(scenario()))
