"""Every exchange into the cassette of its conversation."""

import json
import os
import shutil
import stat
from dataclasses import replace

import pytest

from tonearm.cassette import CassetteWriter, Sealer, Shelf, is_raw, journal, keep_raw, load
from tonearm.cassette.journal import JournalWriter
from tonearm.errors import CassetteError, RedactionError
from tonearm.model import Exchange, HttpRequest, HttpResponse, Outcome, Pin
from tonearm.proxy.filing import Filing
from tonearm.proxy.tally import Tally


class NoPins:
    """Stands for servers that say nothing of themselves."""

    def pin(self, exchange, body, *, starts):
        return None


@pytest.fixture
def tally():
    return Tally()


@pytest.fixture
def filing(tmp_path, tally):
    return make_filing(tmp_path, tally)


def make_filing(root, tally, **options):
    tokens = iter(f"t{n}" for n in range(1000))
    parts = {"pins": NoPins(), "token": lambda: next(tokens)} | options
    return Filing(Shelf(root), tally, **parts)


def said(role, content):
    return {"role": role, "content": content}


def turn(*history, answer="ok", path="/api/chat", model="m", headers=()):
    request = {"model": model, "messages": list(history)}
    reply = {"model": model, "message": said("assistant", answer), "done": True}
    return Exchange(
        request=HttpRequest(
            method="POST",
            uri=f"http://127.0.0.1:11434{path}",
            headers=headers,
            body=json.dumps(request).encode(),
        ),
        response=HttpResponse(status=200, reason="OK", body=json.dumps(reply).encode()),
        started_at="2026-11-21T10:00:00.000+00:00",
    )


def contents(shelf):
    """Return the last message of every request, for each file in the order of names."""
    return [
        [json.loads(e.request.body)["messages"][-1]["content"] for e in load(path).exchanges]
        for path in Shelf(shelf).paths()
    ]


ASK_A, ASK_B = said("user", "a"), said("user", "b")
OK = said("assistant", "ok")


def test_conversations_that_run_side_by_side_get_a_file_each(filing, tally, tmp_path):
    filing.file(turn(ASK_A))
    filing.file(turn(ASK_B))
    filing.file(turn(ASK_A, OK, said("user", "a2")))
    filing.file(turn(ASK_B, OK, said("user", "b2")))
    filing.close()

    assert contents(tmp_path) == [["a", "a2"], ["b", "b2"]]
    assert (tally.recorded, tally.conversations, tally.files) == (4, 2, 2)
    assert not tally.lost


def test_a_restarted_recorder_continues_the_files_of_its_conversations(tmp_path, tally):
    first = make_filing(tmp_path, Tally())
    first.file(turn(ASK_A))
    first.close()

    second = make_filing(tmp_path, tally, token=lambda: "other")
    second.read_shelf()
    second.file(turn(ASK_A, OK, said("user", "a2")))
    second.file(turn(ASK_B))
    second.close()

    assert contents(tmp_path) == [["b"], ["a", "a2"]]
    assert [e.sequence for e in load(Shelf(tmp_path).paths()[1]).exchanges] == [0, 1]
    assert (tally.recorded, tally.conversations, tally.files) == (2, 2, 2)


SECRET = "glpat-Zq81Lk0vUe7TnB4sXyRd"
SHOW_A = said("user", f"my token is {SECRET}")


def test_a_conversation_with_a_secret_goes_on_in_its_file_after_a_restart(tmp_path, tally):
    """Both recorders use the key of the shelf, so a secret has one stand-in for good."""
    history = [SHOW_A, OK]
    for word in ("a2", "a3"):
        filing = make_filing(tmp_path, tally, token=lambda word=word: word)
        filing.read_shelf()
        filing.file(turn(*history, said("user", word)))
        filing.close()
        history += [said("user", word), OK]

    (path,) = Shelf(tmp_path).paths()
    first, second = (json.loads(e.request.body)["messages"] for e in load(path).exchanges)
    assert [m["content"] for m in second[2:]] == ["a2", "ok", "a3"]
    assert second[:3] == first
    assert SECRET.encode() not in path.read_bytes()
    assert [e.redaction["secrets"] for e in load(path).exchanges] == [{"gitlab_token": 1}] * 2


