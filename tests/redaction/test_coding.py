"""Compressed bodies are read as far as they can be, and no further than is safe."""

import gzip
import zlib

import pytest

from tonearm.redaction.coding import Unreadable, is_packed, unpacked

TEXT = b"a line of text\n" * 40


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("GZip", gzip.compress), ("deflate", zlib.compress)],
)
def test_pieces_end_where_their_text_ends(coding, pack):
    body = pack(TEXT)

    text, ends = unpacked(body, [10, len(body)], coding)

    assert text == TEXT
    assert (ends[0] <= ends[1], ends[1]) == (True, len(TEXT))


def test_a_body_that_was_cut_gives_what_there_is():
    text, ends = unpacked(gzip.compress(TEXT)[:-12], [], "gzip")

    assert TEXT.startswith(text)
    assert ends == []


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (b"abc", "br"),
        (b"not packed", "gzip"),
        (gzip.compress(TEXT), "gzip, gzip"),
        (gzip.compress(TEXT) + gzip.compress(TEXT), "gzip"),
        (gzip.compress(bytes(65 << 20)), "gzip"),
    ],
    ids=["unknown", "not packed", "twice", "two in a row", "bomb"],
)
def test_what_cannot_be_read_is_said(body, coding):
    with pytest.raises(Unreadable):
        unpacked(body, [], coding)


def test_a_body_without_coding_is_not_packed():
    assert [is_packed(c) for c in ("", "identity", " Identity ", "gzip")] == [
        False,
        False,
        False,
        True,
    ]
