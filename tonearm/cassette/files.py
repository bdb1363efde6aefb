"""Files and folders for their owner alone, whose names are on the disk when a call returns."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from tonearm.errors import CassetteError

NO_LINKS = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)


def make_private_folder(folder: Path) -> None:
    """Create a folder and its missing parents for their owner alone."""
    if folder.is_dir():
        return
    make_private_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system has a way to ask for it."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def open_to_read(path: Path) -> BinaryIO:
    """Open a file that is not a link.

    Raises:
        OSError: It is missing, a link, or may not be read.
    """
    return os.fdopen(os.open(path, os.O_RDONLY | NO_LINKS), "rb")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield the name of a file that takes the place of ``path`` when all went well.

    After a crash the old file is there or the new one, and perhaps a file ending in ``.tmp``, which
    the next attempt writes over.

    Raises:
        OSError: The disk does not take it.
    """
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    sync_folder(path.parent)


def write_synced(path: Path, pieces: Iterable[bytes]) -> None:
    """Write a file and wait until its content is on the disk.

    Raises:
        OSError: The disk does not take it, or the name is that of a link.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | NO_LINKS, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())


class WriterLock:
    """The right to write a cassette, which one process has at a time."""

    def __init__(self, path: Path) -> None:
        """Take the lock of a plain cassette.

        Raises:
            CassetteError: Another process holds it.
            OSError: The lock file cannot be made.
        """
        self._lock = FileLock(f"{path}.lock", timeout=0, mode=0o600, thread_local=False)
        try:
            self._lock.acquire()
        except Timeout as err:
            raise CassetteError(path, "another recorder is writing to it") from err

    def release(self) -> None:
        """Give the lock back; further calls do nothing."""
        if self._lock.is_locked:
            # Before the release: afterwards the file may already be somebody else's lock.
            with contextlib.suppress(OSError):
                Path(self._lock.lock_file).unlink()
            self._lock.release()
