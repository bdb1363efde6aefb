"""The bake-off against an arm on the stage goes as it goes against Ollama with the same weights."""

from __future__ import annotations

import json

import pytest

from tests.engines import TINY_MODEL
from tests.replay.server.stage.tiny import tiny_stage
from tonearm.commands import main

pytestmark = [pytest.mark.llama, pytest.mark.ollama]


@pytest.fixture(scope="module")
def stage():
    """Where the tiny model is on the stage."""
    with tiny_stage() as url:
        yield url


def bakeoff(url, out, *flags):
    """Play every task against a server; return the exit code and the traces, times left out."""
    arm = ("--arm", f"ollama-json={url}", "--model", TINY_MODEL)
    tasks = ("--task", "every", "--limit", "9", "--out", str(out))
    code = main(["bakeoff", *arm, *tasks, *flags])
    traces = json.loads(out.read_text(encoding="utf-8"))["traces"]
    for trace in traces:
        trace["final"].pop("wall_clock_s")
        for turn in trace["turns"]:
            turn.pop("elapsed_s")
    return code, traces


@pytest.mark.parametrize("flags", [("--think", "--stream"), ("--no-think", "--no-stream")])
def test_calls_answers_halt_reasons_and_counts_are_the_same(ollama, stage, tmp_path, flags):
    """Turn for turn, and how many tokens were read and written as well."""
    real = bakeoff(ollama.url, tmp_path / "real.json", *flags)
    ours = bakeoff(stage, tmp_path / "ours.json", *flags)

    assert ours == real
    assert len(ours[1]) > 20
    assert all(trace["final"]["answer_expected"] for trace in ours[1])
