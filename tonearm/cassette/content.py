"""What stands in a cassette's plain file, whether the file is sealed or not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from tonearm.cassette import frame, parts
from tonearm.cassette.blobs import Blobs
from tonearm.cassette.names import is_sealed_name, other_name
from tonearm.cassette.shape import ShapeError
from tonearm.errors import CassetteError


def read_plain(path: Path) -> bytes:
    """Return the plain content of a cassette.

    A file that somebody has just sealed or unsealed is read under its other name.

    Raises:
        CassetteError: It cannot be read, or is sealed and damaged.
    """
    for name in (path, other_name(path)):
        try:
            return _read(name)
        except FileNotFoundError:
            continue
        except OSError as err:
            raise CassetteError(name, f"cannot be read: {err.strerror}") from err
    raise CassetteError(path, "cannot be read: No such file or directory")


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        if not _is_sealed(path, file):
            return file.read()
        return b"".join(unsealed(path, file))


def _is_sealed(path: Path, file: BinaryIO) -> bool:
    head = file.read(len(frame.MAGIC))
    file.seek(0)
    return head == frame.MAGIC or is_sealed_name(path)


def unsealed(path: Path, file: BinaryIO) -> Iterator[bytes]:
    """Yield the plain content of a sealed file in pieces of bounded size.

    Raises:
        CassetteError: It is damaged, holds more than a sealed file may, or a blob that it needs
            is missing or altered.
        OSError: It cannot be read.
    """
    try:
        pieces = frame.unpack(file, frame.LIMIT_BYTES)
        yield from parts.join(pieces, Blobs(path.parent).get, frame.LIMIT_BYTES)
    except ShapeError as err:
        raise CassetteError(path, str(err)) from err


def begins_with(plain: Path, sealed: Path) -> bool:
    """Return whether all that a sealed file holds stands at the start of a plain one.

    Raises:
        CassetteError: The sealed file is damaged.
        OSError: One of them cannot be read.
    """
    with plain.open("rb") as file, sealed.open("rb") as packed:
        return all(file.read(len(piece)) == piece for piece in unsealed(sealed, packed))
