"""Reports from runs: the same bytes for the same run, in both formats."""

import dataclasses
import io
import json

import pytest

from tests.tapes import exchange, says, user
from tonearm.errors import NothingToTest
from tonearm.model import Answer, ChatRequest, Pin, Take, Timing, Turn, WireShape
from tonearm.replay import runfile
from tonearm.replay.plan import Plan, Skipped
from tonearm.replay.report import print_json, print_text, report, versus

OK = WireShape(status=200, done=True, done_reason="stop")


def answered(arm, content, wall_s=1.0):
    return Take(
        arm=arm,
        answer=Answer(content=content),
        wire=OK,
        pin=Pin(model="m", server_version="0.24.0", digest="ab" * 32),
        timing=Timing(wall_s=wall_s),
    )


def run(*answers, arm="ollama-json", wall_s=1.0):
    """Return a run whose recorded answers are all ``x``."""
    turns = []
    for n in range(len(answers)):
        tape = exchange([user(str(n))], says("x"), options={"temperature": 0})
        turns.append(
            Turn(
                cassette="a.yaml",
                conversation=0,
                index=n,
                request=ChatRequest(body=json.loads(tape.request.body)),
                exchange=tape,
            )
        )
    plan = Plan(
        turns=tuple(turns), skipped=(Skipped(cassette="a.yaml", sequence=9, reason="load"),)
    )
    takes = {
        (turn.key, arm): answered(arm, content, wall_s)
        for turn, content in zip(turns, answers, strict=True)
    }
    return runfile.collect(plan, [arm], takes)


def text(summary):
    out = io.StringIO()
    print_text(summary, out)
    return out.getvalue()


def as_json(summary):
    out = io.StringIO()
    print_json(summary, out)
    return json.loads(out.getvalue())


def test_every_turn_has_a_line_and_the_sum_is_last():
    shown = text(report(run("x", "y", "x")))

    words = [line.split() for line in shown.splitlines()]
    assert [w[:2] for w in words if w and w[0].startswith("#")] == [
        ["#0", "same"],
        ["#1", "diverged"],
        ["#2", "same"],
    ]
    assert shown.splitlines()[-1].startswith(
        "recorded / ollama-json: 3 turns: 2 same, 1 diverged; first differing layer: parse 1"
    )
    assert "not a turn: a.yaml exchange 9: load" in shown


def test_json_counts_outcomes_and_layers():
    value = as_json(report(run("x", "y", "x")))

    assert value["summary"] == {
        "turns": 3,
        "outcomes": {"same": 2, "undecided": 0, "failed": 0, "diverged": 1},
        "first_differing_layer": {"render": 0, "decode": 0, "parse": 1, "wire": 0},
        "exit_code": 1,
    }
    (finding,) = value["turns"][1]["comparisons"][0]["findings"]
    assert (finding["layer"], finding["left"], finding["right"]) == ("parse", "x", "y")
    assert value["turns"][1]["comparisons"][0]["not_visible"] == ["render", "decode"]


def test_times_do_not_show_so_that_reports_can_be_compared():
    fast, slow = report(run("x", "y")), report(run("x", "y", wall_s=9.0))

    assert text(fast) == text(slow)
    assert as_json(fast) == as_json(slow)


def test_control_characters_of_an_answer_are_shown_not_sent():
    hostile = report(run("\x1b]0;pwned\x07\u202e[red]"))

    shown = text(hostile)

    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\\u{1b}]0;pwned\\u{7}\\u{202e}[red]" in shown


def test_a_saved_run_gives_the_same_report(tmp_path):
    original = run("x", "y")
    runfile.save(original, tmp_path / "r.run.json")

    again = report(runfile.load(tmp_path / "r.run.json"))

    assert text(again) == text(report(original))


def test_two_runs_are_compared_arm_by_arm():
    summary = versus(run("x", "y", "z"), run("x", "y", "w"), ("old", "new"))

    assert as_json(summary)["summary"]["outcomes"]["diverged"] == 1
    assert summary.exit_code == 1
    assert "old ollama-json / new ollama-json: contents part" in text(summary)


def test_turns_that_only_one_run_has_are_named():
    summary = versus(run("x", "y"), run("x"), ("old", "new"))

    assert [(s.sequence, s.reason) for s in summary.skipped] == [(1, "only in old")]


def test_runs_of_other_arms_have_nothing_in_common():
    with pytest.raises(NothingToTest, match="no turn and arm in common"):
        versus(run("x"), run("x", arm="ollama-native"), ("old", "new"))


def test_a_reference_among_the_arms_brings_an_attribution():
    """Without one, neither form of the report mentions it."""
    alone = run("x", "x")
    pin = Pin(model="m", runtime="gemma 4.0.1, jax 0.6", quantization="F32")
    turns = tuple(
        dataclasses.replace(
            turn,
            takes={**turn.takes, "jax-native": Take(arm="jax-native", error="no\x1b[31m", pin=pin)},
        )
        for turn in alone.turns
    )
    both = dataclasses.replace(alone, arms=("ollama-json", "jax-native"), turns=turns)

    assert "attribution" not in as_json(report(alone))
    assert "attribution" not in text(report(alone))
    assert as_json(report(both))["attribution"]["conclusion"] == "undecided"
    assert "attribution (A recorded, B ollama-json, C jax-native):" in text(report(both))
    assert "2 turns: jax-native: no" in text(report(both))
    assert "\x1b" not in text(report(both))
