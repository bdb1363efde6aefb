"""The two filters, as they are used in a pipe."""

from __future__ import annotations

import argparse
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tonearm.commands import parse, render
from tonearm.errors import UsageError
from tonearm.templates import get
from tonearm.templates.gemma4.format import source

DATA = Path(__file__).parents[1] / "data" / "conformance"
HELLO = {"messages": [{"role": "user", "content": "Hello"}]}
PROMPT = "<bos><|turn>user\nHello<turn|>\n<|turn>model\n"
EMPTY_THOUGHT = "<|channel>thought\n<channel|>"


@pytest.fixture
def pipe(monkeypatch, capsys):
    """Return a function that runs a filter on lines: exit code and output objects."""

    def run(*argv, lines=()):
        parser = argparse.ArgumentParser()
        commands = parser.add_subparsers(required=True)
        render.add_parser(commands)
        parse.add_parser(commands)
        text = "".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)
        raw = text.encode("utf-8", "surrogateescape")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(raw)))
        args = parser.parse_args([str(word) for word in argv])
        code = args.run(args)
        out, err = capsys.readouterr()
        assert err == ""
        return code, [json.loads(line) for line in out.splitlines()]

    return run


def vectors(name):
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def test_the_vectors_go_through_render_as_they_are(pipe):
    lines = vectors("gemma4-render.jsonl")

    code, results = pipe("render", lines=lines)

    assert code == 0
    assert [(r["id"], r["rendered"]) for r in results] == [(v["id"], v["rendered"]) for v in lines]
    assert all(("error" in r) == (r["rendered"] is None) for r in results)
    assert not any("line" in r for r in results)


def test_the_vectors_go_through_parse_as_they_are(pipe):
    lines = vectors("gemma4-parse.jsonl")

    code, results = pipe("parse", lines=lines)

    assert code == 0
    for vector, result in zip(lines, results, strict=True):
        said = {name: result[name] for name in ("thinking", "content", "tool_calls")}
        assert result["id"] == vector["id"]
        assert said == (vector.get("repaired") or vector["expected"])
        assert (result["problems"] == []) == vector["well_formed"]


def test_problems_say_where_and_what(pipe):
    _, [result] = pipe("parse", lines=[{"completion": "<|tool_call>call:f{a:1,}<tool_call|>"}])

    assert result == {
        "id": None,
        "thinking": "",
        "content": "",
        "tool_calls": [],
        "problems": [
            {"kind": "trailing_comma", "offset": 22, "repaired": False, "detail": "call:f{a:1,}"}
        ],
    }


def test_numbers_keep_their_kind(pipe):
    call = "<|tool_call>call:f{a:1,b:1.0,c:12345678901234567890}<tool_call|>"

    _, [result] = pipe("parse", lines=[{"completion": call}])

    arguments = result["tool_calls"][0]["arguments"]
    assert repr(arguments) == "{'a': 1, 'b': 1.0, 'c': 12345678901234567890}"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("{", "not JSON"),
        ("[1]", "not a JSON object"),
        ("\udcff", "not JSON"),
        ({"id": 7, "variant": "e2b"}, "no messages"),
        ({"id": 7, **HELLO}, "no variant"),
        ({"id": 7, **HELLO, "variant": "7b"}, "none of small, large"),
        ({"id": 7, **HELLO, "variant": "e2b", "enable_thinking": "yes"}, "not true or false"),
        ({"id": 7, "variant": "e2b", "messages": [1]}, "messages[0] is not an object"),
        ({"id": 7, "variant": "e2b", "messages": "Hello"}, "not a list"),
    ],
)
def test_a_bad_line_is_named_and_the_rest_goes_on(pipe, line, error):
    good = {"id": "good", "variant": "e2b", **HELLO}

    code, [bad, rest] = pipe("render", lines=["", line, good])

    assert code == 0
    assert bad["line"] == 2
    assert bad["id"] == (7 if isinstance(line, dict) else None)
    assert error in bad["error"]
    assert rest == {"id": "good", "rendered": PROMPT}


