"""What of a cassette is asked again, and what is not."""

import pytest

from tests.tapes import calls, exchange, loop, result, says, user, write
from tonearm.errors import CassetteError, NothingToTest
from tonearm.model import Exchange, HttpRequest, HttpResponse, Outcome
from tonearm.replay.plan import load_plan

TASK = loop("q", [(calls("f", a=1), result("r"))], says("done"))


def test_every_turn_of_every_file_is_planned(tmp_path):
    write(tmp_path / "a.yaml", TASK)
    write(tmp_path / "b.yaml", loop("other", [], says("x"), model="n"))

    plan = load_plan([tmp_path])

    assert [turn.key for turn in plan.turns] == ["a.yaml#0", "a.yaml#1", "b.yaml#0"]
    assert plan.models == ["m", "n"]
    assert plan.skipped == ()


def test_what_is_no_turn_is_listed_with_its_reason(tmp_path):
    broken = Exchange(
        request=HttpRequest(method="POST", uri="http://h/api/chat", body=b"{"),
        response=HttpResponse(status=400, body=b'{"error":"unexpected EOF"}'),
    )
    path = write(
        tmp_path / "a.yaml",
        [exchange([], says("")), *TASK, exchange([], None, path="/api/generate"), broken],
    )

    plan = load_plan([path])

    assert len(plan.turns) + len(plan.skipped) == 5
    assert [(s.sequence, s.reason.split(":")[0]) for s in plan.skipped] == [
        (0, "the request has no messages"),
        (3, "POST http"),
        (4, "request body is not JSON"),
    ]


def test_a_turn_that_broke_off_is_still_asked(tmp_path):
    cut = exchange([user("q")], None, outcome=Outcome.CLIENT_ABORTED)

    assert len(load_plan([write(tmp_path / "a.yaml", [cut])]).turns) == 1


def test_a_torn_file_is_used_as_far_as_it_goes_and_named(tmp_path):
    path = write(tmp_path / "a.yaml", TASK)
    path.write_bytes(path.read_bytes()[:-20])

    plan = load_plan([path])

    assert len(plan.turns) == 1
    assert len(plan.warnings) == 1
    assert str(path) in plan.warnings[0]


def test_files_without_a_turn_are_nothing_to_test(tmp_path):
    path = write(tmp_path / "a.yaml", [exchange([], says(""))])

    with pytest.raises(NothingToTest, match=r"a\.yaml: no /api/chat turn"):
        load_plan([path])


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CassetteError, match=r"gone\.yaml"):
        load_plan([tmp_path / "gone.yaml"])


def test_plans_that_ask_the_same_have_the_same_fingerprint(tmp_path):
    one = load_plan([write(tmp_path / "a.yaml", TASK)])
    again = load_plan([tmp_path / "a.yaml"])
    (tmp_path / "b").mkdir()
    other = load_plan([write(tmp_path / "b" / "a.yaml", loop("else", [], says("x")))])

    assert one.fingerprint() == again.fingerprint()
    assert one.fingerprint() != other.fingerprint()
