"""The metadata reader: exact on good files, bounded on all others."""

from __future__ import annotations

import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engines import tiny_gguf
from tonearm.errors import UsageError
from tonearm.templates import load
from tonearm.templates.gguf import GgufError, read_header, read_text

STRING, ARRAY, U32 = 8, 9, 4


def string(text):
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def entry(key, kind, value):
    return string(key) + struct.pack("<I", kind) + value


def file(*entries, version=3, count=None):
    head = struct.pack("<IQQ", version, 0, len(entries) if count is None else count)
    return b"GGUF" + head + b"".join(entries)


WANTED = entry("wanted", STRING, string("text"))
BEFORE = (
    entry("number", U32, b"1234"),
    entry("texts", ARRAY, struct.pack("<IQ", STRING, 2) + string("a") + string("")),
    entry("numbers", ARRAY, struct.pack("<IQ", U32, 3) + b"0" * 12),
    entry("lists", ARRAY, struct.pack("<IQ", ARRAY, 1) + struct.pack("<IQ", U32, 1) + b"1234"),
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.gguf"


def test_values_of_all_kinds_are_stepped_over(path):
    path.write_bytes(file(*BEFORE, WANTED))

    assert read_text(path, "wanted") == "text"
    assert read_text(path, "other") is None


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"GGML", "does not begin"),
        (file(WANTED, version=1), "version 1"),
        (file(count=2**63), "entries"),
        (file(*BEFORE, count=9), "ends within"),
        (file(entry("k", 77, b"")), "type 77"),
        (file(struct.pack("<Q", 2**62)), "bytes, more than"),
        (file(entry("wanted", STRING, struct.pack("<Q", 2**40))), "bytes, more than"),
        (file(entry("other", STRING, struct.pack("<Q", 2**63))), "a value of"),
        (file(entry("k", ARRAY, struct.pack("<IQ", STRING, 2**60))), "items, more than"),
        (file(entry("k", ARRAY, struct.pack("<IQ", ARRAY, 1) * 9)), "levels deep"),
    ],
)
def test_a_bad_file_is_refused(path, raw, problem):
    path.write_bytes(raw)

    with pytest.raises(GgufError, match=problem):
        read_text(path, "wanted")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_text_or_an_error(tmp_path_factory, tail):
    path = tmp_path_factory.mktemp("any") / "model.gguf"
    path.write_bytes(file(count=3) + tail)

    try:
        text = read_text(path, "wanted")
    except GgufError as err:
        text = str(err)
    assert text is None or text


def test_the_user_is_told_which_file_it_is(path):
    path.write_bytes(file(*BEFORE))

    with pytest.raises(UsageError, match=r"model\.gguf: its metadata has no tokenizer"):
        load(path)

    path.write_bytes(b"GGUF")
    with pytest.raises(UsageError, match="not a readable GGUF file"):
        load(path)


def test_the_header_of_a_model_is_what_the_format_s_own_reader_reads():
    from gguf import GGUFReader, GGUFValueType

    path = tiny_gguf()
    theirs, ours = GGUFReader(path), read_header(path)

    fields = {key: field for key, field in theirs.fields.items() if not key.startswith("GGUF.")}
    assert list(ours.metadata) == list(fields)
    for key, field in fields.items():
        if field.types[0] is GGUFValueType.ARRAY:
            assert ours.metadata[key] is None
        else:
            assert ours.metadata[key] == pytest.approx(field.contents())
    assert ours.metadata["gemma4.attention.layer_norm_rms_epsilon"] == 1e-6
    assert [(t.name, t.kind, list(t.shape)) for t in ours.tensors] == [
        (t.name, t.tensor_type, t.shape.tolist()) for t in theirs.tensors
    ]
    assert ours.parameters == sum(int(t.n_elements) for t in theirs.tensors)


@given(st.integers(0, 4000))
@settings(max_examples=60)
def test_a_header_that_is_cut_is_refused(size):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cut.gguf"
        path.write_bytes(tiny_gguf().read_bytes()[:size])

        with pytest.raises(GgufError):
            read_header(path)
