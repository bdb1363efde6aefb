"""What is known of the causes, and that the documentation knows them all."""

from __future__ import annotations

import re
from pathlib import Path

from tonearm.replay.translator.causes import RENDER, Cause, about, eras, habits, release

DOCUMENT = Path(__file__).parents[3] / "docs" / "translator-check.md"


def test_every_cause_has_a_severity_and_a_text():
    assert all(0 <= about(cause).severity <= 4 and about(cause).text for cause in Cause)


def test_a_version_is_its_three_numbers():
    assert release("0.33.0-rc2") == (0, 33, 0)
    assert release("v0.20.7") == (0, 20, 7)
    assert release("built from source") is None
    assert release(None) is None


def test_a_release_has_the_habits_that_no_earlier_one_mended():
    assert Cause.THOUGHT_NOT_REOPENED in habits("0.32.0")
    assert Cause.THOUGHT_NOT_REOPENED not in habits("0.32.1")
    assert Cause.LAUNCH_TURNS in habits("0.20.5")
    assert Cause.LAUNCH_TURNS not in habits("0.20.6")
    assert Cause.KEY_ORDER in habits("0.20.0") & habits("0.33.0")


def test_an_unknown_version_counts_as_the_newest():
    assert habits(None) == habits("dev") == habits("99.0.0")


def test_the_setup_of_a_server_is_no_habit_of_a_version():
    assert Cause.HISTORY_DROPPED not in habits("0.20.0")


def test_the_eras_are_the_habits_of_all_releases():
    versions = ["0.33.0", "0.32.0", "0.23.3", "0.22.0", "0.20.5"]

    assert eras() == [habits(version) for version in versions]
    assert set().union(*eras()) <= set(RENDER)


def test_the_document_lists_every_cause_with_its_severity():
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d) \|", DOCUMENT.read_text(encoding="utf-8"), re.M)

    assert [name for name, _ in rows] == [cause.value for cause in Cause]
    assert {name: int(n) for name, n in rows} == {c.value: about(c).severity for c in Cause}
