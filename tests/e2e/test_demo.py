"""The first command of the README, as somebody runs it who has just heard of tonearm."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tomllib

import psutil
import pytest

from tests.e2e.commands import RUN_S, tonearm
from tests.engines import ROOT, require
from tonearm.replay import runfile
from tonearm.replay.report import describe_sum, report
from tonearm.replay.verdict import Outcome

LAYERS = ("render", "decode", "parse", "wire")

pytestmark = pytest.mark.llama


@pytest.fixture(scope="module", autouse=True)
def engine():
    try:
        import xllamacpp  # noqa: F401
    except ImportError as err:
        require("llama", f"the extra `llama` is not installed: {err}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the demo is run."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def shown(folder):
    """What the demo prints."""
    done = tonearm("demo", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def tries(text):
    """Return the commands that the closing lines name."""
    closing = text.partition("try next:")[2]
    return [shlex.split(line) for line in closing.splitlines() if line and "#" not in line]


def test_every_layer_is_found_where_it_was_broken(folder, shown):
    """The saved runs are judged again, as any other run is."""
    assert [f"\n{layer}, broken on purpose: " in shown for layer in LAYERS] == [True] * 4
    for layer in LAYERS:
        found = report(runfile.load(folder / f"tonearm-demo/{layer}.run.json"))
        diverged = found.outcomes[Outcome.DIVERGED]
        assert found.layers == {layer: diverged}
        assert found.outcomes[Outcome.SAME] + diverged == len(found.rows)
        assert describe_sum(found) in shown


def test_nothing_differs_as_long_as_nothing_is_broken(folder, shown):
    found = report(runfile.load(folder / "tonearm-demo/sound.run.json"))

    assert found.outcomes == {Outcome.SAME: 22}
    assert "22 turns: 22 same" in shown


def test_the_agents_reach_their_goals(folder, shown):
    text = (folder / "tonearm-demo/traces.json").read_text(encoding="utf-8")
    traces = json.loads(text)["traces"]

    assert [t["task"] for t in traces] == ["movies", "research", "memory", "long", "movies"]
    assert all(t["final"]["calls_expected"] and t["final"]["answer_expected"] for t in traces)


@pytest.mark.parametrize(("number", "code"), [(0, 0), (1, 0), (2, 1), (3, 1)])
def test_the_commands_to_try_next_work(folder, shown, number, code):
    words = tries(shown)[number]

    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, timeout=RUN_S, check=False
    )

    assert done.returncode == code, done.stderr
    assert done.stdout


def test_the_recording_answers_offline(folder, shown):
    """Of the commands to try, the one that does not end."""
    command = [*tries(shown)[4], "--listen", "127.0.0.1:0"]
    assert "serve" in command
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        url = server.stdout.readline().strip()
        try:
            again = tonearm(
                *("bakeoff", "--arm", "ollama-json", "--base-url", url, "--task", "all"),
                *("--model", "tiny-gemma4:e2b", "--no-think", "--out", "again.json", "--json"),
                cwd=folder,
            )
        finally:
            server.terminate()

    assert again.returncode == 0, again.stderr
    assert all(t["final"]["calls_expected"] for t in json.loads(again.stdout)["traces"])


def test_the_steps_can_be_done_by_hand(folder, shown):
    """The three commands, as they are printed but for the port."""
    lines = [line for line in shown.splitlines() if "by hand: " in line]
    serve, *others = [line.partition("by hand: ")[2] for line in lines]
    command = [*shlex.split(serve), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        url = server.stdout.readline().strip()
        try:
            done = [
                subprocess.run(
                    shlex.split(line.replace("http://127.0.0.1:11435", url)),
                    cwd=folder,
                    capture_output=True,
                    text=True,
                    timeout=RUN_S,
                    check=False,
                )
                for line in others
            ]
        finally:
            server.terminate()

    assert [d.returncode for d in done] == [0, 0], [d.stderr for d in done]
    assert "18 turns: 18 same" in done[1].stdout


def test_the_files_of_an_earlier_demo_are_not_touched(folder, shown):
    before = sorted(p.name for p in (folder / "tonearm-demo").iterdir())
    refused = tonearm("demo", "--out", "tonearm-demo", cwd=folder)

    assert refused.returncode == 2
    assert refused.stderr.strip() == "tonearm: tonearm-demo exists; name a new folder with --out"
    assert sorted(p.name for p in (folder / "tonearm-demo").iterdir()) == before


OFFLINE = """
import ipaddress, sys
def only_loopback(event, args):
    if event == "socket.getaddrinfo" or event == "socket.connect":
        host = args[0] if event == "socket.getaddrinfo" else args[1][0]
        if not ipaddress.ip_address(host).is_loopback:
            raise PermissionError(f"{event} {host}")
    if event in {"subprocess.Popen", "os.posix_spawn", "os.fork"}:
        raise PermissionError(event)
sys.addaudithook(only_loopback)
from tonearm.commands import main
sys.exit(main(["demo"]))
"""


def test_it_reaches_nothing_but_this_machine_and_starts_no_process(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", OFFLINE],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "All layers were found" in done.stdout


@pytest.mark.parametrize(
    ("event", "number"),
    [
        ("tonearm demo: ", signal.SIGINT),
        ("record: ", signal.SIGTERM),
        ("22 exchanges", signal.SIGINT),
        ("decode, ", signal.SIGTERM),
        ("wire, ", signal.SIGINT),
    ],
)
def test_an_interrupt_leaves_no_process_behind(tmp_path, event, number):
    """Whatever was under way: the signal comes as soon as the line is there."""
    command = [sys.executable, "-m", "tonearm", "demo"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as demo:
        for line in demo.stdout:
            if line.startswith(event):
                break
        family = psutil.Process(demo.pid).children(recursive=True)
        demo.send_signal(number)
        rest, words = demo.communicate(timeout=RUN_S)

    assert demo.returncode == 128 + number, rest + words
    assert words == "tonearm: interrupted; what was made until then is in tonearm-demo\n"
    assert [process for process in family if process.is_running()] == []


def test_a_missing_extra_is_one_line_that_says_what_to_run(tmp_path):
    code = "import sys; sys.modules['xllamacpp'] = None; from tonearm.commands import main; "
    done = subprocess.run(
        [sys.executable, "-c", code + "sys.exit(main(['demo']))"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )

    assert done.returncode == 4
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert "uv run --extra llama tonearm demo" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_it_runs_from_the_wheel_in_an_empty_folder(tmp_path, wheel, uv):
    """What `pip install` brings is enough: no file of the repository is needed."""
    venv, empty = tmp_path / "venv", tmp_path / "empty"
    empty.mkdir()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    versions = ("--exclude-newer", project["tool"]["uv"]["exclude-newer"])
    clean = {k: v for k, v in os.environ.items() if not re.match("PYTHON|VIRTUAL_ENV|UV_RUN", k)}

    def run(*words):
        done = subprocess.run(
            words, cwd=empty, env=clean, capture_output=True, text=True, timeout=RUN_S, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run(uv, "venv", "--python", sys.executable, venv)
    run(uv, "pip", "install", "--python", venv, *versions, f"{wheel}[llama]")
    shown = run(venv / ("Scripts" if os.name == "nt" else "bin") / "tonearm", "demo")

    assert "All layers were found where they were broken" in shown
    assert "search_movies" in run(*tries(shown)[1])
