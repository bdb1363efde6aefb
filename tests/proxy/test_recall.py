"""What a recorder that is started knows of its shelf."""

import os
from functools import partial

import pytest

from tests.proxy.test_filing import ASK_A, ASK_B, OK, make_filing, said, turn
from tonearm.cassette import Shelf, load
from tonearm.proxy import recall as module
from tonearm.proxy.recall import identity, recall
from tonearm.proxy.tally import Tally


@pytest.fixture
def shelf(tmp_path):
    filing = make_filing(tmp_path, Tally())
    filing.file(turn(ASK_A))
    filing.file(turn(ASK_A, OK, said("user", "a2")))
    filing.file(turn(ASK_B))
    filing.close()
    return Shelf(tmp_path)


@pytest.mark.parametrize("here_bytes", [0, 1 << 20], ids=["in a process", "here"])
def test_cassettes_are_recalled_in_order_with_what_is_wanted(shelf, here_bytes):
    (first, *_), second = (load(path).exchanges for path in shelf.paths())
    wanted = {identity(first), ("2000-01-01T00:00:00+00:00", "http://elsewhere")}

    a, b = recall(shelf.paths(), wanted, here_bytes=here_bytes)

    assert [a.path, b.path] == list(map(str, shelf.paths()))
    assert [len(a.known), len(b.known)] == [2, 1]
    assert [turn[1:4] for turn in a.known] == [(0, 0, "m"), (0, 1, "m")]
    assert set(a.present) == {identity(first)}
    assert second


@pytest.mark.parametrize("here_bytes", [0, 1 << 20], ids=["in a process", "here"])
def test_what_cannot_be_read_has_a_reason(shelf, here_bytes):
    (shelf.root / "bad.yaml").write_bytes(b"version: 1\ninteractions:\n- {]\n- {}\n")

    found = {r.path: r.problem for r in recall(shelf.paths(), set(), here_bytes=here_bytes)}

    assert "bad.yaml:3: " in found.pop(str(shelf.root / "bad.yaml"))
    assert set(found.values()) == {None}


def test_the_latest_are_read_first(shelf):
    for age_s, path in enumerate(shelf.paths()):
        os.utime(path, (10**9 - age_s, 10**9 - age_s))
    asked = iter([False, True])

    (one,) = recall(shelf.paths(), set(), lambda: next(asked))

    assert one.path == str(shelf.paths()[0])


def test_a_start_takes_no_longer_than_it_may(shelf):
    now = iter([0.0, 1.0, 31.0])

    assert len(recall(shelf.paths(), set(), clock=lambda: next(now))) == 1


def test_a_cassette_that_ends_the_process_costs_no_other(shelf, monkeypatch):
    """As one does that takes more memory than there is."""
    deadly = shelf.paths()[0]
    code = (
        "import os, sys, tonearm.proxy.recall as r; read = r.read;"
        f"r.read = lambda p, w: os._exit(9) if str(p) == {str(deadly)!r} else read(p, w); r.main()"
    )
    real = module.subprocess.Popen
    monkeypatch.setattr(
        module.subprocess, "Popen", lambda args, **kw: real([args[0], "-P", "-c", code], **kw)
    )

    bad, good = recall(shelf.paths(), set(), here_bytes=0)

    assert bad.problem == f"{deadly}: it ended the process that read it"
    assert (good.problem, len(good.known)) == (None, 1)


def test_conversations_go_on_whoever_has_read_them(shelf, monkeypatch):
    monkeypatch.setattr("tonearm.proxy.filing.recall", partial(recall, here_bytes=0))
    later = make_filing(shelf.root, Tally(), token=lambda: "other")
    later.read_shelf()
    later.file(turn(ASK_A, OK, said("user", "a2"), OK, said("user", "a3")))
    later.close()

    assert [len(load(path).exchanges) for path in shelf.paths()] == [3, 1]
