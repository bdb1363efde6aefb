"""Pack a cassette that has grown into one zstd frame, and unpack it.

A conversation resends its history with every turn, so that a frame around the whole file is a
hundredth of it; long parts are stored once for all cassettes of the folder. A crash at any point
leaves the plain file, the sealed one, or both with the same content, never neither: what replaces
a file is on the disk, and read back, before the file goes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from tonearm.cassette import frame, parts
from tonearm.cassette.blobs import Blobs
from tonearm.cassette.content import begins_with, unsealed
from tonearm.cassette.files import WriterLock, open_to_read, replacing, sync_folder, write_synced
from tonearm.cassette.names import SUFFIX, plain_name, sealed_name
from tonearm.cassette.shape import ShapeError
from tonearm.errors import CassetteError

_LINE_BYTES = 64 << 20


def seal(path: Path) -> Path:
    """Replace a plain cassette by its sealed form and return the name of that.

    A cassette that is sealed already stays as it is; so does one that is too large to be unsealed.

    Raises:
        CassetteError: It cannot be read, is being written, is too large, or the disk is full.
    """
    plain, sealed = plain_name(path), sealed_name(path)
    if plain.suffix != SUFFIX:
        raise CassetteError(plain, f"only files named *{SUFFIX} can be sealed; rename it")
    with _alone(plain, "cannot be sealed"):
        if plain.exists() or not sealed.exists():
            _seal(plain, sealed)
    return sealed


def unseal(path: Path) -> Path:
    """Replace a sealed cassette by the plain file that it was made from and return its name.

    Raises:
        CassetteError: It cannot be read, is damaged, is being written, or the disk is full.
    """
    plain, sealed = plain_name(path), sealed_name(path)
    with _alone(plain, "cannot be unsealed"):
        if sealed.exists() or not plain.exists():
            _unseal(plain, sealed)
    return plain


@contextlib.contextmanager
def _alone(plain: Path, problem: str) -> Iterator[None]:
    """Keep other writers away, and say which file the system complains about."""
    lock = None
    try:
        lock = WriterLock(plain)
        yield
    except OSError as err:
        raise CassetteError(plain, f"{problem}: {err.strerror}") from err
    except ShapeError as err:
        raise CassetteError(plain, f"{problem}: {err}") from err
    finally:
        if lock is not None:
            lock.release()


def _seal(plain: Path, sealed: Path) -> None:
    with open_to_read(plain) as file:
        before = os.fstat(file.fileno())
        if before.st_size > frame.LIMIT_BYTES:
            raise CassetteError(
                plain, f"is larger than {frame.LIMIT_BYTES:,} bytes; it stays plain"
            )
        _refuse_to_replace(sealed, plain)
        with replacing(sealed) as temporary:
            digest = _pack(file, Blobs(plain.parent), temporary)
            if _unpacked(temporary) != digest or _state(plain.stat()) != _state(before):
                raise CassetteError(plain, "was changed while it was sealed; it stays plain")
    plain.unlink()
    sync_folder(plain.parent)


def _unseal(plain: Path, sealed: Path) -> None:
    _refuse_to_replace(sealed, plain)
    if not plain.exists():
        with open_to_read(sealed) as file, replacing(plain) as temporary:
            write_synced(temporary, unsealed(sealed, file))
    sealed.unlink()
    sync_folder(plain.parent)


def _refuse_to_replace(sealed: Path, plain: Path) -> None:
    """Complain of two files that are not what a crash between them leaves."""
    if sealed.exists() and plain.exists() and not begins_with(plain, sealed):
        raise CassetteError(
            plain, f"and {sealed.name} hold different exchanges; rename one of the two"
        )


def _pack(plain: BinaryIO, blobs: Blobs, target: Path) -> bytes:
    """Write the frame of a file, its long parts stored apart, and return the file's SHA-256."""
    digest = _digest(_lines(plain))
    size, is_cut = _store_parts(plain, blobs)
    pieces = _lines(plain)
    if is_cut:
        lead = parts.head(digest)
        size += len(lead)
        pieces = chain([lead], (parts.cut(line, parts.reference) for line in pieces))
    write_synced(target, frame.pack(pieces, size))
    return digest


def _store_parts(plain: BinaryIO, blobs: Blobs) -> tuple[int, bool]:
    """Return how large the content is without its long parts, and whether it had any."""

    def keep(part: bytes) -> bytes:
        blobs.put(part)
        return parts.reference(part)

    whole = os.fstat(plain.fileno()).st_size
    if any(parts.NUL in line for line in _lines(plain)):
        return whole, False
    size = sum(len(parts.cut(line, keep)) for line in _lines(plain))
    return size, size < whole


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield a file's lines, overlong ones in pieces."""
    file.seek(0)
    while line := file.readline(_LINE_BYTES):
        yield line


def _unpacked(sealed: Path) -> bytes:
    with open_to_read(sealed) as file:
        return _digest(unsealed(sealed, file))


def _digest(pieces: Iterable[bytes]) -> bytes:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def _state(stat: os.stat_result) -> tuple[int, ...]:
    return stat.st_size, stat.st_mtime_ns, stat.st_ino
