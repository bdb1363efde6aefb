"""``tonearm serve --arm`` as a user runs it."""

from __future__ import annotations

import os

import httpx
import pytest

from tests.engines import TINY_MODEL, tiny_gguf
from tests.proxy.harness import LIMIT_S, run
from tests.replay.server.stage.tiny import require_llama
from tests.replay.server.test_command import ended, started
from tonearm.commands import main

POSIX = pytest.mark.skipif(os.name == "nt", reason="signals of this kind are POSIX")


@POSIX
@pytest.mark.llama
def test_a_file_is_served_under_its_name_until_a_signal_comes():
    require_llama()
    body = {"model": TINY_MODEL, "messages": [{"role": "user", "content": "Hello!"}]}

    async def scenario():
        arm = ("--arm", f"llama-cpp={tiny_gguf()}", "--model", TINY_MODEL)
        async with started(*arm) as (process, url):
            async with httpx.AsyncClient(base_url=url, timeout=LIMIT_S, trust_env=False) as client:
                answer = await client.post("/api/chat", json=body | {"options": {"temperature": 0}})
            return answer, *await ended(process)

    answer, code, err = run(scenario())

    assert answer.text.count("\n") > 3
    assert code == 0
    (greeting,) = err.splitlines()
    assert greeting.startswith(f"tonearm: serving {TINY_MODEL} from llama-cpp; clients connect to")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("--arm", "llama-cpp=x.gguf"), 2, "--model"),
        (("--arm", "llama-cpp=x.gguf", "--model", "a b"), 2, "invalid model name"),
        (("--arm", "llama-cpp=x.gguf", "--model", "m", "cassettes"), 2, "leave the cassettes out"),
        (("--arm", "llama-cpp=x.gguf", "--model", "m", "--speed", "instant"), 2, "for recordings"),
        (("--arm", "llama-cpp=x.gguf", "--model", "m", "--ignore", "seed"), 2, "for recordings"),
        (("--model", "m"), 2, "--model is for arms"),
        (("--arm", "nope", "--model", "m"), 2, "no arm is called 'nope'"),
        (("--arm", "llama-cpp=/gone.gguf", "--model", "m"), 4, "No such file"),
    ],
)
def test_a_wrong_command_line_says_what_is_wrong(capsys, args, code, words):
    assert main(["serve", *args, "--listen", "127.0.0.1:0"]) == code
    assert words in capsys.readouterr().err
