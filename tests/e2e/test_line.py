"""From a live agent to a divergence report: the commands, a real Ollama, nothing in between."""

import json
import sys

import pytest

from tests.e2e.commands import tonearm
from tests.tapes import exchange, says, user, write

pytestmark = pytest.mark.ollama


def agent(ollama, out):
    words = ["bakeoff", "--arm", "ollama-json", "--task", "all", "--no-think"]
    return [*words, "--model", ollama.model, "--out", str(out)]


def said(traces):
    """Return what the agents did, without what differs from run to run."""
    timed = {"elapsed_s", "wall_clock_s"}
    value = json.loads(traces.read_text())["traces"]
    return [
        {
            **{k: v for k, v in trace.items() if k not in {"turns", "final"}},
            "turns": [{k: v for k, v in t.items() if k not in timed} for t in trace["turns"]],
            "final": {k: v for k, v in trace["final"].items() if k not in timed},
        }
        for trace in value
    ]


@pytest.fixture(scope="module")
def line(ollama, tmp_path_factory):
    """The four tasks, played without and with the recorder."""
    folder = tmp_path_factory.mktemp("line")
    direct = tonearm(*agent(ollama, folder / "direct.json"), "--base-url", ollama.url, cwd=folder)
    assert direct.returncode == 0, direct.stderr
    command = [sys.executable, "-m", "tonearm", *agent(ollama, folder / "recorded.json")]
    recorder = ["record", "--upstream", ollama.url, "--listen", "127.0.0.1:0", "--shelf", "S"]
    done = tonearm(*recorder, "--", *command, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def run_file(ollama, line):
    out = line / "r.run.json"
    arms = ("--arm", "ollama-json", "--arm", "ollama-native", "--upstream", ollama.url)
    done = tonearm("replay", line / "S", *arms, "--out", out)
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def test_the_recorder_changes_nothing_for_the_agent(line):
    assert said(line / "recorded.json") == said(line / "direct.json")


def test_there_is_one_whole_cassette_for_each_task(line):
    rows = [json.loads(row) for row in tonearm("ls", line / "S", "--json").stdout.splitlines()]
    traces = json.loads((line / "recorded.json").read_text())["traces"]

    assert sorted(r["turns"] for r in rows) == sorted(len(t["turns"]) for t in traces)
    assert all(r["outcomes"] == {"complete": r["exchanges"]} for r in rows)
    assert all(r["conversations"] == 1 for r in rows)


def test_show_prints_the_tool_loop(line):
    shown = [tonearm("show", path).stdout for path in sorted((line / "S").glob("*.yaml"))]

    (movies,) = [text for text in shown if "search_movies" in text]
    assert "=> assistant calls get_movie" in movies
    assert "tool get_movie: " in movies


def test_every_turn_has_a_verdict_and_all_agree(line, run_file):
    report = json.loads(tonearm("report", run_file, "--json").stdout)
    traces = json.loads((line / "recorded.json").read_text())["traces"]

    turns = sum(len(t["turns"]) for t in traces)
    assert report["summary"]["turns"] == turns == report["summary"]["outcomes"]["same"]
    assert report["skipped"] == []
    pairs = [c for turn in report["turns"] for c in turn["comparisons"]]
    exact = [c for c in pairs if c["left"] in {"tonearm", "ollama-json"}]
    assert len(exact) == 2 * turns
    assert all(c["not_visible"] == [] for c in exact)


def test_the_same_run_gives_the_same_bytes(ollama, line, run_file):
    """Asked again, the report differs in nothing."""
    arms = ("--arm", "ollama-json", "--arm", "ollama-native", "--upstream", ollama.url)

    again = tonearm("replay", line / "S", *arms)

    assert again.stdout == tonearm("report", run_file).stdout


def test_a_run_compared_with_itself_is_the_same(run_file):
    done = tonearm("diff", run_file, run_file)

    assert done.returncode == 0, done.stdout
    assert "18 same" in done.stdout


@pytest.fixture
def omitted(ollama, line, tmp_path):
    """A recorded turn whose tool has a parameter that Ollama's renderer leaves out."""
    tape = next(p for p in sorted((line / "S").glob("*.yaml")) if "search_movies" in p.read_text())
    text = tape.read_text().splitlines()[2].removeprefix("- ")
    request = json.loads(json.loads(text)["request"]["body"])
    for tool in request["tools"]:
        tool["function"]["parameters"]["properties"]["description"] = {"type": "string"}
    shelf = tmp_path / "S"
    command = (
        "import sys, json, os, urllib.request as u;"
        "u.urlopen(u.Request(os.environ['OLLAMA_HOST'] + '/api/chat', sys.argv[1].encode()))"
    )
    recorder = ("record", "--upstream", ollama.url, "--listen", "127.0.0.1:0", "--shelf", shelf)
    done = tonearm(*recorder, "--", sys.executable, "-c", command, json.dumps(request))
    assert done.returncode == 0, done.stderr
    return shelf


def test_a_divergence_in_the_prompt_is_named_as_such(ollama, omitted):
    arms = ("--arm", "ollama-json", "--arm", "ollama-native", "--upstream", ollama.url)

    done = tonearm("replay", omitted, *arms, "--format", "json")

    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["summary"]["first_differing_layer"]["render"] == 1
    (turn,) = report["turns"]
    assert turn["layer"] == "render"
    found = {(c["left"], c["right"]): c["findings"] for c in turn["comparisons"]}
    arms = found["ollama-json", "ollama-native"][0]
    assert "description:{type:" in arms["right"]
    assert "description:{type:" not in arms["left"]
    (check,) = found["tonearm", "ollama-json"]
    assert check["cause"] == "tool-param-named-like-schema-keyword"


def test_a_run_that_was_cut_off_goes_on(ollama, line, run_file, tmp_path):
    """The takes that were written down are not asked for again."""
    out = tmp_path / "r.run.json"
    arms = ("--arm", "ollama-json", "--upstream", ollama.url)
    one, *_ = sorted((line / "S").glob("*.yaml"))
    whole = tonearm("replay", one, *arms, "--out", out)
    assert whole.returncode == 0, whole.stderr
    takes = json.loads(out.read_text())["turns"]
    first = {"key": takes[0]["key"], "take": takes[0]["takes"][1]}

    half = tmp_path / "half.run.json"
    refused = tonearm("replay", one, *arms, "--out", out)
    assert refused.returncode == 2
    assert "exists" in refused.stderr

    identity = journal_identity(one, ollama.url)
    half.with_name("half.run.json.part").write_text(
        json.dumps({"run": identity}) + "\n" + json.dumps(first) + "\n"
    )
    resumed = tonearm("replay", one, *arms, "--out", half)

    assert resumed.returncode == 0, resumed.stderr
    assert "resuming, 1 take" in resumed.stderr
    assert json.loads(half.read_text())["turns"][0]["takes"][1] == first["take"]
    assert not half.with_name("half.run.json.part").exists()


def journal_identity(path, url):
    from tonearm.canonical import fingerprint
    from tonearm.replay.plan import load_plan
    from tonearm.replay.runfile import FORMAT

    asked = ["ollama-json", url, "None", "None"]
    return fingerprint([FORMAT, load_plan([path]).fingerprint(), *asked])


@pytest.mark.parametrize(
    ("words", "code", "line_"),
    [
        (("--upstream", "http://127.0.0.1:9"), 4, "cannot reach Ollama at http://127.0.0.1:9"),
        (("--model", "gone:1b"), 4, "has no model 'gone:1b'"),
        (("--arm", "nonsense"), 2, "no arm is called 'nonsense'"),
        (("--concurrency", "0"), 2, "--concurrency"),
    ],
)
def test_what_cannot_run_is_one_clear_line(ollama, tmp_path, words, code, line_):
    path = write(tmp_path / "a.yaml", [exchange([user("q")], says("x"), model=ollama.model)])
    base = ("replay", path, "--arm", "ollama-json", "--upstream", ollama.url)

    done = tonearm(*base, *words)

    assert done.returncode == code
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert line_ in done.stderr


def test_a_broken_cassette_is_one_clear_line(tmp_path):
    path = write(tmp_path / "a.yaml", [exchange([user("q")], says("x"))] * 2)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:3], "- {broken\n", *lines[3:]]))

    done = tonearm("replay", path, "--arm", "ollama-json")

    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert f"{path}:4" in done.stderr
