"""Edits are made in their places, and other places are found again behind them."""

from hypothesis import given
from hypothesis import strategies as st

from tonearm.redaction.edits import Canvas, Edit, Shift, apply

BODY = bytes(range(65, 91))


@st.composite
def edit_lists(draw):
    cuts = sorted(draw(st.sets(st.integers(0, len(BODY)), max_size=8)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    return [Edit(a, b, draw(st.binary(max_size=6).map(bytes.hex)).encode()) for a, b in pairs]


@given(edit_lists(), st.integers(0, len(BODY)))
def test_what_is_outside_of_edits_is_found_behind_them(edits, at):
    new = apply(BODY, edits)
    place = Shift(edits)(at)

    inside = any(edit.start <= at < edit.end for edit in edits)
    assert 0 <= place <= len(new)
    assert inside or new[place : place + 1] == BODY[at : at + 1]


@given(edit_lists())
def test_places_keep_their_order(edits):
    places = list(map(Shift(edits), range(len(BODY) + 1)))

    assert places == sorted(places)
    assert places[-1] == len(apply(BODY, edits))


def test_what_was_painted_first_stays():
    canvas = Canvas(BODY)
    canvas.add([Edit(5, 8, b"123")])
    canvas.add(canvas.free([Edit(3, 10, b"abcdefg")]))

    assert apply(BODY, canvas.edits)[3:10] == b"ab123fg"


def test_an_edit_that_changes_the_length_is_made_whole_or_not():
    canvas = Canvas(BODY)
    canvas.add([Edit(5, 8, b"123")])

    assert canvas.free([Edit(7, 13, b"a"), Edit(8, 14, b"b")]) == [Edit(8, 14, b"b")]


def test_edits_that_change_nothing_keep_their_place_and_are_no_edits():
    canvas = Canvas(BODY)
    canvas.add([Edit(0, 3, b"ABC")])

    assert canvas.edits == ()
    assert canvas.free([Edit(1, 5, b"wxyz")]) == [Edit(3, 5, b"yz")]
