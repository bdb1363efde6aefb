"""Planted secrets are found in every carrier, and what is harmless stays as it is."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.redaction import wild
from tests.redaction.generator import CARRIERS, KINDS, Item, harmless, planted
from tests.redaction.judge import leaks
from tonearm.redaction import Redactor

SEED = int(os.environ.get("TONEARM_REDACTION_SEED", "1"))
"""Set it to try others; ``bench/redaction.py`` takes a new one every time."""
ROUNDS = 5
KEY = bytes(32)


def redacted(item: Item) -> str:
    return Redactor(KEY).text(item.text)[0]


@pytest.fixture(scope="module")
def outcomes():
    """Each planted text, what became of it by a redactor that has seen no other, what stayed."""
    texts = [(item, redacted(item)) for item in planted(SEED, ROUNDS)]
    return [(item, text, leaks(item, text)) for item, text in texts]


def test_of_a_thousand_secrets_at_most_one_stays(outcomes):
    stayed = [(item.kind, item.carrier) for item, _, left in outcomes if left]

    assert len(outcomes) >= 3_000
    assert len(stayed) <= len(outcomes) / 1_000, stayed


@pytest.mark.parametrize("group", ["kind", "carrier"])
def test_of_each_group_at_most_one_in_a_hundred_stays(outcomes, group):
    planted_in, left = Counter(), Counter()
    for item, _, runs in outcomes:
        planted_in[getattr(item, group)] += 1
        left[getattr(item, group)] += bool(runs)

    assert set(planted_in) == set(KINDS if group == "kind" else CARRIERS)
    assert {name: n for name, n in left.items() if n > planted_in[name] / 100} == {}


def test_what_is_redacted_again_stays_as_it_is(outcomes):
    changed = [
        (item.kind, item.carrier)
        for item, text, _ in outcomes
        if Redactor(KEY).text(text)[0] != text
    ]

    assert changed == []


def test_the_judge_sees_every_secret_that_nobody_took_out(outcomes):
    unseen = [(item.kind, item.carrier) for item, _, _ in outcomes if not leaks(item, item.text)]

    assert unseen == []


def test_of_a_hundred_harmless_texts_at_most_one_is_touched():
    items = list(harmless(SEED, 8))
    touched = [(item.kind, item.carrier) for item in items if redacted(item) != item.text]

    assert len(items) >= 1_000
    assert len(touched) <= len(items) / 100, touched


def test_of_many_more_forms_and_places_next_to_all_are_found():
    """Two of forty ways to give a password are known to be missed."""
    items = list(wild.planted(SEED, 2))
    stayed = [(item.kind, item.carrier) for item in items if leaks(item, redacted(item))]

    assert len(items) >= 200
    assert len(stayed) <= len(items) * 0.05, stayed


def test_of_what_looks_like_these_next_to_nothing_is_touched():
    items = list(wild.harmless(SEED, 3))
    touched = [(item.kind, item.carrier) for item in items if redacted(item) != item.text]

    assert len(items) >= 500
    assert len(touched) <= len(items) / 100, touched
