"""Running exchanges on the disk, a second behind."""

import json
import os

import pytest

from tests.proxy.harness import ndjson, said
from tonearm.cassette import cleaner, journal
from tonearm.model import Outcome
from tonearm.proxy import underway
from tonearm.proxy.capture import Capture
from tonearm.proxy.tee import Tee
from tonearm.proxy.underway import UnderWay
from tonearm.proxy.writer import Progress

KEY = "ghp_" + "a1B2c3D4e5" * 4


class World:
    """What is under way, how far the writer is, and the time, all set by hand."""

    def __init__(self, shelf, **options):
        self.shelf = shelf
        self.now_s = 0.0
        self.captures = []
        self.progress = Progress(0, 0)
        self.under_way = UnderWay(
            shelf,
            lambda: list(self.captures),
            lambda: self.progress,
            clean=cleaner(shelf),
            token="t",
            clock=lambda: self.now_s,
            **options,
        )

    def ask(self, text="hi"):
        body = {"model": "m", "messages": [{"role": "user", "content": text}]}
        capture = Capture(
            method="POST",
            uri="http://h/api/chat",
            started_at=f"2026-11-21T10:00:{self.now_s:09.6f}+00:00",
            started_s=self.now_s,
            request_fields=((b"Authorization", b"Bearer hush"), (b"Accept", b"*/*")),
            request_body=json.dumps(body).encode(),
        )
        self.captures.append(capture)
        return capture

    def answer(self, capture, *texts):
        if capture.tee is None:
            capture.tee = Tee(clock=lambda: self.now_s)
            capture.status, capture.reason = 200, "OK"
        for text in texts:
            capture.tee(ndjson(said(text)))

    def look(self, after_s=1.0):
        self.now_s += after_s
        self.under_way.look()

    def found(self):
        found = [journal.read(path) for path in journal.find(self.shelf)]
        return [exchange for one in found for exchange in one.exchanges]


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    yield world
    world.under_way._forget()


def text_of(exchange):
    lines = exchange.response.body.splitlines()
    return "".join(json.loads(line)["message"]["content"] for line in lines)


def test_an_answer_under_way_is_on_the_disk_but_for_its_last_words(world):
    capture = world.ask()
    world.answer(capture, *["some "] * 100)
    world.look()
    world.answer(capture, *["more "] * 100)
    world.look()

    (found,) = world.found()
    text = text_of(found)
    assert (("some " * 100) + ("more " * 100)).startswith(text)
    assert 600 < len(text) < 1000
    assert json.loads(found.request.body)["messages"][0]["content"] == "hi"
    assert found.outcome is Outcome.PROXY_STOPPED
    assert found.error == "the recorder was killed"
    assert found.duration_s == 2.0
    assert found.chunks[-1].end == len(found.response.body)
    assert {chunk.at_s for chunk in found.chunks} == {0.0, 1.0}


def test_a_question_is_redacted_once_where_it_has_no_secrets(world):
    """A long history is not read again at every look, and the summary keeps what was dropped."""
    real, asked = world.under_way._clean, []

    def clean(exchange):
        asked.append(len(exchange.request.body))
        return real(exchange)

    world.under_way._clean = clean
    harmless, secret = world.ask("hi " * 1000), world.ask(f"{KEY} " + "hi " * 1000)
    for _ in range(3):
        for capture in (harmless, secret):
            world.answer(capture, *["some "] * 100)
        world.look()

    assert [size > 3000 for size in asked] == [True, True, False, True, False, True]
    for exchange in world.found():
        assert len(exchange.request.body) > 3000
        assert exchange.redaction["request_headers"] == ["authorization"]
        assert len(text_of(exchange)) > 1000


def test_what_waits_for_its_first_word_is_there_too(world):
    world.ask()
    world.look()

    (found,) = world.found()
    assert (found.response.status, found.response.body) == (503, b"")


