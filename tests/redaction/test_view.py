"""What is replaced in a view is replaced in the bytes that spell it."""

import json

from hypothesis import given
from hypothesis import strategies as st

from tonearm.redaction import codes
from tonearm.redaction.edits import Edit, apply
from tonearm.redaction.view import View, joined

PIECES = st.lists(
    st.sampled_from(
        ["a", "é", "🎬", '"', "\\", "/", "\n", "\t", "\x01", "n", "u0041", "%41", "b", "0", " "]
    ),
    max_size=20,
).map("".join)


@st.composite
def spelled(draw, text):
    """JSON's spelling of a text, some characters escaped that need not be."""
    return "".join(
        json.dumps(char)[1:-1]
        if draw(st.booleans())
        else "".join(f"\\u{u:04x}" for u in _units(char))
        for char in text
    )


def _units(char):
    raw = char.encode("utf-16-be")
    return [int.from_bytes(raw[n : n + 2]) for n in range(0, len(raw), 2)]


@given(st.data(), PIECES)
def test_a_spelled_text_reads_as_the_text(data, text):
    assert codes.read(data.draw(spelled(text)).encode()) == text.encode()


@given(st.binary(max_size=40) | PIECES.map(str.encode))
def test_the_fast_reading_is_the_slow_one(data):
    """A zero byte, which says that the fast way cannot be taken, changes nothing else."""
    assert codes.read(data + b"\0") == codes.read(data) + b"\0"


@given(st.data(), PIECES.filter(bool), st.integers(1, 2))
def test_an_edit_of_a_view_is_one_of_the_body(data, text, depth):
    body = text
    for _ in range(depth):
        body = data.draw(spelled(body))
    view = View(body.encode())
    for _ in range(depth):
        view = codes.unescaped(view)
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    low, high = (len(text[:n].encode()) for n in (start, end))
    new = b"q" * (high - low)

    root = View(body.encode())
    edited = apply(root.data, view.lower([Edit(low, high, new)]))
    for _ in range(depth):
        edited = codes.read(edited)

    assert edited == view.data[:low] + new + view.data[high:]


@given(st.data(), st.lists(st.binary(min_size=1, max_size=6), min_size=1, max_size=6))
def test_an_edit_of_joined_pieces_reaches_every_piece(data, pieces):
    body, spans = b"", []
    for piece in pieces:
        body += b"--"
        spans.append((len(body), len(body) + len(piece)))
        body += piece
    whole = b"".join(pieces)
    start = data.draw(st.integers(0, len(whole) - 1))
    end = data.draw(st.integers(start + 1, len(whole)))
    view = joined(View(body), spans)

    edited = apply(body, view.lower([Edit(start, end, b"q" * (end - start))]))

    assert joined(View(edited), spans).data == whole[:start] + b"q" * (end - start) + whole[end:]
    assert len(edited) == len(body)


def test_a_place_of_an_address_is_written_as_addresses_are():
    body = b"x https://h/?q=a%40b%20c y"
    view = codes.unquoted(View(body), 2, 24)
    at = view.data.index(b"a@b c")

    edited = apply(body, view.lower([Edit(at, at + 5, b"d@e f")]))

    assert view.data == b"https://h/?q=a@b c"
    assert edited == b"x https://h/?q=d%40e%20f y"


def test_a_pair_of_surrogates_is_one_character():
    assert codes.read(rb"\ud83c\udfac\ud83c") == "🎬".encode() + b"\xed\xa0\xbc"