@pytest.mark.parametrize("line", [{}, {"completion": 1}, {"completion": "", "tools": {}}])
def test_bad_completions_are_named(pipe, line):
    code, results = pipe("parse", lines=[line])

    assert code == 4
    assert results[0]["line"] == 1


def test_no_lines_are_no_error(pipe):
    assert pipe("parse") == (0, [])


def test_the_variant_can_be_given_for_all_lines(pipe):
    own = {**HELLO, "variant": "small"}

    _, results = pipe("render", "--variant", "31B", lines=[HELLO, own])

    assert [r["rendered"] for r in results] == [PROMPT + EMPTY_THOUGHT, PROMPT]


def test_recorded_requests_are_rendered_as_their_model_wants(pipe):
    """Thinking is on where a request to Ollama does not say, and the model names the variant."""
    calls = [{"function": {"name": name, "arguments": {}}} for name in ("a", "b")]
    body = {
        "model": "gemma4:26b",
        "messages": [
            {"role": "USER", "content": "x"},
            {"role": "assistant", "content": "", "tool_calls": calls},
            {"role": "tool", "tool_name": "b", "content": "2"},
            {"role": "tool", "tool_name": "a", "content": "1"},
        ],
    }

    _, [on, off] = pipe("render", "--from", "ollama", lines=[body, {**body, "think": False}])

    tail = (
        '<|tool_response>response:b{value:<|"|>2<|"|>}<tool_response|>'
        '<|tool_response>response:a{value:<|"|>1<|"|>}<tool_response|>'
    )
    assert on["rendered"].endswith(tail + "<|channel>thought\n")
    assert off["rendered"].endswith(tail)
    _, [plain] = pipe("render", "--from", "ollama", lines=[{**HELLO, "model": "x", "think": False}])
    assert plain["rendered"] == PROMPT
    _, [large] = pipe(
        "render", "--from", "ollama", "--variant", "large",
        lines=[{**HELLO, "model": "x", "think": False}],
    )  # fmt: skip
    assert large["rendered"] == PROMPT + EMPTY_THOUGHT


def test_a_request_that_ollama_would_refuse_is_a_bad_line(pipe):
    code, [result] = pipe("render", "--from", "ollama", lines=[{"messages": [{"content": "x"}]}])

    assert code == 4
    assert result["line"] == 1


def test_a_template_of_ones_own_takes_the_place_of_ours(pipe, tmp_path):
    path = tmp_path / "own.jinja"
    path.write_text("{{ messages[0].content }}{% if tools %}{{ raise_exception('no') }}{% endif %}")

    code, results = pipe("render", "--template", path, lines=[HELLO, {**HELLO, "tools": [{}]}])

    assert code == 0
    assert results[0]["rendered"] == "Hello"
    assert results[1]["rendered"] is None
    assert results[1]["error"].startswith("template ")


def test_ours_given_as_a_file_changes_nothing(pipe, tmp_path):
    path = tmp_path / "ours.jinja"
    path.write_text(source("large"), encoding="utf-8")

    assert pipe("render", "--template", path, lines=[HELLO])[1] == [
        {"id": None, "rendered": get("gemma4-large").render(HELLO["messages"])}
    ]


@pytest.mark.parametrize("argv", [("--template", "gone"), ("--variant", "7b")])
def test_what_no_line_can_cure_is_said_at_once(pipe, argv):
    with pytest.raises(UsageError):
        pipe("render", *argv, lines=[HELLO])


def test_a_reader_that_leaves_early_is_no_error():
    """As in ``tonearm parse | head``: no traceback, no failure."""
    program = (
        "import argparse, tonearm.commands.parse as parse\n"
        "p = argparse.ArgumentParser(); parse.add_parser(p.add_subparsers())\n"
        "a = p.parse_args(['parse']); raise SystemExit(a.run(a))"
    )
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as stdout:
        done = subprocess.run(
            [sys.executable, "-c", program],
            input=b'{"completion": "x"}\n' * 1000,
            stdout=stdout,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )

    assert (done.returncode, done.stderr) == (0, b"")
