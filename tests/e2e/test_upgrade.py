"""One set of cassettes against two generations of a real Ollama: what changed, by name."""

import json
import sys

import pytest

from tests.e2e.commands import tonearm
from tests.engines import OLLAMA_VERSIONS, tiny_gguf

pytestmark = pytest.mark.ollama

OLD, NEW = OLLAMA_VERSIONS
UNSURE = "unsure:e2b"


def record(server, folder, *agent, model):
    command = [sys.executable, "-m", "tonearm", "bakeoff", "--arm", "ollama-json", *agent]
    command += ["--model", model, "--out", str(folder / "traces.json")]
    recorder = ("record", "--upstream", server.url, "--listen", "127.0.0.1:0")
    done = tonearm(*recorder, "--shelf", folder / "S", "--", *command)
    assert done.returncode in (0, 1), done.stderr
    return folder / "S"


@pytest.fixture(scope="module")
def thoughtful(ollama_server, tmp_path_factory):
    """Tool loops of a model that thinks, recorded on the new version."""
    server = ollama_server(NEW)
    folder = tmp_path_factory.mktemp("thoughtful")
    return record(server, folder, "--task", "all", "--think", model=server.model)


@pytest.fixture(scope="module")
def runs(ollama_server, thoughtful, tmp_path_factory):
    """The same cassettes, both arms, both versions."""
    folder = tmp_path_factory.mktemp("runs")
    for version in OLLAMA_VERSIONS:
        url = ollama_server(version).url
        arms = ("--arm", "ollama-json", "--arm", "ollama-native", "--upstream", url)
        tonearm("replay", thoughtful, *arms, "--out", folder / f"{version}.run.json")
    return folder


def report(runs, version, form="json"):
    done = tonearm("report", runs / f"{version}.run.json", "--format", form)
    return json.loads(done.stdout) if form == "json" else done.stdout


def causes(value):
    return {
        finding["cause"]
        for turn in value["turns"]
        for comparison in turn["comparisons"]
        for finding in comparison["findings"]
        if finding.get("cause")
    }


def test_the_new_version_is_faithful_in_every_turn(runs):
    value = report(runs, NEW)

    assert value["summary"]["outcomes"]["same"] == value["summary"]["turns"] > 15
    assert causes(value) == set()


def test_the_old_versions_prompts_differ_by_one_named_habit(runs):
    """Before 0.32.1 no thought was opened after a tool result."""
    value = report(runs, OLD)

    assert causes(value) == {"revision-thought-not-reopened"}
    after_results = value["summary"]["first_differing_layer"]["render"]
    assert after_results == value["summary"]["outcomes"]["diverged"]
    assert value["summary"]["outcomes"]["same"] == value["summary"]["turns"] - after_results


def test_the_upgrade_is_named_turn_by_turn(runs):
    done = tonearm("diff", runs / f"{OLD}.run.json", runs / f"{NEW}.run.json", "--json")

    assert done.returncode == 1
    value = json.loads(done.stdout)
    assert value["summary"]["first_differing_layer"]["render"] > 0
    assert value["summary"]["first_differing_layer"]["parse"] == 0


def test_the_report_can_be_pasted_into_an_issue(runs):
    """It names layer and cause, shows both texts, and a request that shows the same."""
    text = report(runs, OLD, "md")

    assert "## render: revision-thought-not-reopened" in text
    assert "Ollama 0.24.0" in text
    section = text.partition("Smallest request to `/api/chat` that shows it:\n```json\n")[2]
    request = json.loads(section.partition("\n```")[0])
    assert request["_debug_render_only"] is True
    assert len(request["messages"]) < 4


def test_the_smallest_request_shows_it_on_the_real_server(runs, ollama_server):
    import httpx

    text = report(runs, OLD, "md")
    section = text.partition("that shows it:\n```json\n")[2]
    request = json.loads(section.partition("\n```")[0])
    prompts = []
    for version in OLLAMA_VERSIONS:
        url = f"{ollama_server(version).url}/api/chat"
        answer = httpx.post(url, json=request, timeout=60, trust_env=False)
        prompts.append(answer.json()["_debug_info"]["rendered_template"])

    assert prompts[1] == prompts[0] + "<|channel>thought\n"


@pytest.mark.parametrize("version", OLLAMA_VERSIONS)
def test_a_call_that_ollama_drops_is_found_in_its_own_tokens(version, ollama_server, tmp_path):
    """The half-trained model writes calls that are none; Ollama answers with nothing at all."""
    server = ollama_server(version)
    server.create(UNSURE, tiny_gguf("unsure"))
    shelf = record(server, tmp_path, "--task", "long", "--limit", "5", "--think", model=UNSURE)

    done = tonearm("replay", shelf, "--arm", "ollama-json", "--upstream", server.url, "--json")

    value = json.loads(done.stdout)
    assert "dropped-call" in causes(value)
    assert done.returncode == 1
