"""Damaged and hostile cassettes end in one error, or in all that they hold.

``bench/fuzz_cassettes.py`` judges 100,000 of them; here are some others.
"""

import os
from dataclasses import replace

import pytest

from tests.cassette import mutations
from tests.cassette.mutations import Violation, judge, make
from tonearm.cassette import load

BATCH = 200

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")


@needs_fork
@pytest.mark.parametrize("batch", range(12))
def test_no_exchange_is_lost_without_a_word(tmp_path, batch):
    seeds = range(1_000_000 + batch * BATCH, 1_000_000 + (batch + 1) * BATCH)
    broken = []
    with mutations.quick_children():
        for seed in seeds:
            try:
                judge(make(seed), tmp_path)
            except Violation as err:
                broken.append((seed, str(err)))

    assert broken == []


def test_a_case_is_made_from_its_seed_alone():
    assert [make(seed) for seed in range(40)] == [make(seed) for seed in range(40)]
    assert {make(seed).layout for seed in range(40)} == set(mutations.LAYOUTS)


def loses(path):
    """Read a file as a careless reader does."""
    cassette = load(path)
    return replace(cassette, exchanges=cassette.exchanges[:-1], torn=None)


def shortens(path):
    cassette = load(path)
    shorter = [replace(e, response=replace(e.response, body=b"")) for e in cassette.exchanges]
    return replace(cassette, exchanges=tuple(shorter))


def crashes(path):
    raise KeyError("response")


@needs_fork
@pytest.mark.parametrize("reader", [loses, shortens, crashes])
@pytest.mark.parametrize("layout", sorted(set(mutations.LAYOUTS)))
def test_the_judge_notices_a_careless_reader(tmp_path, monkeypatch, reader, layout):
    monkeypatch.setattr(mutations, "load", reader)
    cases = (case for case in map(make, range(1000)) if case.layout == layout)

    with mutations.quick_children(), pytest.raises(Violation):
        any(judge(case, tmp_path) == "never" for case in cases)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        (b'{"a":!!binary "AA=="}', b'{"a":{"!!binary":"AA=="}}'),
        (b'{"a":"!!binary \\"x"}', b'{"a":"!!binary \\"x"}'),
        (b'{"a":"\\\\"}', b'{"a":"\\\\"}'),
        (b'"open', b'"open'),
    ],
)
def test_the_careful_reader_knows_texts_from_tags(text, result):
    assert mutations._untag(text) == result
