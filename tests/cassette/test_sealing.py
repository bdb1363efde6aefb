"""A sealed cassette is the plain one in a smaller file, whatever happens while it is made."""

import errno
import io
import os
import stat
import subprocess
import sys
from dataclasses import replace

import pytest
import zstandard

from tests.cassette import samples
from tonearm.cassette import CassetteWriter, Shelf, files, find, frame, load, seal, unseal
from tonearm.cassette.format import HEADER, to_line
from tonearm.cassette.shape import ShapeError
from tonearm.errors import CassetteError

EXCHANGES = tuple(replace(samples.streamed(), sequence=n) for n in range(4))
PLAIN = HEADER + b"".join(map(to_line, EXCHANGES))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_bytes(PLAIN)
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def packed(data, **options):
    return zstandard.ZstdCompressor(write_checksum=True, **options).compress(data)


def test_sealing_replaces_the_plain_file_and_unsealing_brings_it_back(path):
    sealed = seal(path)

    assert names(path.parent) == ["c.yaml.zst"]
    assert sealed.stat().st_size < len(PLAIN) / 3
    assert load(sealed).exchanges == EXCHANGES
    assert unseal(sealed) == path
    assert names(path.parent) == ["c.yaml"]
    assert path.read_bytes() == PLAIN


@pytest.mark.skipif(os.name != "posix", reason="the system has no file modes")
def test_both_forms_are_the_owners_alone(path):
    path.chmod(0o644)

    sealed = seal(path)
    assert stat.S_IMODE(sealed.stat().st_mode) == 0o600
    assert stat.S_IMODE(unseal(sealed).stat().st_mode) == 0o600


def test_doing_it_twice_is_doing_it_once(path):
    assert seal(seal(path)) == seal(path)
    assert load(path).exchanges == EXCHANGES
    assert unseal(unseal(path)) == path
    assert path.read_bytes() == PLAIN


@pytest.mark.parametrize(
    "data", [b"", PLAIN[:-40], HEADER + b"\0" * 99, b"interactions: []\nversion: 1\n", b"\xff"]
)
def test_a_file_of_any_content_comes_back_exactly(path, data):
    path.write_bytes(data)

    assert unseal(seal(path)).read_bytes() == data


def test_a_sealed_file_says_what_is_torn_like_a_plain_one(path):
    path.write_bytes(PLAIN[:-40])

    plain, sealed = load(path), load(seal(path))

    assert (sealed.exchanges, sealed.torn) == (plain.exchanges, plain.torn)
    assert sealed.torn is not None


def test_a_cassette_is_found_under_either_name(path):
    sealed = seal(path)

    assert load(path).exchanges == EXCHANGES
    assert find([path]) == [sealed] == find([path.parent])
    assert load(path).name == load(sealed).name == "c.yaml"
    unseal(path)
    assert load(sealed).exchanges == EXCHANGES
    assert find([sealed]) == [path]


def test_stock_tools_read_it_and_what_they_make_is_read(path):
    """``zstd`` writes a checksum and the length when it packs a file."""
    assert zstandard.ZstdDecompressor().decompress(seal(path).read_bytes()) == PLAIN

    unseal(path)
    path.with_name("d.yaml.zst").write_bytes(packed(PLAIN))
    assert load(path.with_name("d.yaml.zst")).exchanges == EXCHANGES


def test_a_sealed_conversation_goes_on_in_a_plain_file(path):
    with CassetteWriter.reopen(seal(path)) as writer:
        assert writer.path == path
        writer.append(samples.whole())

    assert names(path.parent) == ["c.yaml"]
    assert load(path).exchanges == (*EXCHANGES, replace(samples.whole(), sequence=4))


def test_a_new_cassette_does_not_stand_in_for_a_sealed_one(path):
    seal(path)

    with pytest.raises(CassetteError, match=r"c\.yaml\.zst exists"):
        CassetteWriter(path)


def test_what_is_being_written_is_not_sealed(path):
    with (
        CassetteWriter.reopen(path),
        pytest.raises(CassetteError, match="another recorder is writing to it"),
    ):
        seal(path)

    assert path.read_bytes() == PLAIN


def test_a_file_of_another_name_would_not_be_found_again(path):
    other = path.rename(path.with_name("c.txt"))

    with pytest.raises(CassetteError, match=r"only files named \*\.yaml can be sealed; rename it"):
        seal(other)