def test_short_exchanges_cost_nothing(world, tmp_path):
    world.ask()
    world.look(0.9)

    assert world.found() == []
    assert journal.find(tmp_path) == []


def test_nothing_is_written_where_nothing_has_come(world, tmp_path):
    world.answer(world.ask(), *["some "] * 100)
    world.look()
    (path,) = journal.find(tmp_path)
    before = path.read_bytes()
    world.look()

    assert path.read_bytes() == before


def test_no_secret_reaches_the_disk_whole_or_in_part(world, tmp_path):
    """Not that of the question, not that of the answer, in no state of either."""
    capture = world.ask(f"my key is {KEY}")
    world.answer(capture, *["some "] * 100)
    for n in range(0, len(KEY), 3):
        world.answer(capture, KEY[n : n + 3])
        world.look()
        (path,) = journal.find(tmp_path)
        disk = path.read_bytes()
        assert b"hush" not in disk
        assert not any(KEY[k : k + 8].encode() in disk for k in range(len(KEY) - 8))
    world.answer(capture, *[" and on"] * 100)
    world.look()

    (found,) = world.found()
    assert len(text_of(found)) > 500 + len(KEY)
    assert not any(KEY[k : k + 8] in text_of(found) for k in range(len(KEY) - 8))


def test_an_exchange_leaves_the_journal_when_its_record_is_safe(world, tmp_path):
    """Not sooner: the recorder may be killed while the record waits for the disk."""
    first, second = world.ask(), world.ask()
    world.look()
    world.captures.remove(first)
    world.progress = Progress(1, 0)
    for _ in range(3):
        world.look()
        assert len(world.found()) == 2

    world.progress = Progress(1, 1)
    world.look()
    world.under_way._journal.sync()
    assert len(world.found()) == 1

    world.captures.remove(second)
    world.progress = Progress(2, 2)
    for _ in range(2):
        world.look()
    assert journal.find(tmp_path) == [], "no journal without need"


def test_a_journal_that_has_grown_large_is_begun_anew(tmp_path):
    """At each moment all that is under way is there; in the end one journal is."""
    world = World(tmp_path, full_bytes=100_000)
    sizes = []
    for n in range(24):
        ended = world.captures[:1]
        world.captures = [world.ask()]
        world.answer(world.captures[0], *[f"{n} "] * 400)
        world.progress = Progress(n, n)
        world.look()
        sizes.append(sum(path.stat().st_size for path in journal.find(tmp_path)))
        assert not ended or any(e.started_at == world.captures[0].started_at for e in world.found())

    assert len(journal.find(tmp_path)) <= 2
    assert max(sizes) < 250_000
    world.under_way._forget()


def test_a_disk_that_refuses_costs_the_journal_alone(world, tmp_path, monkeypatch, caplog):
    """It is tried again, and said once."""
    real = os.write

    def full(fd, data):
        raise OSError(28, "No space left on device")

    capture = world.ask()
    world.answer(capture, *["some "] * 100)
    monkeypatch.setattr(os, "write", full)
    world.look()
    world.look()
    assert caplog.text.count("No space left on device") == 1

    monkeypatch.setattr(os, "write", real)
    world.look()
    assert len(world.found()) == 1


def test_an_exchange_that_cannot_be_redacted_is_left_out(world):
    real = world.under_way._clean

    def clean(exchange):
        if b"bad" in exchange.request.body:
            raise RecursionError
        return real(exchange)

    world.under_way._clean = clean
    world.ask("bad")
    world.ask("good")
    world.look()

    assert [json.loads(e.request.body)["messages"][0]["content"] for e in world.found()] == ["good"]


def test_the_thread_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(underway, "EVERY_S", 0.0)
    world = World(tmp_path)
    world.ask()
    world.under_way.start()
    while not world.found():
        pass
    world.captures.clear()
    world.under_way.close(30)

    assert journal.find(tmp_path) == []
