"""What was synced survives, whatever happens to the process or the disk."""

import contextlib
import errno
import os
import signal
import stat
import subprocess
import sys

import pytest

from tests.cassette import samples
from tonearm.cassette import CassetteWriter, load, logfile
from tonearm.cassette.format import HEADER, to_line
from tonearm.errors import CassetteError

needs_modes = pytest.mark.skipif(os.name != "posix", reason="the system has no file modes")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "shelf" / "c.yaml"


def sequences(path):
    return [exchange.sequence for exchange in load(path).exchanges]


def test_exchanges_are_numbered_as_they_come(path):
    with CassetteWriter(path) as writer:
        for _ in range(3):
            writer.append(samples.streamed())
        assert writer.count == 3

    assert sequences(path) == [0, 1, 2]
    assert path.read_bytes().startswith(HEADER)


def test_what_is_synced_can_be_read_while_the_writer_lives(path):
    with CassetteWriter(path) as writer:
        writer.append(samples.streamed())
        assert load(path).exchanges == ()
        writer.sync()
        assert sequences(path) == [0]


def test_a_file_without_exchanges_stays_empty(path):
    """vcrpy refuses a file that has only the header, and records into an empty one."""
    with CassetteWriter(path) as writer:
        writer.sync()

    assert path.read_bytes() == b""


@needs_modes
def test_folders_and_files_are_the_owners_alone(tmp_path):
    tmp_path.chmod(0o755)
    path = tmp_path / "a" / "b" / "c.yaml"

    CassetteWriter(path).close()

    modes = [stat.S_IMODE(p.stat().st_mode) for p in (path, path.parent, path.parent.parent)]
    assert modes == [0o600, 0o700, 0o700]
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


def test_an_existing_file_is_never_written_over(path):
    CassetteWriter(path).close()

    with pytest.raises(CassetteError, match="cannot be created: File exists"):
        CassetteWriter(path)

    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(CassetteError, match="cannot be created"):
        CassetteWriter(tmp_path / "file" / "c.yaml")


def test_a_file_has_one_writer(path):
    with CassetteWriter(path) as writer:
        with pytest.raises(CassetteError, match="another recorder is writing to it"):
            CassetteWriter.reopen(path)
        writer.append(samples.whole())

    assert sequences(path) == [0]
    assert list(path.parent.iterdir()) == [path]


def test_a_file_is_continued(path):
    with CassetteWriter(path) as writer:
        writer.append(samples.streamed())

    with CassetteWriter.reopen(path) as writer:
        assert writer.count == 1
        writer.append(samples.whole())

    assert load(path).exchanges == (samples.streamed(), samples.whole())


@pytest.mark.parametrize("cut", [0, 10, len(HEADER), len(HEADER) + 2, -100, -1])
def test_a_torn_end_is_set_aside_and_the_file_goes_on(path, cut):
    """No byte is lost: what the file no longer has is in the file beside it."""
    whole = HEADER + to_line(samples.streamed()) + to_line(samples.whole())
    torn = whole[: cut or None] if cut < 0 else whole[:cut]
    path.parent.mkdir()
    path.write_bytes(torn)
    kept = len(load(path).exchanges)

    with CassetteWriter.reopen(path) as writer:
        assert writer.count == kept
        writer.append(samples.whole())

    assert load(path).torn is None
    assert sequences(path) == list(range(kept + 1))
    aside = path.with_name("c.yaml.torn")
    rest = aside.read_bytes() if aside.exists() else b""
    assert (path.read_bytes()[: len(torn) - len(rest)] + rest) == torn


def test_torn_ends_collect_in_one_file(path):
    path.parent.mkdir()
    for end in (b'- {"first', b'- {"second'):
        with path.open("ab") as file:
            file.write(HEADER + end if file.tell() == 0 else end)
        with CassetteWriter.reopen(path) as writer:
            writer.append(samples.whole())

    assert path.with_name("c.yaml.torn").read_bytes() == b'- {"first- {"second'
    assert sequences(path) == [0, 1]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"interactions:\n- request: {}\nversion: 1\n", "was not written by tonearm"),
        (HEADER + b'- {"a": 1}\n', "request is missing"),
        (HEADER + b'- {"\n' + to_line(samples.whole()), "is not JSON"),
        (None, "cannot be continued: No such file"),
    ],
)
def test_a_file_that_is_not_ours_or_not_whole_is_not_continued(path, data, reason):
    path.parent.mkdir()
    if data is not None:
        path.write_bytes(data)

    with pytest.raises(CassetteError, match=reason):
        CassetteWriter.reopen(path)

    assert not path.exists() or path.read_bytes() == data
    assert not path.with_name("c.yaml.lock").exists()