def test_the_key_stays_with_its_owner_and_out_of_the_cassettes(filing, tmp_path):
    filing.file(turn(SHOW_A))
    filing.close()

    key = tmp_path / ".tonearm/redaction.key"
    (path,) = Shelf(tmp_path).paths()
    assert key.read_bytes().strip() not in path.read_bytes()
    if os.name == "posix":
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700


def test_the_rules_of_the_shelf_are_in_force(tmp_path, tally):
    (tmp_path / "redaction.toml").write_text('pattern = [{kind = "badge", regex = "B-[0-9]{6}"}]')
    filing = make_filing(tmp_path, tally)

    filing.file(turn(said("user", "I am B-123456")))
    filing.close()

    (path,) = Shelf(tmp_path).paths()
    assert b"B-123456" not in path.read_bytes()
    assert load(path).exchanges[0].redaction["secrets"] == {"badge": 1}


def test_rules_that_cannot_be_used_keep_the_recorder_from_starting(tmp_path, tally):
    (tmp_path / "redaction.toml").write_text('pattern = [{kind = "badge", regex = "("}]')

    with pytest.raises(RedactionError, match=r"redaction\.toml: pattern 1 \(badge\): missing \)"):
        make_filing(tmp_path, tally)


def test_what_is_kept_raw_says_so(tmp_path, tally):
    filing = make_filing(tmp_path, tally, clean=keep_raw)

    filing.file(turn(SHOW_A, headers=(("authorization", "Bearer abcdefgh12345678"),)))
    filing.close()

    (path,) = Shelf(tmp_path).paths()
    (exchange,) = load(path).exchanges
    assert is_raw(exchange)
    assert SECRET.encode() in path.read_bytes()
    assert dict(exchange.request.headers)["authorization"] == "Bearer abcdefgh12345678"
    assert not (tmp_path / ".tonearm").exists()


def test_reading_the_shelf_can_be_broken_off(tmp_path, tally, caplog):
    first = make_filing(tmp_path, Tally())
    first.file(turn(ASK_A))
    first.close()
    filing = make_filing(tmp_path, tally, token=lambda: "other")

    filing.read_shelf(lambda: True)
    filing.file(turn(ASK_A, OK, said("user", "a2")))
    filing.close()

    assert sorted(contents(tmp_path)) == [["a"], ["a2"]]
    assert "not read to its end" in caplog.text


def test_exchanges_without_a_history_share_one_file(filing, tally, tmp_path):
    filing.file(turn(said("user", "x"), path="/api/generate"))
    filing.file(turn(ASK_A))
    filing.file(turn(said("user", "y"), path="/api/generate"))
    filing.close()

    names = [path.name for path in Shelf(tmp_path).paths()]
    assert contents(tmp_path) == [["x", "y"], ["a"]]
    assert "loose" in names[0]
    assert tally.conversations == 1


def test_a_cassette_that_cannot_be_read_is_reported_and_left_alone(tmp_path, tally, caplog):
    broken = tmp_path / "broken.yaml"
    broken.write_bytes(b"version: 1\ninteractions:\n- {]\n- {}\n")
    before = broken.read_bytes()
    filing = make_filing(tmp_path, tally)

    filing.read_shelf()
    filing.file(turn(ASK_A))
    filing.close()

    assert broken.read_bytes() == before
    assert "broken.yaml" in caplog.text
    assert "is left alone" in caplog.text
    assert tally.recorded == 1


def test_a_conversation_whose_file_cannot_be_continued_goes_on_in_another(tmp_path, tally, caplog):
    """For example because another recorder is writing to that file."""
    first = make_filing(tmp_path, Tally())
    first.file(turn(ASK_A))
    first.close()
    filing = make_filing(tmp_path, tally, token=lambda: "other")
    filing.read_shelf()

    with CassetteWriter.reopen(Shelf(tmp_path).paths()[0]):
        filing.file(turn(ASK_A, OK, said("user", "a2")))
        filing.file(turn(ASK_A, OK, said("user", "a2"), OK, said("user", "a3")))
        filing.close()

    assert sorted(contents(tmp_path)) == [["a"], ["a2", "a3"]]
    assert "goes on in a new cassette" in caplog.text
    assert tally.recorded == 2


