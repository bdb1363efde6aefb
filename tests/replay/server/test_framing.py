"""What goes on the wire is what came off it."""

from dataclasses import replace

import pytest

from tests.replay.server.harness import answered, asks, last, line, streamed, whole
from tonearm.model import Chunk, Outcome
from tonearm.replay.server.framing import frame

HEAD = b"HTTP/1.1 200 OK\r\n"


def chunk(piece):
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def test_a_stream_keeps_its_head_and_its_pieces():
    lines = (line("hé"), line("llo"), last())
    framed = frame(streamed(asks("hi"), *lines))

    head = HEAD + (
        b"Content-Type: application/x-ndjson\r\n"
        b"Date: Sat, 21 Nov 2026 11:18:28 GMT\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    assert framed.whole == head + b"".join(map(chunk, lines)) + b"0\r\n\r\n"
    assert not framed.hang_up


def test_each_piece_is_marked_with_its_time():
    """The head goes with the first piece, the end of the body with the last."""
    exchange = streamed(asks("hi"), line("a"), line("b"), times=[1.5, 2.0])
    framed = frame(exchange)

    first = framed.whole.index(chunk(line("b")))
    assert framed.marks == ((first, 1.5), (len(framed.whole), 2.0))


def test_pieces_may_cut_lines_anywhere():
    body = line("a") + last()
    exchange = replace(
        streamed(asks("hi"), body), chunks=(Chunk(3, 0.1), Chunk(len(body) - 1, 0.2))
    )

    assert chunk(body[:3]) + chunk(body[3:-1]) + chunk(body[-1:]) in frame(exchange).whole


def test_a_body_with_a_length_is_not_framed():
    exchange = whole(asks("hi"))

    assert frame(exchange).whole.endswith(b"\r\n\r\n" + exchange.response.body)


def test_header_fields_stay_as_they_are_repeated_ones_too():
    headers = (("x-b", "1"), ("Content-Length", "2"), ("X-A", " spaced "), ("x-b", "2"))
    framed = frame(answered(asks("hi"), 200, headers, b"{}"))

    lines = framed.whole.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    assert lines == [b"x-b: 1", b"Content-Length: 2", b"X-A:  spaced ", b"x-b: 2"]


def test_a_length_that_an_edit_made_wrong_is_put_right():
    """A client would wait for what never comes."""
    framed = frame(answered(asks("hi"), 200, (("Content-Length", "7"), ("A", "b")), b"{}"))

    assert framed.whole == HEAD + b"A: b\r\nContent-Length: 2\r\n\r\n{}"


def test_a_body_without_any_framing_gets_a_length():
    framed = frame(answered(asks("hi"), 200, (), b"{}"))

    assert framed.whole == HEAD + b"Content-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X\r\nSet-Cookie", "a"),
        ("X", "a\r\nSet-Cookie: b"),
        ("X", "a\nb"),
        ("", "a"),
        ("X:", "a"),
        ("X", "\udcff"),
        ("X", "短"),
    ],
)
def test_a_field_that_would_be_another_message_is_left_out(name, value):
    headers = (("Content-Length", "2"), (name, value))

    assert frame(answered(asks("hi"), 200, headers, b"{}")).whole == (
        HEAD + b"Content-Length: 2\r\n\r\n{}"
    )


def test_a_reason_that_would_be_another_message_is_left_out():
    exchange = answered(asks("hi"), 200, (), b"")
    odd = replace(exchange, response=replace(exchange.response, reason="OK\r\nX: y"))

    assert frame(odd).whole.startswith(b"HTTP/1.1 200 \r\n")


def test_two_ways_to_frame_one_body_become_one():
    headers = (("Content-Length", "1"), ("Transfer-Encoding", "chunked"))
    framed = frame(answered(asks("hi"), 200, headers, b"{}"))

    assert framed.whole == HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"


def test_a_cut_connection_is_cut_at_the_same_byte():
    """No end of the body: the client is to see that it is not whole."""
    exchange = streamed(asks("hi"), line("a"), line("b")[:9], outcome=Outcome.UPSTREAM_ABORTED)
    framed = frame(exchange)

    assert framed.whole.endswith(chunk(line("a")) + chunk(line("b")[:9]))
    assert framed.hang_up
    assert framed.end_s == exchange.duration_s


def test_a_cut_body_with_a_length_keeps_the_length_that_was_promised():
    headers = (("Content-Length", "100"),)
    framed = frame(answered(asks("hi"), 200, headers, b"{", outcome=Outcome.UPSTREAM_ABORTED))

    assert framed.whole == HEAD + b"Content-Length: 100\r\n\r\n{"
    assert framed.hang_up


def test_a_connection_that_was_to_be_closed_is_closed():
    headers = (("Content-Length", "2"), ("Connection", "close"))

    assert frame(answered(asks("hi"), 200, headers, b"{}")).hang_up


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("DELETE", 204)])
def test_what_has_no_body_gets_none(method, status):
    headers = (("Content-Length", "345"), ("A", "b"))
    framed = frame(answered(b"", status, headers, b"", method=method))

    assert framed.whole.endswith(b"Content-Length: 345\r\nA: b\r\n\r\n")


def test_an_old_client_gets_a_length_in_place_of_chunks():
    exchange = streamed(asks("hi"))
    framed = frame(exchange, chunked=False)

    assert framed.whole.endswith(
        b"Content-Length: %d\r\n\r\n%b" % (len(exchange.response.body), exchange.response.body)
    )
    assert b"Transfer-Encoding" not in framed.whole


@pytest.mark.parametrize("ends", [(5, 3, 99), (0, 0), (-4, 2)])
def test_chunks_that_make_no_sense_lose_no_byte(ends):
    """A chunk of no bytes would end a chunked body."""
    body = line("a")
    exchange = replace(streamed(asks("hi"), body), chunks=tuple(Chunk(end, 0.0) for end in ends))
    framed = frame(exchange).whole

    payload, pieces = framed.split(b"\r\n\r\n", 1)[1], []
    while payload:
        size, _, rest = payload.partition(b"\r\n")
        pieces.append(rest[: int(size, 16)])
        payload = rest[int(size, 16) + 2 :]
    assert b"".join(pieces) == body
    assert pieces.index(b"") == len(pieces) - 1