def test_what_is_missing_is_named(path):
    path.unlink()

    with pytest.raises(CassetteError, match=r"c\.yaml: cannot be sealed: No such file"):
        seal(path)
    with pytest.raises(CassetteError, match=r"c\.yaml: cannot be unsealed: No such file"):
        unseal(path)


def test_what_is_too_large_to_be_unsealed_is_not_sealed(path, monkeypatch):
    monkeypatch.setattr(frame, "LIMIT_BYTES", len(PLAIN) - 1)

    with pytest.raises(CassetteError, match="it stays plain"):
        seal(path)

    assert names(path.parent) == ["c.yaml"]


def test_a_file_that_changes_meanwhile_stays_plain(path, monkeypatch):
    """Stock vcrpy knows nothing of the lock and may save the file again."""
    monkeypatch.setattr("tonearm.cassette.sealing.write_synced", _grow_first(path))
    with pytest.raises(CassetteError, match=r"was changed while it was (sealed|packed)"):
        seal(path)

    assert names(path.parent) == ["c.yaml"]
    assert path.read_bytes() == PLAIN + b"# more\n"


def _grow_first(path):
    def write(target, pieces):
        with path.open("ab") as file:
            file.write(b"# more\n")
        files.write_synced(target, pieces)

    return write


def test_a_full_disk_leaves_the_plain_file(path, monkeypatch):
    def full(fd):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(CassetteError, match="cannot be sealed: No space left on device"):
        seal(path)

    assert names(path.parent) == ["c.yaml"]
    assert path.read_bytes() == PLAIN


SEALED = packed(PLAIN)


@pytest.mark.parametrize("cut", [0, 1, 3, 4, 8, 20, 200, -5, -4, -1])
def test_a_cut_sealed_file_is_an_error(tmp_path, cut):
    path = tmp_path / "c.yaml.zst"
    path.write_bytes(SEALED[:cut])

    with pytest.raises(
        CassetteError, match=r"c\.yaml\.zst: (is cut off|is damaged|does not begin)"
    ):
        load(path)


@pytest.mark.parametrize("place", [0, 5, 9, 40, 300, -3])
def test_an_altered_sealed_file_is_an_error(tmp_path, place):
    data = bytearray(SEALED)
    data[place] ^= 0x10
    path = tmp_path / "c.yaml.zst"
    path.write_bytes(data)

    with pytest.raises(CassetteError):
        load(path)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (SEALED + b"x", "something behind its end"),
        (SEALED * 2, "something behind its end"),
        (SEALED * 200, "something behind its end"),
        (PLAIN, "does not begin with a zstd frame"),
        (zstandard.ZstdCompressor().compress(PLAIN), "has no checksum"),
        (packed(PLAIN, write_content_size=False), "does not say how much it holds"),
    ],
)
def test_a_file_that_is_not_one_whole_frame_is_an_error(tmp_path, data, reason):
    path = tmp_path / "c.yaml.zst"
    path.write_bytes(data)

    with pytest.raises(CassetteError, match=reason):
        load(path)


def test_a_bomb_is_refused_before_it_goes_off(tmp_path):
    path = tmp_path / "c.yaml.zst"
    with zstandard.ZstdCompressor(write_checksum=True).stream_writer(
        path.open("wb"), size=frame.LIMIT_BYTES + 1
    ) as writer:
        for _ in range(1024):
            writer.write(bytes(1 << 20))
        writer.write(b"\0")
    assert path.stat().st_size < 1 << 16

    with pytest.raises(
        CassetteError, match=r"holds 1,073,741,825 bytes; the limit is 1,073,741,824"
    ):
        load(path)


def test_a_bomb_that_lies_about_its_size_is_refused_after_a_few_blocks():
    """The length in the header is held against what comes out, block by block."""
    bomb = bytearray(packed(bytes(1 << 28)))
    size = bomb.index((1 << 28).to_bytes(4, "little"))
    bomb[size : size + 4] = (1 << 20).to_bytes(4, "little")
    pieces = frame.unpack(io.BytesIO(bytes(bomb)), frame.LIMIT_BYTES)
    sizes = []

    with pytest.raises(ShapeError, match="damaged"):
        sizes.extend(map(len, pieces))

    assert sum(sizes) <= 1 << 25


