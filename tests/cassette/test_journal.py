"""What is under way survives its recorder."""

import pytest

from tonearm.cassette import journal
from tonearm.cassette.journal import JournalWriter
from tonearm.errors import CassetteError
from tonearm.model import Chunk, Exchange, HttpRequest, HttpResponse, Outcome

QUESTION = HttpRequest(
    method="POST", uri="http://h/api/chat", headers=(("Accept", "*/*"),), body=b'{"model":"m"}'
)


def so_far(*pieces, status=200):
    ends = [sum(map(len, pieces[: n + 1])) for n in range(len(pieces))]
    return Exchange(
        request=QUESTION,
        response=HttpResponse(status=status, reason="OK", body=b"".join(pieces)),
        started_at="2026-11-21T10:00:00.000001+00:00",
        duration_s=float(len(pieces)),
        chunks=tuple(Chunk(end, 0.5 * n) for n, end in enumerate(ends)),
        outcome=Outcome.PROXY_STOPPED,
        error="the recorder was killed",
    )


@pytest.fixture
def writer(tmp_path):
    writer = JournalWriter(tmp_path, "t")
    yield writer
    writer.remove()


def read(tmp_path):
    (path,) = journal.find(tmp_path)
    return journal.read(path)


def test_an_answer_that_grows_is_put_together(tmp_path, writer):
    writer.begin(0, so_far(status=503))
    writer.go_on(0, so_far(b"one\n"), 0)
    writer.go_on(0, so_far(b"one\n", b"two\n", b"three\n"), 4)
    writer.sync()

    found = read(tmp_path)

    assert found.exchanges == (so_far(b"one\n", b"two\n", b"three\n"),)
    assert found.live


def test_what_has_ended_is_not_under_way_any_more(tmp_path, writer):
    for number in range(3):
        writer.begin(number, so_far(b"%d\n" % number))
    writer.end(1)
    writer.sync()

    assert [e.response.body for e in read(tmp_path).exchanges] == [b"0\n", b"2\n"]


def test_an_answer_that_reads_differently_later_is_written_anew(tmp_path, writer):
    writer.begin(0, so_far(b"secret\n", b"x\n"))
    writer.begin(0, so_far(b"------\n", b"x\n", b"y\n"))
    writer.go_on(0, so_far(b"------\n", b"x\n", b"y\n", b"z\n"), 11)
    writer.sync()

    assert read(tmp_path).exchanges == (so_far(b"------\n", b"x\n", b"y\n", b"z\n"),)


def test_a_piece_that_is_taken_back_is_cut_off(tmp_path, writer):
    writer.begin(0, so_far(b"one\n", b"two\n", b"three\n"))
    writer.go_on(0, so_far(b"one\n", b"2\n"), 4)
    writer.sync()

    assert read(tmp_path).exchanges == (so_far(b"one\n", b"2\n"),)


def test_a_journal_that_is_cut_anywhere_says_what_stands_before(tmp_path, writer):
    writer.begin(0, so_far(b"one\n"))
    writer.begin(1, so_far(b"uno\n"))
    writer.go_on(0, so_far(b"one\n", b"two\n"), 4)
    writer.end(1)
    writer.sync()
    (path,) = journal.find(tmp_path)
    data = path.read_bytes()
    states = [
        [],
        [b"one\n"],
        [b"one\n", b"uno\n"],
        [b"one\ntwo\n", b"uno\n"],
        [b"one\ntwo\n"],
    ]
    for size in range(len(data) + 1):
        path.write_bytes(data[:size])

        bodies = [e.response.body for e in journal.read(path).exchanges]

        assert bodies == states[data[:size].count(b"\n")]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"0",
        b"0 new {}",
        b"0 new - {}",
        b"9 4 - {}",
        b"0 x - {",
        b"\xff\xfe new - []",
        b"0 -3 - 1",
    ],
)
def test_after_a_broken_line_nothing_is_believed(tmp_path, writer, line):
    writer.begin(0, so_far(b"one\n"))
    writer.sync()
    (path,) = journal.find(tmp_path)
    path.write_bytes(path.read_bytes() + line + b"\n0 end\n")

    assert journal.read(path).exchanges == (so_far(b"one\n"),)


def test_a_part_whose_beginning_is_missing_is_not_believed(tmp_path, writer):
    writer.go_on(7, so_far(b"one\n", b"two\n"), 4)
    writer.sync()

    assert read(tmp_path).exchanges == ()


def test_the_journal_of_a_recorder_that_runs_is_not_deleted(tmp_path, writer):
    writer.sync()
    (path,) = journal.find(tmp_path)
    with pytest.raises(CassetteError, match="another recorder is writing"):
        journal.remove(path)
    assert path.exists()

    writer._file.close()
    assert not journal.read(path).live
    journal.remove(path)
    assert list(path.parent.iterdir()) == []


def test_nobody_else_can_read_it(tmp_path, writer):
    writer.sync()
    (path,) = journal.find(tmp_path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