def test_only_so_many_files_are_open_at_once(tmp_path, tally):
    """A file that was closed for another is opened again when its conversation goes on."""
    filing = make_filing(tmp_path, tally, max_open=2)
    for name in "abc":
        filing.file(turn(said("user", name)))
        assert len(filing._writers) <= 2
    assert tally.recorded == 1, "what was closed is synced"
    filing.file(turn(ASK_A, OK, said("user", "a2")))
    filing.close()

    assert contents(tmp_path) == [["a", "a2"], ["b"], ["c"]]
    assert tally.recorded == 4


def test_recorded_means_synced(filing, tally):
    filing.file(turn(ASK_A))
    assert filing.dirty
    assert tally.recorded == 0

    filing.sync()
    assert not filing.dirty
    assert tally.recorded == 1


def test_secrets_in_headers_do_not_reach_the_disk(filing, tmp_path):
    filing.file(turn(ASK_A, headers=(("Authorization", "Bearer hush"), ("Accept", "*/*"))))
    filing.close()

    assert b"hush" not in Shelf(tmp_path).paths()[0].read_bytes()


def test_the_pin_goes_into_the_record(tmp_path, tally):
    class Pins:
        def pin(self, exchange, body, *, starts):
            return Pin(model=body["model"], server_version="1", options={"starts": starts})

    filing = make_filing(tmp_path, tally, pins=Pins())
    filing.file(turn(ASK_A))
    filing.file(turn(ASK_A, OK, said("user", "a2")))
    filing.close()

    first, second = load(Shelf(tmp_path).paths()[0]).exchanges
    assert (first.pin.model, first.pin.server_version) == ("m", "1")
    assert (first.pin.options, second.pin.options) == ({"starts": True}, {"starts": False})


def test_exchanges_without_an_answer_are_counted(filing, tally):
    filing.file(replace(turn(ASK_A), outcome=Outcome.UPSTREAM_ERROR))
    filing.file(replace(turn(ASK_B), outcome=Outcome.CLIENT_ABORTED))

    assert tally.unanswered == 1


def test_an_exchange_that_makes_no_sense_is_kept_all_the_same(filing, tally, tmp_path):
    """A body no stitcher can walk through is recorded beside the conversations."""
    deep = b'{"model": "m", "messages": [' + b"[" * 100_000 + b"]" * 100_000 + b"]}"
    exchange = replace(turn(ASK_A), request=replace(turn(ASK_A).request, body=deep))

    filing.file(exchange)
    filing.close()

    assert load(Shelf(tmp_path).paths()[0]).exchanges[0].request.body == deep
    assert (tally.recorded, tally.conversations) == (1, 0)


def test_a_shelf_that_disappears_costs_records_and_says_so(tmp_path, tally):
    """Once it is back, recording goes on."""
    shelf = tmp_path / "shelf"
    filing = make_filing(shelf, tally)
    shutil.rmtree(shelf)
    shelf.write_text("a file where the folder should be")

    with pytest.raises(CassetteError, match="cannot be created"):
        filing.file(turn(ASK_A))

    shelf.unlink()
    filing.file(turn(ASK_B))
    filing.close()
    assert contents(shelf) == [["b"]]


def test_a_disk_that_refuses_costs_what_was_not_synced_and_says_so(
    filing, tally, tmp_path, monkeypatch
):
    """After that the same conversation is recorded again."""
    real = os.write

    def full(fd, data):
        raise OSError(28, "No space left on device")

    filing.file(turn(ASK_A))
    filing.sync()
    monkeypatch.setattr(os, "write", full)
    filing.file(turn(ASK_A, OK, said("user", "a2")))
    filing.sync()

    assert tally.recorded == 1
    assert tally.lost == {"cannot be written: No space left on device": 1}

    monkeypatch.setattr(os, "write", real)
    filing.file(turn(ASK_A, OK, said("user", "a2"), OK, said("user", "a3")))
    filing.close()
    assert tally.recorded == 2
    assert sorted(m for file in contents(tmp_path) for m in file) == ["a", "a3"]


