"""The real engines are what the other tests take them for."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import httpx
import pytest

from tests.engines import OLLAMA_VERSION, ollama_binary, require, start_ollama, tiny_gguf


@pytest.mark.ollama
@pytest.mark.skipif("TONEARM_OLLAMA" in os.environ, reason="TONEARM_OLLAMA is of any version")
def test_the_server_is_of_the_version_asked_for(ollama):
    assert ollama.version == OLLAMA_VERSION


@pytest.mark.ollama
def test_the_server_has_the_model(ollama):
    tags = httpx.get(f"{ollama.url}/api/tags", trust_env=False).json()

    assert ollama.model in [m["name"] for m in tags["models"]]


@pytest.mark.ollama
def test_the_model_answers_a_prompt_that_it_was_trained_on(ollama):
    body = {
        "model": ollama.model,
        "messages": [{"role": "user", "content": "Repeat: apple tiger"}],
        "stream": False,
        "think": False,
        "options": {"temperature": 0, "repeat_penalty": 1.0, "num_ctx": 2048},
    }

    answer = httpx.post(f"{ollama.url}/api/chat", json=body, timeout=300, trust_env=False).json()

    assert answer["message"]["content"] == "apple tiger"


@pytest.mark.ollama
def test_a_server_is_gone_after_its_block_even_when_the_block_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), start_ollama(home=tmp_path) as server:  # noqa: PT012
        url = server.url
        raise ZeroDivisionError

    with pytest.raises(httpx.ConnectError):
        httpx.get(url, trust_env=False)


def test_a_missing_server_skips_and_names_the_command(monkeypatch, tmp_path):
    monkeypatch.delenv("TONEARM_REQUIRE", raising=False)
    monkeypatch.setenv("TONEARM_CACHE", str(tmp_path))

    with pytest.raises(pytest.skip.Exception, match=r"scripts/get-ollama 0\.1\.2"):
        ollama_binary("0.1.2")


def test_a_server_of_ones_own_is_used_by_path_and_must_be_there(monkeypatch, tmp_path):
    monkeypatch.setenv("TONEARM_OLLAMA", sys.executable)
    assert ollama_binary(OLLAMA_VERSION) == Path(sys.executable)

    monkeypatch.setenv("TONEARM_OLLAMA", str(tmp_path / "gone"))
    with pytest.raises(pytest.fail.Exception, match="no such program"):
        ollama_binary(OLLAMA_VERSION)


def test_a_missing_engine_fails_where_it_is_required(monkeypatch):
    monkeypatch.setenv("TONEARM_REQUIRE", "jax,ollama")

    with pytest.raises(pytest.fail.Exception, match="ollama is required: not here"):
        require("ollama", "not here")


def test_gguf_files_are_made_once_and_are_named_after_what_they_were_made_from(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("TONEARM_CACHE", str(tmp_path))

    first = tiny_gguf(kind="q4_0")
    made = first.stat().st_mtime_ns

    assert tiny_gguf(kind="q4_0").stat().st_mtime_ns == made
    assert tiny_gguf("unsure", "q4_0") != first
    assert len(list((tmp_path / "gguf").iterdir())) == 2
