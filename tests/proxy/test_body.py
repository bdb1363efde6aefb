"""Where the pieces of a body are, and its end, however its bytes are cut."""

import random

import h11
import pytest

from tonearm.proxy.body import UNTIL_CLOSED, Body, whole_chunks


@pytest.mark.parametrize(
    ("data", "found", "end"),
    [
        (b"3\r\nabc\r\n", [b"abc"], 8),
        (b"3\r\nabc\r\n1\r\nd\r\n", [b"abc", b"d"], 14),
        (b"A\r\n0123456789\r\n", [b"0123456789"], 15),
        (b"2\r\n\r\n\r\n", [b"\r\n"], 7),
        (b"3\r\nabc\r\n0\r\n\r\n", [b"abc"], 8),
        (b"3\r\nabc\r\n2\r\nd", [b"abc"], 8),
        (b"", [], 0),
        (b"0\r\n\r\n", [], 0),
        (b"3\r\nab", [], 0),
        (b"3\r\nabc\r", [], 0),
        (b"3\r\nabcd\r\n", [], 0),
        (b"3;x=y\r\nabc\r\n", [], 0),
        (b"-3\r\nabc\r\n", [], 0),
        (b"+3\r\nabc\r\n", [], 0),
        (b"0x3\r\nabc\r\n", [], 0),
        (b" 3\r\nabc\r\n", [], 0),
        (b"\r\nabc\r\n", [], 0),
        (b"xyz\r\nabc\r\n", [], 0),
        (b"000000003\r\nabc\r\n", [], 0),
    ],
)
def test_only_chunks_that_are_whole_are_found(data, found, end):
    assert whole_chunks(data) == (found, end)


def cut(data, chance):
    """Cut bytes into portions, none of them empty."""
    places = sorted(chance.sample(range(1, len(data)), min(len(data) - 1, chance.randint(0, 9))))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def test_chunks_cut_anywhere_are_the_same_body():
    chance = random.Random(5)
    for _ in range(300):
        pieces = [chance.randbytes(chance.randint(1, 40)) for _ in range(chance.randint(0, 6))]
        wire = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        body, found = Body(None), []
        for portion in cut(wire + b"0\r\n\r\nHTTP", chance):
            assert body.after == b"" or body.ended
            found += body.take(portion)
        assert body.ended
        assert b"".join(found) == b"".join(pieces)
        assert body.after == b"HTTP"


def test_pieces_are_those_of_the_server_where_nothing_is_cut():
    body = Body(None)

    assert [*body.take(b"1\r\na\r\n2\r\nbc\r\n")] == [b"a", b"bc"]
    assert [*body.take(b"3;note=1\r\ndef\r\n")] == [b"def"]
    assert [*body.take(b"1\r\ng\r\n0\r\nTrailer: x\r\n\r\n")] == [b"g"]
    assert body.ended


def test_a_body_of_known_size_ends_there():
    body = Body(5)

    assert [*body.take(b"abc")] == [b"abc"]
    assert [*body.take(b"")] == []
    assert not body.ended
    assert [*body.take(b"deNEXT")] == [b"de"]
    assert (body.ended, body.after) == (True, b"NEXT")
    assert [*body.take(b"!")] == []
    assert body.after == b"NEXT!"


def test_no_body_has_ended_before_it_began():
    body = Body(0)

    assert body.ended
    assert [*body.take(b"GET")] == []
    assert body.after == b"GET"


def test_a_body_until_the_connection_closes():
    body = Body(UNTIL_CLOSED)

    assert [*body.take(b"abc")] == [b"abc"]
    assert not body.ended
    body.close()
    assert body.ended


@pytest.mark.parametrize(
    ("size", "data"), [(5, b"abc"), (None, b"3\r\nabc\r\n"), (None, b"3\r\na")]
)
def test_a_body_that_is_cut_off_is_an_error(size, data):
    body = Body(size)
    list(body.take(data))

    with pytest.raises(h11.ProtocolError, match="before the end"):
        body.close()
    assert not body.ended


def test_what_are_no_chunks_is_an_error():
    with pytest.raises(h11.ProtocolError):
        list(Body(None).take(b"3\r\nabcdef\r\n"))
    with pytest.raises(h11.ProtocolError):
        list(Body(None).take(b"no chunk\r\n"))
