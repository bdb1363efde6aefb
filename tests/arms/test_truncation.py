"""A prompt that was cut shows in the count, each release in its own way."""

import asyncio

import pytest

from tests.engines import OLLAMA_VERSIONS
from tonearm.arms import ArmOptions, load
from tonearm.arms._truncation import truncated
from tonearm.model import ChatRequest, Pin

LONG = "x" * 10_000


@pytest.mark.parametrize(
    ("version", "left"),
    [
        ("0.24.0", 4096),
        ("0.30.0", 4095),
        ("0.30.10", 4095),
        ("0.30.11", 2051),
        ("0.33.0-rc2", 2051),
        (None, 4096),
    ],
)
def test_every_release_leaves_its_own_number_of_tokens(version, left):
    pin = Pin(model="m", server_version=version, num_ctx=4096)

    assert truncated(LONG, left, pin)
    assert not truncated(LONG, left - 7, pin)


def test_a_short_prompt_was_not_cut_whatever_the_count():
    assert not truncated("x" * 100, 512, Pin(model="m", num_ctx=512))


@pytest.mark.parametrize(("tokens", "num_ctx"), [(None, 512), (512, None)])
def test_without_numbers_nothing_is_claimed(tokens, num_ctx):
    assert not truncated(LONG, tokens, Pin(model="m", num_ctx=num_ctx))


@pytest.mark.ollama
@pytest.mark.parametrize("arm", ["ollama-json", "ollama-native"])
@pytest.mark.parametrize(("sums", "cut"), [(2, False), (200, True)])
@pytest.mark.parametrize("version", OLLAMA_VERSIONS)
def test_a_real_server_that_cuts_is_caught(ollama_server, version, arm, sums, cut):
    ollama = ollama_server(version)
    request = {
        "model": ollama.model,
        "messages": [{"role": "user", "content": "Add 19 and 37. " * sums}],
        "options": {"temperature": 0, "num_ctx": 256, "num_predict": 8},
        "think": False,
        "stream": False,
    }

    async def main():
        subject = load(arm, ArmOptions(url=ollama.url))
        await subject.open([ollama.model])
        take = await subject.play(ChatRequest(body=request))
        await subject.close()
        return take

    assert asyncio.run(main()).rendered.truncated is cut
