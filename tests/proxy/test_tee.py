"""The tee: whatever happens to the copy, the original is what came in."""

import random

import pytest

from tonearm.proxy.tee import Breaker, Tee


def nothing():
    pass


def test_every_piece_goes_out_as_the_object_that_came_in():
    tee = Tee(clock=lambda: 1.0, on_end=nothing)
    pieces = [b"one", b"two" * 1000, b"\x00", b""]

    assert all(tee(piece) is piece for piece in pieces)
    assert [piece for _, piece in tee.pieces] == pieces[:3]
    assert tee.whole


def test_each_piece_is_kept_with_its_time_of_arrival():
    times = iter([1.0, 2.5])
    tee = Tee(clock=lambda: next(times), on_end=nothing)

    tee(b"a")
    tee(b"b")

    assert tee.pieces == [(1.0, b"a"), (2.5, b"b")]


def test_the_empty_piece_tells_that_the_body_has_ended():
    ended = []
    tee = Tee(clock=lambda: 0.0, on_end=lambda: ended.append(True))

    tee(b"text")
    assert not ended
    tee(b"")
    assert ended == [True]


@pytest.mark.parametrize(
    "fault", [ValueError, MemoryError, RecursionError, SystemExit, KeyboardInterrupt, GeneratorExit]
)
@pytest.mark.parametrize("where", ["copy", "end"])
def test_no_exception_of_any_class_gets_out(fault, where):
    def fail():
        raise fault

    tee = Tee(
        clock=fail if where == "copy" else lambda: 0.0, on_end=fail if where == "end" else nothing
    )
    pieces = [b"one", b"two", b""]

    assert all(tee(piece) is piece for piece in pieces)
    assert tee.fault == fault.__name__


def test_a_hundred_faults_at_any_place_change_no_byte():
    """The client's bytes are compared whole: not one piece is lost, repeated or reordered."""
    chance = random.Random(7)
    for _ in range(100):
        pieces = [chance.randbytes(chance.randint(1, 40)) for _ in range(20)]
        faulty = chance.randrange(20)
        count = iter(range(20))

        def clock(count=count, faulty=faulty):
            if next(count) == faulty:
                raise OSError("injected")
            return 0.0

        tee = Tee(clock=clock, on_end=nothing)
        out = b"".join(tee(piece) for piece in [*pieces, b""])

        assert out == b"".join(pieces)
        assert [piece for _, piece in tee.pieces] == pieces[:faulty]
        assert tee.fault == "OSError"


def test_a_copy_with_a_hole_is_not_continued():
    """What came before the fault is a true prefix; anything behind it would not be."""
    answers = iter([1.0, OSError(), 3.0])

    def clock():
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    tee = Tee(clock=clock, on_end=nothing)
    for piece in (b"a", b"b", b"c"):
        tee(piece)

    assert tee.pieces == [(1.0, b"a")]
    assert not tee.whole


def test_the_copy_is_bounded_and_the_original_is_not():
    tee = Tee(clock=lambda: 0.0, on_end=nothing, limit_bytes=10)

    out = [tee(piece) for piece in (b"12345678", b"9abc", b"d")]

    assert out == [b"12345678", b"9abc", b"d"]
    assert [piece for _, piece in tee.pieces] == [b"12345678"]
    assert (tee.size_bytes, tee.dropped_bytes) == (8, 5)


def test_copying_goes_off_after_three_faults_in_a_row():
    breaker = Breaker()
    for fault in (True, True, False, True, True):
        breaker.count(fault=fault)
    assert not breaker.open

    breaker.count(fault=True)
    assert breaker.open

    breaker.count(fault=False)
    assert breaker.open, "once off it stays off, for there is nothing left that could succeed"
