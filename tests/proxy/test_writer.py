"""The queue and the thread behind it."""

import threading
import time

import pytest

from tonearm.errors import CassetteError
from tonearm.proxy.capture import Capture
from tonearm.proxy.tally import Tally
from tonearm.proxy.writer import SYNC_S, Writer

WAIT_S = 20.0


class Files:
    """Takes exchanges as a shelf would, and can be told to wait or to fail."""

    def __init__(self):
        self.filed = []
        self.synced = []
        self.closed = threading.Event()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.fault = None
        self.idle_wait_s = None
        self.sealed = threading.Event()

    def seal_idle(self):
        self.idle_wait_s = None
        self.sealed.set()

    def read_shelf(self, enough):
        self.entered.set()

    @property
    def unsynced(self):
        return len(self.filed) - sum(self.synced)

    @property
    def dirty(self):
        return self.unsynced > 0

    def file(self, exchange):
        self.entered.set()
        assert self.gate.wait(WAIT_S)
        if self.fault:
            raise self.fault
        self.filed.append(exchange)

    def sync(self):
        self.synced.append(len(self.filed) - sum(self.synced))

    def close(self):
        self.sync()
        self.closed.set()


@pytest.fixture
def files():
    return Files()


@pytest.fixture
def tally():
    return Tally()


def capture(body=b"x"):
    return Capture(
        method="POST",
        uri="http://127.0.0.1:11434/api/chat",
        started_at="now",
        started_s=0.0,
        request_body=body,
        status=200,
    )


