"""Large cassettes are sealed once they rest, and all of them at the end."""

import pytest

from tests.cassette import samples
from tonearm.cassette import CassetteWriter, Sealer, load


@pytest.fixture
def now():
    return [0.0]


@pytest.fixture
def sealer(now):
    return Sealer(idle_s=10, from_bytes=1000, clock=lambda: now[0])


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "c.yaml"
    with CassetteWriter(path) as writer:
        writer.append(samples.whole())
    return path


def test_nothing_is_due_where_nothing_was_touched(sealer):
    assert (sealer.wait_s, sealer.due(), sealer.rest()) == (None, None, [])


def test_a_cassette_is_due_when_it_has_rested(sealer, now, tmp_path):
    a, b = tmp_path / "a.yaml", tmp_path / "b.yaml"
    sealer.touch(a)
    now[0] = 4
    sealer.touch(b)
    now[0] = 6
    sealer.touch(a.with_name("a.yaml.zst"))

    assert (sealer.wait_s, sealer.due()) == (8, None)
    now[0] = 15
    assert (sealer.wait_s, sealer.due()) == (0, b)
    assert (sealer.wait_s, sealer.due()) == (1, None)
    now[0] = 99
    assert (sealer.due(), sealer.due(), sealer.wait_s) == (a, None, None)


def test_at_the_end_all_are_left_to_seal(sealer, tmp_path):
    sealer.touch(tmp_path / "a.yaml")

    assert sealer.rest() == [tmp_path / "a.yaml"]
    assert sealer.rest() == []


def test_a_large_cassette_is_sealed(sealer, path):
    assert sealer.seal(path)
    assert not path.exists()
    assert len(load(path).exchanges) == 1
    assert not sealer.seal(path), "it is sealed already"


def test_a_small_cassette_stays_plain(path):
    assert not Sealer(from_bytes=1 << 20).seal(path)
    assert path.exists()


def test_a_cassette_that_cannot_be_sealed_stays_plain_and_is_named(sealer, path, caplog):
    with CassetteWriter.reopen(path):
        assert not sealer.seal(path)

    assert path.exists()
    assert "stays plain" in caplog.text
    assert "c.yaml" in caplog.text


def test_whatever_goes_wrong_the_recorder_goes_on(sealer, path, caplog, monkeypatch):
    def exhausted(path):
        raise MemoryError

    monkeypatch.setattr("tonearm.cassette.sealer.seal", exhausted)

    assert not sealer.seal(path)
    assert "stays plain" in caplog.text
