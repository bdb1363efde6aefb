"""What the hooks saw becomes an exchange."""

import hashlib

import pytest

from tonearm.model import Chunk, HttpRequest, Outcome
from tonearm.proxy.capture import Capture
from tonearm.proxy.tee import Tee


def capture(**fields):
    return Capture(
        **{
            "method": "POST",
            "uri": "http://127.0.0.1:11434/api/chat",
            "started_at": "2026-11-21T10:00:00.000+00:00",
            "started_s": 100.0,
            "ended_s": 102.0,
            "status": 200,
            "reason": "OK",
        }
        | fields
    )


def copied(*pieces, clock=None, **limits):
    times = iter(100.5 + n for n in range(len(pieces)))
    tee = Tee(clock=clock or (lambda: next(times)), on_end=lambda: None, **limits)
    for piece in pieces:
        tee(piece)
    return tee


def test_pieces_become_a_body_and_its_boundaries():
    exchange = capture(tee=copied(b"abc", b"de"), request_body=b"{}").exchange()

    assert exchange.response.body == b"abcde"
    assert exchange.chunks == (Chunk(3, 0.5), Chunk(5, 1.5))
    assert exchange.duration_s == 2.0
    assert exchange.outcome is Outcome.COMPLETE
    assert exchange.request == HttpRequest(
        method="POST", uri="http://127.0.0.1:11434/api/chat", body=b"{}"
    )


def test_header_bytes_of_any_kind_become_text():
    fields = ((b"X-One", b"caf\xc3\xa9"), (b"X-One", b"\xff"))
    exchange = capture(request_fields=fields, tee=copied()).exchange()

    assert [(n.encode("latin-1"), v.encode("latin-1")) for n, v in exchange.request.headers] == [
        *fields
    ]


def test_a_body_beyond_the_limit_is_truncated_and_says_by_how_much():
    exchange = capture(tee=copied(b"12345", b"678", limit_bytes=6)).exchange()

    assert exchange.outcome is Outcome.TRUNCATED
    assert exchange.response.body == b"12345"
    assert exchange.error == (
        "the first 5 of 8 bytes of the response were kept; "
        f"the others have the SHA-256 {hashlib.sha256(b'678').hexdigest()}"
    )


def test_a_request_that_was_copied_while_it_came_is_put_together():
    upload = copied(b"par", b"tial", b"", clock=lambda: 100.5)
    exchange = capture(tee=copied(b"x"), upload=upload).exchange()

    assert exchange.request.body == b"partial"
    assert exchange.outcome is Outcome.COMPLETE


def test_a_request_that_was_not_read_to_its_end_is_never_complete():
    """A server may answer, with an error say, before it has read all."""
    upload = copied(b"par", clock=lambda: 100.5)
    exchange = capture(tee=copied(b"x"), upload=upload).exchange()

    assert exchange.outcome is Outcome.TRUNCATED
    assert exchange.error == "the answer came before the request was read to its end"


def test_a_request_beyond_the_limit_is_truncated_and_says_so():
    upload = copied(b"12345", b"678", b"", limit_bytes=6, clock=lambda: 100.5)
    exchange = capture(tee=copied(b"x"), upload=upload).exchange()

    assert exchange.outcome is Outcome.TRUNCATED
    assert exchange.error.startswith("the first 5 of 8 bytes of the request were kept")


def test_a_fault_of_the_copy_is_never_a_complete_exchange():
    def fail():
        raise MemoryError

    exchange = capture(tee=copied(b"text", clock=fail)).exchange()

    assert exchange.outcome is Outcome.TRUNCATED
    assert exchange.error == "the copy stopped: MemoryError in the recorder"


@pytest.mark.parametrize(
    ("outcome", "status"), [(Outcome.CLIENT_ABORTED, 499), (Outcome.PROXY_STOPPED, 503)]
)
def test_an_end_before_any_response_has_a_status_of_its_own(outcome, status):
    exchange = capture(status=0, reason="", outcome=outcome, error="gone").exchange()

    assert exchange.response.status == status
    assert (exchange.outcome, exchange.error, exchange.chunks) == (outcome, "gone", ())


def test_the_size_counts_every_body():
    assert capture(request_body=b"12", tee=copied(b"345"), own_body=b"6").size_bytes == 6
