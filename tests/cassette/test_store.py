"""Files of exchanges are read whole, or say what is missing."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cassette import samples
from tonearm.cassette import load
from tonearm.cassette.format import HEADER, to_line
from tonearm.errors import CassetteError, CassetteVersionError
from tonearm.model import HttpRequest, HttpResponse

SMALL = replace(
    samples.whole(),
    request=HttpRequest(method="POST", uri="/", body=b"{}"),
    response=HttpResponse(status=200, body="é".encode()),
    sequence=0,
    chunks=(),
    pin=None,
)


@pytest.fixture
def write(tmp_path):
    def write(data):
        path = tmp_path / "c.yaml"
        path.write_bytes(data)
        return path

    return write


def lines(count):
    return [to_line(replace(SMALL, sequence=n)) for n in range(count)]


def test_a_file_reads_as_its_exchanges(write):
    first, second = samples.streamed(), samples.whole()
    path = write(HEADER + to_line(first) + to_line(second))

    cassette = load(path)

    assert cassette.path == path
    assert cassette.exchanges == (first, second)
    assert (cassette.torn, cassette.foreign) == (None, False)


def test_a_file_cut_anywhere_gives_the_whole_lines_and_says_so(write):
    """Only at a line's end is nothing missing; a final line end is not needed."""
    parts = [HEADER, *lines(2)]
    data = b"".join(parts)
    ends = {sum(map(len, parts[: n + 1])): n for n in range(len(parts))}
    ends |= {end - 1: n for end, n in ends.items() if n}

    for cut in range(len(data) + 1):
        cassette = load(write(data[:cut]))

        whole = max((n for end, n in ends.items() if end <= cut), default=0)
        assert len(cassette.exchanges) == whole, cut
        assert (cassette.torn is None) == (cut in ends or cut == 0), cut


def test_what_is_torn_is_measured(write):
    path = write(HEADER + lines(1)[0] + b'- {"request": {"met')

    assert load(path).torn == ("line 4 is not whole: the last 19 bytes of the file were not used")


@pytest.mark.parametrize("tail", [b"\0" * 4096, b"\0\n\xff- {\n- \n", b"- {}}\n"])
def test_a_scrambled_end_is_torn_too(write, tail):
    """After a power cut the blocks behind the last sync can hold anything."""
    cassette = load(write(HEADER + b"".join(lines(2)) + tail))

    assert len(cassette.exchanges) == 2
    assert f"the last {len(tail)} bytes" in cassette.torn


def test_zeros_where_the_first_line_should_be_are_torn(write):
    cassette = load(write(HEADER + b"\0" * 512))

    assert cassette.exchanges == ()
    assert "line 3" in cassette.torn


def test_a_line_broken_in_the_middle_is_an_error(write):
    first, second, third = lines(3)
    path = write(HEADER + first + second[:-9] + b"\n" + third)

    with pytest.raises(CassetteError, match="is not JSON") as caught:
        load(path)

    assert (caught.value.path, caught.value.line) == (path, 4)
    assert str(caught.value).startswith(f"{path}:4: ")


def test_a_last_line_that_is_json_but_no_exchange_is_an_error_and_not_torn(write):
    with pytest.raises(CassetteError, match="request is missing") as caught:
        load(write(HEADER + lines(1)[0] + b"- {}\n"))

    assert caught.value.line == 4


def test_a_later_format_is_an_error_of_its_own(write):
    later = lines(1)[0].replace(b'"format":1', b'"format":9')

    with pytest.raises(CassetteVersionError, match=r"c\.yaml:3: .*format 9"):
        load(write(HEADER + later))


def test_line_ends_may_have_been_changed_on_the_way(write):
    """git and some editors write carriage returns, and leave empty lines."""
    data = HEADER + b"\n".join([*lines(2), b"", b""])

    cassette = load(write(data.replace(b"\n", b"\r\n")))

    assert [e.sequence for e in cassette.exchanges] == [0, 1]
    assert (cassette.torn, cassette.foreign) == (None, False)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(CassetteError, match=r"gone\.yaml: cannot be read: No such file"):
        load(tmp_path / "gone.yaml")


def test_a_folder_is_no_cassette(tmp_path):
    with pytest.raises(CassetteError, match="cannot be read"):
        load(tmp_path)


@given(st.data())
def test_a_damaged_file_is_an_error_or_says_what_is_torn(tmp_path_factory, data):
    """Whatever bytes change, nothing but a cassette error comes out and no line goes unnoticed."""
    whole = HEADER + b"".join(lines(3))
    start = data.draw(st.integers(len(HEADER) + 5, len(whole)))
    junk = data.draw(st.binary(max_size=8) | st.sampled_from([b"\n", b"[" * 2000, b"\\ud800"]))
    kept = data.draw(st.integers(start, len(whole)))
    path = tmp_path_factory.mktemp("damaged") / "c.yaml"
    path.write_bytes(whole[:start] + junk + whole[kept:])

    with contextlib.suppress(CassetteError):
        cassette = load(path)
        complete = path.read_bytes().count(b"\n- ")
        assert cassette.torn is not None or len(cassette.exchanges) == complete
