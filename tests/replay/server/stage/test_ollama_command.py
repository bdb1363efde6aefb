"""Ollama's own command takes the stage for a server of its own."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.engines import OLLAMA_VERSION, TINY_MODEL, ollama_binary
from tests.replay.server.stage.tiny import tiny_stage

pytestmark = [pytest.mark.llama, pytest.mark.ollama]

LIMIT_S = 120.0


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """A function that runs the command against a stage and returns what it prints."""
    home = str(tmp_path_factory.mktemp("home"))
    program = str(ollama_binary(OLLAMA_VERSION))
    with tiny_stage() as url:
        host = {"OLLAMA_HOST": url, "NO_PROXY": "127.0.0.1"}

        def run(*words):
            done = subprocess.run(
                [program, *words],
                env=os.environ | host | {"HOME": home, "USERPROFILE": home},
                capture_output=True,
                timeout=LIMIT_S,
                check=False,
            )
            assert done.returncode == 0, done.stderr.decode()
            return done.stdout.decode()

        yield run


def test_it_runs_the_model(command):
    assert "how can I help?" in command("run", TINY_MODEL, "Hello!", "--think=false")


def test_it_lists_shows_and_stops_the_model(command):
    command("run", TINY_MODEL, "Hello!", "--think=false")

    assert TINY_MODEL in command("list")
    assert TINY_MODEL in command("ps")
    shown = command("show", TINY_MODEL)
    for fact in ("gemma4", "1.54M", "4096", "tools", "thinking", "<turn|>"):
        assert fact in shown
    command("stop", TINY_MODEL)
    assert TINY_MODEL not in command("ps")