def wait_for(condition):
    """Wait until a condition holds that another thread brings about."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline


def test_what_is_put_is_written_in_order_and_synced_at_the_end(files, tally):
    writer = Writer(files, tally)
    writer.start()
    for n in range(100):
        writer.put(capture(str(n).encode()))
    writer.close(WAIT_S)

    assert [e.request.body for e in files.filed] == [str(n).encode() for n in range(100)]
    assert files.closed.is_set()
    assert sum(files.synced) == 100
    assert not tally.lost


def test_syncs_are_grouped_while_captures_follow_each_other(files, tally):
    """By a clock that advances a tenth of the interval with each look."""
    now = iter(n * SYNC_S / 10 for n in range(10**6))
    writer = Writer(files, tally, clock=lambda: next(now))
    for _ in range(100):
        writer.put(capture())
    writer.start()
    writer.close(WAIT_S)

    assert len(files.filed) == 100
    assert 5 <= len(files.synced) <= 30
    assert files.synced[0] == 1, "the first does not wait for others"


@pytest.mark.parametrize("bounds", [{"max_items": 3}, {"max_bytes": 30}])
def test_a_full_queue_drops_and_counts_without_waiting(files, tally, bounds):
    files.gate.clear()
    writer = Writer(files, tally, **bounds)
    writer.start()
    for _ in range(8):
        writer.put(capture(b"ten bytes."))
    files.gate.set()
    writer.close(WAIT_S)

    assert len(files.filed) == 3
    assert tally.lost == {"the queue to the writer was full": 5}


def test_room_that_was_written_out_can_be_used_again(files, tally):
    writer = Writer(files, tally, max_items=1)
    writer.start()
    for _ in range(3):
        files.entered.clear()
        files.gate.clear()
        writer.put(capture())
        assert files.entered.wait(WAIT_S)
        files.gate.set()
        wait_for(lambda: not writer.backlog)
    writer.close(WAIT_S)

    assert len(files.filed) == 3
    assert not tally.lost


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (CassetteError("file", "cannot be written: No space"), "cannot be written: No space"),
        (MemoryError(), "recorder fault in the writer: MemoryError"),
        (ValueError("x"), "recorder fault in the writer: ValueError"),
    ],
)
def test_what_cannot_be_written_is_counted_and_the_thread_goes_on(files, tally, fault, reason):
    files.fault = fault
    writer = Writer(files, tally)
    writer.start()
    writer.put(capture())
    writer.put(capture())
    writer.close(WAIT_S)

    assert tally.lost == {reason: 2}
    assert files.closed.is_set()


def test_a_shelf_that_cannot_be_read_does_not_stop_the_recorder(files, tally, caplog):
    def fail(enough):
        raise CassetteError("shelf", "is a link")

    files.read_shelf = fail
    writer = Writer(files, tally)
    writer.start()
    writer.put(capture())
    writer.close(WAIT_S)

    assert len(files.filed) == 1
    assert "the shelf cannot be read" in caplog.text


def test_a_shelf_that_takes_long_to_read_does_not_hold_up_the_end(files, tally):
    """What waits in the queue is worth more than knowing the conversations of old."""

    def read_for_ever(enough):
        wait_for(enough)

    files.read_shelf = read_for_ever
    writer = Writer(files, tally)
    writer.start()
    writer.put(capture())
    writer.close(WAIT_S)

    assert len(files.filed) == 1
    assert not tally.lost


def test_a_writer_that_is_too_slow_is_stopped_and_every_exchange_counted_once(files, tally):
    """It is given up in the middle of a capture; what it has written until then it brings home."""
    writer = Writer(files, tally)

    def file(exchange):
        files.filed.append(exchange)
        wait_for(lambda: writer._given_up)

    files.file = file
    writer.start()
    for _ in range(5):
        writer.put(capture())
    wait_for(lambda: files.filed)
    writer.close(0.01)

    assert len(files.filed) == sum(files.synced) == 1
    assert tally.lost == {"not written within 0.01 s of the end": 4}


def test_what_is_written_and_not_synced_at_the_end_is_counted(files, tally, monkeypatch):
    monkeypatch.setattr("tonearm.proxy.writer.LAST_S", 0.01)
    hanging, go = threading.Event(), threading.Event()

    def sync():
        hanging.set()
        assert go.wait(WAIT_S)

    files.sync = sync
    writer = Writer(files, tally)
    writer.start()
    for _ in range(3):
        writer.put(capture())
    assert hanging.wait(WAIT_S)
    writer.close(0.01)

    assert tally.lost == {"not written within 0.01 s of the end": 3}
    go.set()
    files.sync = lambda: files.synced.append(len(files.filed) - sum(files.synced))
    writer._thread.join(WAIT_S)


def test_a_disk_that_hangs_does_not_keep_the_program_from_ending(files, tally, monkeypatch):
    """What is not written by then is counted."""
    monkeypatch.setattr("tonearm.proxy.writer.LAST_S", 0.01)
    files.gate.clear()
    writer = Writer(files, tally)
    writer.start()
    writer.put(capture())
    writer.put(capture())
    writer.close(0.01)

    assert tally.lost == {"not written within 0.01 s of the end": 2}
    assert writer._thread.daemon
    files.gate.set()
    writer._thread.join(WAIT_S)


def test_what_comes_after_the_end_is_counted(files, tally):
    writer = Writer(files, tally)
    writer.start()
    writer.close(WAIT_S)
    writer.close(WAIT_S)
    writer.put(capture())

    assert tally.lost == {"the recorder was closed": 1}


def test_a_dead_writer_thread_is_a_counter_not_an_outage(files, tally, monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda args: None)

    def die(enough):
        raise SystemExit

    files.read_shelf = die
    writer = Writer(files, tally)
    writer.start()
    writer._thread.join(WAIT_S)
    writer.put(capture())

    assert tally.lost == {"the writer thread has ended": 1}
    writer.close(WAIT_S)


def test_what_rests_is_sealed_while_nothing_comes(files, tally):
    files.idle_wait_s = 0.0
    writer = Writer(files, tally)
    writer.start()

    assert files.sealed.wait(WAIT_S)
    writer.put(capture())
    writer.close(WAIT_S)

    assert len(files.filed) == 1
    assert not tally.lost
