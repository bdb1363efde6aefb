"""Recordings are played in their rhythm, on a clock that the test holds."""

import asyncio
import math
from dataclasses import replace

import pytest

from tests.replay.server.harness import asks, last, line, streamed
from tonearm.errors import UsageError
from tonearm.model import Outcome
from tonearm.replay.server.framing import frame
from tonearm.replay.server.playback import Pace, Playback, parse_speed

START_S = 100.0


class Listener:
    """Notes what is written when, and when the connection is closed."""

    def __init__(self, clock, write_s=0.0):
        self.clock = clock
        self.write_s = write_s
        self.writes = []
        self.closed_s = None

    async def write(self, data):
        self.writes.append((round(self.clock.now_s - START_S, 6), bytes(data)))
        self.clock.now_s += self.write_s

    def hang_up(self):
        self.closed_s = round(self.clock.now_s - START_S, 6)


class Clock:
    """Time that passes only while somebody sleeps or writes."""

    def __init__(self):
        self.now_s = START_S

    def pace(self, speed):
        return Pace(speed=speed, clock=lambda: self.now_s, sleep=self.sleep)

    async def sleep(self, seconds):
        self.now_s += seconds


def played(exchange, speed, write_s=0.0):
    clock = Clock()
    listener = Listener(clock, write_s)
    framed = frame(exchange)
    asyncio.run(Playback(framed, clock.pace(speed), START_S).send(listener))
    assert b"".join(data for _, data in listener.writes) == framed.whole
    return listener


RECORDING = streamed(asks("hi"), line("a"), line("b"), line("c"), last(), times=[0.5, 0.52, 0.8, 2])


def test_at_recorded_speed_each_piece_comes_when_it_came():
    assert [at for at, _ in played(RECORDING, 1.0).writes] == [0.5, 0.52, 0.8, 2.0]


def test_a_factor_makes_it_faster_or_slower():
    assert [at for at, _ in played(RECORDING, 10.0).writes] == [0.05, 0.052, 0.08, 0.2]
    assert [at for at, _ in played(RECORDING, 0.5).writes] == [1.0, 1.04, 1.6, 4.0]


def test_instant_is_one_write():
    assert len(played(RECORDING, math.inf).writes) == 1


def test_what_came_at_once_is_written_at_once():
    exchange = streamed(asks("hi"), line("a"), line("b"), line("c"), times=[0.5, 0.5, 0.7])

    assert [at for at, _ in played(exchange, 1.0).writes] == [0.5, 0.7]


def test_a_slow_client_does_not_shift_the_rhythm():
    """What is overdue after a slow write follows at once, in one write."""
    listener = played(RECORDING, 1.0, write_s=0.4)

    assert [at for at, _ in listener.writes] == [0.5, 0.9, 2.0]


def test_a_connection_is_cut_when_it_was_cut():
    """A stream may have stood still for long before it broke."""
    exchange = streamed(asks("hi"), line("a"), times=[0.5], outcome=Outcome.UPSTREAM_ABORTED)
    listener = played(exchange, 1.0)

    assert [at for at, _ in listener.writes] == [0.5]
    assert listener.closed_s == round(exchange.duration_s, 6) == 0.51


def test_a_recording_without_times_is_played_when_it_was_over():
    exchange = replace(streamed(asks("hi")), chunks=(), duration_s=0.7)

    assert [at for at, _ in played(exchange, 1.0).writes] == [0.7]


@pytest.mark.parametrize(
    ("text", "speed"), [("recorded", 1), ("instant", math.inf), ("4", 4), ("0.5", 0.5)]
)
def test_speeds_are_named_or_numbers(text, speed):
    assert parse_speed(text) == speed


@pytest.mark.parametrize("text", ["fast", "0", "-1", "nan", ""])
def test_other_speeds_are_refused(text):
    with pytest.raises(UsageError, match="recorded, instant, or a number"):
        parse_speed(text)