@needs_modes
def test_a_link_is_not_written_through(path, tmp_path):
    outside = tmp_path / "outside"
    outside.write_bytes(HEADER + to_line(samples.whole()))
    path.parent.mkdir()
    path.symlink_to(outside)

    with pytest.raises(CassetteError, match="cannot be continued"):
        CassetteWriter.reopen(path)


def test_a_closed_writer_says_so(path):
    writer = CassetteWriter(path)
    writer.close()
    writer.close()

    with pytest.raises(CassetteError, match="is closed"):
        writer.append(samples.whole())
    with pytest.raises(CassetteError, match="is closed"):
        writer.sync()


@pytest.fixture
def full_disk(monkeypatch):
    """A disk with so many bytes left, each write taking at most 1,000 of them."""
    room = [0]
    write = os.write

    def stingy(fd, data):
        if room[0] <= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        size = write(fd, bytes(data[: min(1000, room[0])]))
        room[0] -= size
        return size

    monkeypatch.setattr(logfile.os, "write", stingy)
    return room


def test_a_full_disk_loses_nothing_and_writing_goes_on_when_there_is_room(path, full_disk):
    full_disk[0] = 2_500
    writer = CassetteWriter(path)
    for _ in range(4):
        writer.append(samples.streamed())

    with pytest.raises(CassetteError, match="cannot be written: No space left on device"):
        writer.sync()
    assert len(load(path).exchanges) < 4
    assert load(path).torn is not None

    full_disk[0] = 10**6
    writer.append(samples.streamed())
    writer.sync()
    writer.close()
    assert sequences(path) == [0, 1, 2, 3, 4]


def test_memory_is_bounded_while_the_disk_is_full(path, full_disk):
    writer = CassetteWriter(path)
    with contextlib.suppress(CassetteError):
        for _ in range(1_000):
            writer.append(samples.streamed())
    taken = writer.count
    with pytest.raises(CassetteError, match="No space left"):
        writer.append(samples.streamed())
    assert writer.count == taken < 1_000

    full_disk[0] = 10**9
    writer.close()
    assert sequences(path) == list(range(taken))


@pytest.mark.parametrize("room", [0, 2_500, 4_000, 6_000])
def test_what_a_full_disk_has_taken_is_known_and_counts_as_written(path, full_disk, room):
    full_disk[0] = room
    writer = CassetteWriter(path)
    for _ in range(9):
        writer.append(samples.streamed())
    with pytest.raises(CassetteError, match="No space left"):
        writer.close()

    assert writer.unsynced == 9 - len(load(path).exchanges)
    assert writer.unsynced > 0


def test_closing_on_a_full_disk_is_an_error_and_gives_the_file_free(path, full_disk):
    writer = CassetteWriter(path)
    writer.append(samples.streamed())

    with pytest.raises(CassetteError, match="No space left"):
        writer.close()

    full_disk[0] = 10**9
    CassetteWriter.reopen(path).close()


def test_nothing_is_acknowledged_after_a_failed_sync(path, monkeypatch):
    """What the system dropped when it failed is unknown, so a later success would mean nothing."""

    def fail(fd):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    writer = CassetteWriter(path)
    writer.append(samples.whole())
    with monkeypatch.context() as broken:
        broken.setattr(logfile, "_sync_data", fail)
        with pytest.raises(CassetteError, match="cannot be synced"):
            writer.sync()

    with pytest.raises(CassetteError, match="cannot be synced"):
        writer.sync()
    with pytest.raises(CassetteError, match="cannot be synced"):
        writer.append(samples.whole())
    with pytest.raises(CassetteError, match="cannot be synced"):
        writer.close()
    CassetteWriter.reopen(path).close()


CHILD = """
import sys
from pathlib import Path
from tests.cassette import samples
from tonearm.cassette import CassetteWriter

path = Path(sys.argv[1])
with (CassetteWriter.reopen if path.exists() else CassetteWriter)(path) as writer:
    while True:
        for _ in range(3):
            writer.append(samples.streamed())
        writer.sync()
        print(writer.count, flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="the system has no SIGKILL")
def test_a_killed_writer_loses_nothing_that_it_acknowledged(path):
    """One file, killed and continued again and again at whatever point the writer has reached."""
    for acknowledgements in range(1, 7):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True
        )
        with child:
            for _ in range(acknowledgements):
                acknowledged = int(child.stdout.readline())
            child.send_signal(signal.SIGKILL)
            acknowledged = int([acknowledged, *child.stdout.read().split()][-1])

        cassette = load(path)

        assert len(cassette.exchanges) >= acknowledged
        assert sequences(path) == list(range(len(cassette.exchanges)))
        assert {samples.by_name(e).response for e in cassette.exchanges} == {
            samples.by_name(samples.streamed()).response
        }
