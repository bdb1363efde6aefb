"""``tonearm bakeoff`` as it is typed."""

from __future__ import annotations

import json

import pytest

from tonearm.commands import main

NOWHERE = "http://127.0.0.1:9"
"""The discard port: nothing answers there."""


def bakeoff(out, *words):
    return main(["bakeoff", "--arm", "ollama-json", "--out", str(out), *words])


@pytest.mark.ollama
def test_the_four_tasks_are_played_traced_and_summed_up(ollama, tmp_path, capsys):
    out = tmp_path / "traces.json"
    server = ["--base-url", ollama.url, "--model", ollama.model]

    assert bakeoff(out, "--task", "all", *server) == 0

    shown = capsys.readouterr()
    traces = json.loads(out.read_text(encoding="utf-8"))["traces"]
    assert [t["task"] for t in traces] == ["movies", "research", "memory", "long"]
    assert [len(t["turns"]) for t in traces] == [4, 4, 3, 7]
    assert all(t["final"]["answer_expected"] for t in traces)
    assert all(turn["prompt_eval_count"] > 0 for t in traces for turn in t["turns"])
    assert "long-0" in shown.out
    assert shown.err.splitlines()[-1] == "tonearm: 4/4 long-0: no_tool_calls"


@pytest.mark.ollama
def test_the_server_is_taken_from_the_environment_and_json_is_all_of_stdout(
    ollama, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("OLLAMA_HOST", ollama.url.removeprefix("http://"))
    out = tmp_path / "traces.json"

    code = bakeoff(out, "--task", "chat", "--model", ollama.model, "--seed", "7", "--json")

    assert code == 0
    assert json.loads(capsys.readouterr().out) == json.loads(out.read_text(encoding="utf-8"))


@pytest.mark.ollama
def test_a_missing_model_is_one_line_exit_4_and_a_trace_that_says_so(ollama, tmp_path, capsys):
    out = tmp_path / "traces.json"

    assert bakeoff(out, "--task", "all", "--base-url", ollama.url, "--model", "gone") == 4

    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert "no model 'gone'" in shown.err
    assert _halts(out) == ["env_missing"] * 4


def test_a_server_that_is_down_is_one_line_exit_4_and_a_trace_that_says_so(tmp_path, capsys):
    out = tmp_path / "traces.json"

    assert bakeoff(out, "--task", "movies", "--base-url", NOWHERE) == 4

    shown = capsys.readouterr()
    assert shown.err.count("\n") == 1
    assert f"cannot reach Ollama at {NOWHERE}" in shown.err
    assert _halts(out) == ["env_missing"]


@pytest.mark.ollama
def test_a_conversation_that_does_not_come_to_an_answer_is_exit_1(ollama, tmp_path, capsys):
    out = tmp_path / "traces.json"
    server = ["--base-url", ollama.url, "--model", ollama.model]

    assert bakeoff(out, "--task", "memory", *server, "--step-budget", "1") == 1

    assert _halts(out) == ["step_budget"]
    assert "step_budget" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--task", "movies", "--limit", "0"], "must be at least 1"),
        (["--task", "movies", "--step-budget", "0"], "must be at least 1"),
        (["--task", "movies", "--arm", "nobody"], "no arm is called 'nobody'"),
    ],
)
def test_impossible_wishes_are_exit_2(tmp_path, capsys, words, complaint):
    assert bakeoff(tmp_path / "traces.json", *words) == 2

    assert complaint in capsys.readouterr().err


def test_a_place_that_cannot_be_written_to_is_found_before_anything_is_asked(tmp_path, capsys):
    out = tmp_path / "gone" / "traces.json"

    assert bakeoff(out, "--task", "movies", "--base-url", NOWHERE) == 4

    assert "traces.json: cannot write" in capsys.readouterr().err


def _halts(out):
    return [
        t["final"]["halt_reason"] for t in json.loads(out.read_text(encoding="utf-8"))["traces"]
    ]