def large(root):
    """Return a recorder's files of any size, sealed after ten seconds of a clock in a list."""
    now = [0.0]
    sealer = Sealer(idle_s=10, from_bytes=0, clock=lambda: now[0])
    return now, make_filing(root, Tally(), sealer=sealer)


def test_a_cassette_that_rests_is_sealed_and_its_conversation_goes_on(tmp_path):
    now, filing = large(tmp_path)
    filing.file(turn(ASK_A))
    now[0] = 8
    filing.file(turn(ASK_B))
    assert filing.idle_wait_s == 2

    filing.seal_idle()
    assert [path.suffix for path in Shelf(tmp_path).paths()] == [".yaml", ".yaml"]
    now[0] = 10
    filing.seal_idle()
    assert [path.suffix for path in Shelf(tmp_path).paths()] == [".zst", ".yaml"]

    filing.file(turn(ASK_A, OK, said("user", "a2")))
    filing.sync()
    assert contents(tmp_path) == [["a", "a2"], ["b"]]
    assert [path.suffix for path in Shelf(tmp_path).paths()] == [".yaml", ".yaml"]


def test_at_the_end_all_are_sealed_and_the_next_recorder_continues_them(tmp_path):
    _, first = large(tmp_path)
    first.file(turn(ASK_A))
    first.close()
    (sealed,) = Shelf(tmp_path).paths()
    assert sealed.name.endswith(".yaml.zst")

    second = make_filing(tmp_path, Tally(), token=lambda: "other")
    second.read_shelf()
    second.file(turn(ASK_A, OK, said("user", "a2")))
    second.close()

    assert contents(tmp_path) == [["a", "a2"]]


def test_small_and_foreign_cassettes_stay_as_they_are(tmp_path):
    foreign = tmp_path / "stock.yaml"
    foreign.write_text("interactions: []\nversion: 1\n")
    make_filing(tmp_path, Tally()).file(turn(ASK_A))
    _, filing = large(tmp_path)
    before = foreign.read_bytes()

    filing.read_shelf()
    filing.close()

    assert foreign.read_bytes() == before


def under_way(root, *exchanges):
    """Leave a journal behind, as a recorder that was killed."""
    writer = JournalWriter(root, "dead")
    for number, exchange in enumerate(exchanges):
        writer.begin(number, replace(exchange, outcome=Outcome.PROXY_STOPPED, error="killed"))
    writer.sync()
    writer._file.close()


def test_what_a_killed_recorder_had_under_way_is_recorded(tmp_path, tally):
    """In the file of its conversation; what it had recorded already is not recorded twice."""
    first = make_filing(tmp_path, Tally())
    first.file(turn(ASK_A))
    first.close()
    later = replace(turn(ASK_A, OK, said("user", "a2")), started_at="2026-11-21T11:00:00+00:00")
    under_way(tmp_path, turn(ASK_A), later)

    second = make_filing(tmp_path, tally, token=lambda: "other")
    second.read_shelf()
    second.close()

    assert contents(tmp_path) == [["a", "a2"]]
    exchange = load(Shelf(tmp_path).paths()[0]).exchanges[1]
    assert (exchange.outcome, exchange.error) == (Outcome.PROXY_STOPPED, "killed")
    assert (tally.recovered, tally.recorded) == (1, 0)
    assert journal.find(tmp_path) == []


def test_what_was_under_way_waits_where_the_disk_refuses(tmp_path, tally, monkeypatch, caplog):
    import os

    def full(fd, data):
        raise OSError(28, "No space left on device")

    under_way(tmp_path, turn(ASK_A))
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        make_filing(tmp_path, tally).read_shelf()
    assert "waits for the next start" in caplog.text
    assert len(journal.find(tmp_path)) == 1

    later = make_filing(tmp_path, tally, token=lambda: "later")
    later.read_shelf()
    later.close()
    assert tally.recovered == 1
    assert journal.find(tmp_path) == []


def test_the_journal_of_another_recorder_is_left_alone(tmp_path, tally):
    writer = JournalWriter(tmp_path, "alive")
    writer.begin(0, turn(ASK_A))
    writer.sync()

    make_filing(tmp_path, tally).read_shelf()

    assert tally.recovered == 0
    assert len(journal.find(tmp_path)) == 1
    writer.remove()