def test_both_forms_side_by_side_count_once(path):
    """A crash between the rename and the removal leaves such a pair."""
    sealed = seal(path)
    unseal(path)
    sealed.write_bytes(SEALED)

    assert Shelf(path.parent).paths() == [path]
    assert seal(path) == sealed
    assert Shelf(path.parent).paths() == [sealed]

    path.write_bytes(PLAIN)
    assert unseal(sealed) == path
    assert names(path.parent) == ["c.yaml"]


def test_a_plain_file_that_went_on_counts_and_not_its_sealed_beginning(path):
    path.with_name("c.yaml.zst").write_bytes(packed(PLAIN[: PLAIN.rindex(b"- {")]))

    assert Shelf(path.parent).paths() == [path]
    assert CassetteWriter.reopen(path).count == 4
    assert names(path.parent) == ["c.yaml", "c.yaml.lock"]


def test_two_forms_that_differ_are_two_cassettes_and_neither_is_written_over(path):
    sealed = path.with_name("c.yaml.zst")
    sealed.write_bytes(packed(HEADER + to_line(samples.whole())))

    assert Shelf(path.parent).paths() == [path, sealed]
    for change in (seal, unseal):
        with pytest.raises(CassetteError, match="hold different exchanges; rename one of the two"):
            change(path)
    assert names(path.parent) == ["c.yaml", "c.yaml.zst"]


def test_a_file_that_is_sealed_while_the_shelf_is_listed_counts_once(path, monkeypatch):
    """The plain file was seen, then it went."""
    path.with_name("c.yaml.zst").write_bytes(SEALED)
    monkeypatch.setattr(
        "tonearm.cassette.shelf.begins_with", lambda plain, _: plain.unlink() or plain.read_bytes()
    )

    (found,) = Shelf(path.parent).paths()

    assert load(found).exchanges == EXCHANGES


CRASH = """
import os, sys
from pathlib import Path
from tonearm.cassette import seal, unseal

path, change, left = Path(sys.argv[1]), {"seal": seal, "unseal": unseal}[sys.argv[2]], None

def counted(name):
    real = getattr(os, name)
    def call(*args, **kwargs):
        global left
        if left is not None:
            left -= 1
            if left < 0:
                os._exit(9)
        return real(*args, **kwargs)
    setattr(os, name, call)

for name in ("open", "fsync", "rename", "replace", "unlink"):
    counted(name)

for calls in range(1000):
    left = None
    child = os.fork()
    if child == 0:
        left = calls
        change(path)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    names = sorted(p.name for p in path.parent.iterdir())
    print(os.waitstatus_to_exitcode(status), *names, flush=True)
    if status == 0:
        break
    sys.stdin.readline()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
@pytest.mark.parametrize(("change", "undo"), [("seal", unseal), ("unseal", seal)])
def test_a_crash_at_any_call_to_the_system_leaves_the_cassette_readable(path, change, undo):
    """A process dies before each of its calls in turn; what it left is read, then made good."""
    undo(path)
    command = [sys.executable, "-c", CRASH, str(path), change]
    ends = []
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        for line in child.stdout:
            code, *left = line.split()
            ends.append(int(code))
            assert {"c.yaml", "c.yaml.zst"} & set(left), line
            (cassette,) = Shelf(path.parent).load_all()
            assert (cassette.exchanges, cassette.torn) == (EXCHANGES, None), line
            if ends[-1] == 0:
                break
            undo(path)
            child.stdin.write("\n")
            child.stdin.flush()

    assert ends == [9] * (len(ends) - 1) + [0]
    assert len(ends) > 6, "it died at calls that matter"


def test_what_replaces_a_file_is_on_the_disk_before_the_file_goes(path, monkeypatch):
    """After a power cut no name stands for bytes that were never written."""
    calls = []
    for name in ("fsync", "rename", "replace", "unlink"):
        real = getattr(os, name)

        def call(*args, name=name, real=real, **kwargs):
            calls.append(name)
            return real(*args, **kwargs)

        monkeypatch.setattr(os, name, call)

    seal(path)
    steps = ["fsync", "replace", "fsync", "unlink", "fsync", "unlink"]
    assert calls == steps, "content, name, folder; then the plain file, its folder, the lock"
    calls.clear()
    unseal(path)
    assert calls == steps
