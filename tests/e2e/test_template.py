"""A user's template in place of ours, against a real Ollama."""

import json

import pytest

from tests.e2e.commands import tonearm
from tests.tapes import exchange, says, user, write
from tonearm.templates.gemma4.format import source

pytestmark = pytest.mark.ollama


@pytest.fixture
def cassette(ollama, tmp_path):
    options = {"temperature": 0, "num_ctx": 2048, "num_predict": 8}
    tape = exchange([user("Add 19 and 37.")], says("x"), model=ollama.model, options=options)
    return write(tmp_path / "a.yaml", [tape])


def replay(cassette, ollama, template):
    arms = ("--arm", "ollama-json", "--arm", "ollama-native", "--upstream", ollama.url)
    done = tonearm("replay", cassette, *arms, "--json", "--template", template)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def between_arms(report):
    (turn,) = report["turns"]
    (pair,) = [c for c in turn["comparisons"] if c["right"] == "ollama-native"]
    return pair["findings"]


def test_a_template_that_is_ours_by_another_way_changes_nothing(cassette, ollama, tmp_path):
    path = tmp_path / "chat_template.jinja"
    path.write_text(source("small"))

    assert between_arms(replay(cassette, ollama, path)) == []


def test_another_template_is_named_and_makes_another_prompt(cassette, ollama, tmp_path):
    path = tmp_path / "mine.jinja"
    path.write_text(
        "<bos>{% for m in messages %}<|turn>user\n{{ m.content }}!<turn|>\n{% endfor %}"
    )

    report = replay(cassette, ollama, path)

    assert between_arms(report)[0]["layer"] == "render"
    (engine,) = [e for e in report["engines"] if e["arm"] == "ollama-native"]
    assert len(engine["template_sha256"]) == 64


def test_a_template_that_never_ends_costs_the_arm_its_answer(cassette, ollama, tmp_path):
    path = tmp_path / "hostile.jinja"
    path.write_text(
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    )

    findings = between_arms(replay(cassette, ollama, path))

    assert findings[0]["kind"] == "no_answer"
    assert "cannot render" in findings[0]["summary"]
