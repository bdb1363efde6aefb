"""Images and other long parts of sealed cassettes are stored once and come back to the byte."""

import base64
import hashlib
import json
import os
import random
import stat
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tests.cassette import longrun, samples
from tonearm.cassette import CassetteWriter, frame, load, parts, seal, unseal
from tonearm.cassette.format import HEADER, to_line
from tonearm.cassette.parts import PART_BYTES, cut, join, reference
from tonearm.cassette.shape import ShapeError
from tonearm.errors import CassetteError
from tonearm.model import Chunk, Exchange, HttpRequest, HttpResponse

WORDS = [word for word in Path(__file__).read_text(encoding="utf-8").split() if word.isalpha()]


def image(rng, size_bytes):
    """Return bytes that no packer makes smaller, as a picture is, in base64."""
    return base64.b64encode(rng.randbytes(size_bytes)).decode()


def prose(rng, low, high):
    """Return made-up words and numbers, about as hard to pack as the output of tools."""
    words = [
        rng.choice(WORDS) if rng.random() < 0.85 else f"{rng.getrandbits(28):x}"
        for _ in range(rng.randint(low, high))
    ]
    return "\n".join(" ".join(words[n : n + 9]) for n in range(0, len(words), 9))


def agent_conversation(turns, images=0, seed=5):
    """Yield the exchanges of an agent that calls a tool each turn and sends all again each time."""
    rng = random.Random(seed)
    tools = [samples.QUESTION["tools"][0] | {"extra": prose(rng, 60, 120)} for _ in range(8)]
    history = [{"role": "system", "content": prose(rng, 200, 300)}]
    shown = {round(turns * (n + 0.5) / images) for n in range(images)}
    for n in range(turns):
        said = {"role": "user" if n % 10 == 0 else "tool", "content": prose(rng, 40, 400)}
        if n in shown:
            said["images"] = [image(rng, 60_000)]
        history.append(said)
        call = {"id": f"call_{rng.getrandbits(32):08x}", "function": samples.CALL["function"]}
        answer = {"role": "assistant", "content": prose(rng, 10, 60), "tool_calls": [call]}
        yield exchange(history, tools, answer, rng)
        history.append(answer)


def exchange(history, tools, answer, rng):
    body = {"model": samples.MODEL, "messages": history, "tools": tools, "stream": True}
    words = answer["content"].split(" ")
    pieces = [samples._line(message={"role": "assistant", "content": w}, done=False) for w in words]
    pieces.append(samples._line(message=answer | {"content": ""}, done=True, **samples.COUNTS))
    ends = accumulate(map(len, pieces))
    times = accumulate(rng.randint(15_000, 30_000) for _ in pieces)
    return Exchange(
        request=HttpRequest(
            method="POST",
            uri=samples.URI,
            headers=samples.streamed().request.headers,
            body=json.dumps(body, ensure_ascii=False).encode(),
        ),
        response=HttpResponse(
            status=200, headers=samples.streamed().response.headers, body=b"".join(pieces)
        ),
        started_at="2026-11-20T09:30:00.000123+00:00",
        duration_s=1.5,
        chunks=tuple(Chunk(end, at / 1e6) for end, at in zip(ends, times, strict=True)),
        pin=samples.PIN,
    )


def record(path, exchanges):
    with CassetteWriter(path) as writer:
        for one in exchanges:
            writer.append(one)
    return path


def asking(*texts, **fields):
    """Return an exchange whose request holds texts."""
    body = json.dumps({"messages": [{"role": "user", "images": texts}], **fields}).encode()
    return replace(samples.whole(), request=replace(samples.whole().request, body=body), sequence=0)


PICTURE = image(random.Random(1), 100_000)


def blobs(folder):
    return sorted((folder / "blobs").glob("*"))


def size_on_disk(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("images", [0, 5])
def test_a_long_agent_conversation_costs_three_kilobytes_a_turn(tmp_path, images):
    """200 turns, each with the whole history, and images that are sent again each time."""
    path = record(tmp_path / "c.yaml", agent_conversation(200, images))
    plain = path.read_bytes()

    sealed = seal(path)

    assert len(plain) > 200 * 100_000
    assert size_on_disk(tmp_path) <= 200 * 3_000
    assert len(blobs(tmp_path)) == images
    assert len(load(sealed).exchanges) == 200
    assert unseal(sealed).read_bytes() == plain


def test_a_long_run_with_every_tokens_time_costs_three_kilobytes_a_turn(tmp_path):
    """Real text, 150 tokens an answer, each with a time of its own on the wire and in the facts."""
    path = record(tmp_path / "c.yaml", longrun.exchanges(200, tokens=150))
    plain = path.read_bytes()

    sealed = seal(path)

    assert len(plain) > 200 * 200_000
    assert size_on_disk(tmp_path) <= 200 * 3_000
    assert unseal(sealed).read_bytes() == plain


def test_a_part_is_stored_once_for_all_cassettes_of_a_folder(tmp_path):
    first = record(tmp_path / "a.yaml", [asking(PICTURE), asking(PICTURE, PICTURE)])
    other = record(tmp_path / "b.yaml", [asking("small", PICTURE)])

    sealed = [seal(first), seal(other)]

    (blob,) = blobs(tmp_path)
    assert blob.stat().st_size < 100_000 * 1.02, "base64 costs nothing"
    assert all(path.stat().st_size < 2_000 for path in sealed)
    assert load(sealed[0]).exchanges[0] == asking(PICTURE)
    if os.name == "posix":
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (blob, blob.parent)]
        assert modes == [0o600, 0o700]


@pytest.mark.parametrize(
    "text",
    [
        'def f():\n\treturn "\\d+", \'é\', "\u2028"\n' * 3000,
        "\\" * 80_000,
        '"' * 80_000,
        'a"' * 40_000 + "\\" * 7,
        "😀" * 20_000,
    ],
    ids=["code", "backslashes", "quotes", "both", "emoji"],
)
def test_any_long_text_comes_back_exactly(tmp_path, text):
    path = record(tmp_path / "c.yaml", [asking(text), asking("x", text), asking(text[:-9])])
    plain = path.read_bytes()
    loaded = load(path)

    sealed = seal(path)

    assert load(sealed).exchanges == loaded.exchanges
    assert unseal(sealed).read_bytes() == plain


def test_code_with_quotes_is_one_part(tmp_path):
    path = record(tmp_path / "c.yaml", [asking('print("\\n")\n' * 9000)] * 2)

    seal(path)

    assert len(blobs(tmp_path)) == 1


def test_a_body_of_bytes_is_a_part_too(tmp_path):
    body = random.Random(2).randbytes(90_000)
    one = replace(samples.whole(), response=replace(samples.whole().response, body=body))
    path = record(tmp_path / "c.yaml", [one, one])

    assert load(seal(path)).exchanges[1].response.body == body
    assert len(blobs(tmp_path)) == 1


def test_a_file_with_zeros_is_sealed_uncut(tmp_path):
    """A crash leaves them where the file system had no time to write."""
    path = tmp_path / "c.yaml"
    plain = HEADER + to_line(asking(PICTURE)) + b"\0" * 999
    path.write_bytes(plain)

    sealed = seal(path)

    assert blobs(tmp_path) == []
    assert load(sealed).torn is not None
    assert unseal(sealed).read_bytes() == plain


@pytest.fixture
def sealed(tmp_path):
    return seal(record(tmp_path / "c.yaml", [asking(PICTURE)]))


def test_a_missing_blob_is_named(sealed):
    (blob,) = blobs(sealed.parent)
    blob.unlink()

    with pytest.raises(
        CassetteError, match=rf"c\.yaml\.zst: needs blobs/{blob.name}, which is mis"
    ):
        load(sealed)
    with pytest.raises(CassetteError, match="which is missing"):
        unseal(sealed)
    assert sealed.exists()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "does not begin with a zstd"),
        (PICTURE.encode(), "does not begin with a zstd"),
        (zstandard.ZstdCompressor(write_checksum=True).compress(PICTURE.encode()[1:]), "else"),
        (zstandard.ZstdCompressor(write_checksum=True).compress(PICTURE.encode())[:-9], "cut off"),
    ],
    ids=["empty", "plain", "other", "cut"],
)
def test_an_altered_blob_is_named(sealed, data, reason):
    (blob,) = blobs(sealed.parent)
    blob.write_bytes(data)

    with pytest.raises(CassetteError, match=rf"needs blobs/{blob.name}, which .*{reason}"):
        load(sealed)


def test_sealing_again_makes_an_altered_blob_good(sealed):
    (blob,) = blobs(sealed.parent)
    path = unseal(sealed)
    plain = path.read_bytes()
    blob.write_bytes(b"")

    assert unseal(seal(path)).read_bytes() == plain


def test_a_reader_that_knows_no_parts_refuses_cut_content(tmp_path, sealed):
    """Unpacked by ``zstd`` alone it is no YAML, so that no shorter body can be taken for one."""
    content = zstandard.ZstdDecompressor().decompress(sealed.read_bytes())
    path = tmp_path / "d.yaml"
    path.write_bytes(content)

    with pytest.raises(CassetteError, match="is not valid YAML"):
        load(path)


def test_small_references_cannot_stand_for_more_than_may_be_unpacked(sealed, monkeypatch):
    """A blob counts as often as it is used."""
    content = zstandard.ZstdDecompressor().decompress(sealed.read_bytes())
    part = reference(PICTURE.encode())
    bomb = content.replace(part, part * 20)
    sealed.write_bytes(zstandard.ZstdCompressor(write_checksum=True).compress(bomb))
    monkeypatch.setattr(frame, "LIMIT_BYTES", 1_000_000)

    with pytest.raises(CassetteError, match="holds more than 1,000,000 bytes"):
        load(sealed)


def test_parts_that_do_not_make_the_whole_are_an_error(sealed):
    content = zstandard.ZstdDecompressor().decompress(sealed.read_bytes())
    shorter = content.replace(reference(PICTURE.encode()), b"")
    sealed.write_bytes(zstandard.ZstdCompressor(write_checksum=True).compress(shorter))

    with pytest.raises(CassetteError, match="does not make the file that was sealed"):
        load(sealed)


long_parts = st.sampled_from([b"x" * PART_BYTES, b"y" * (PART_BYTES + 1)])
short_parts = st.sampled_from([b'"', b'\\"', rb"\\\"", b"\\", b"a", b"\n", b"z" * 60_000])


@given(st.lists(long_parts | short_parts, max_size=8), st.integers(1, 100_000))
def test_what_is_cut_is_joined_however_it_comes(pieces, size):
    line = b"".join(pieces)
    store = {}

    def keep(part):
        name = reference(part)
        store[name.strip(b"\0").decode()] = part
        return name

    content = parts.head(hashlib.sha256(line).digest()) + cut(line, keep)
    slices = [content[n : n + size] for n in range(0, len(content), size)]

    assert b"".join(join(slices, store.__getitem__, 1 << 30)) == line
    assert all(len(part) >= PART_BYTES for part in store.values())


@pytest.mark.parametrize("end", [-1, -40, -66])
def test_a_reference_that_is_not_whole_is_an_error(end):
    content = parts.head(bytes(32)) + reference(b"x")[:end] + b"\0"

    with pytest.raises(ShapeError, match=r"not whole|does not make"):
        list(join([content], lambda _: b"x", 1 << 30))
