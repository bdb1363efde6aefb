"""A file that one process appends to and nobody else writes.

Bytes leave the memory only when the system has taken them, so that after a full disk, however much
of a write it took, the file and what is pending still make one unbroken sequence.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from tonearm.cassette.files import NO_LINKS, WriterLock, make_private_folder, sync_folder
from tonearm.errors import CassetteError

_FLAGS = os.O_WRONLY | os.O_APPEND | NO_LINKS

_sync_data = getattr(os, "fdatasync", os.fsync)


class LogFile:
    """A locked file, open for appending, with what it has not taken yet."""

    @classmethod
    def create(cls, path: Path) -> Self:
        """Create a file that must not exist, and the folders it needs, for their owner alone.

        Raises:
            CassetteError: The file exists, or cannot be created.
        """
        try:
            make_private_folder(path.parent)
        except OSError as err:
            raise CassetteError(path, f"cannot be created: {err.strerror}") from err
        return cls(path, os.O_CREAT | os.O_EXCL, "cannot be created")

    @classmethod
    def existing(cls, path: Path) -> Self:
        """Open a file that exists.

        Raises:
            CassetteError: It does not exist, is a link, or is being written.
        """
        return cls(path, 0, "cannot be continued")

    def __init__(self, path: Path, flags: int, problem: str) -> None:
        self.path = path
        self.pending = bytearray()
        """What the system has not taken yet."""
        self.synced_bytes = 0
        """How much of what was pending is on the disk by now."""
        self._taken_bytes = 0
        self._failed: str | None = None
        self._name_synced = not flags
        self._lock: WriterLock | None = None
        self._fd = -1
        try:
            self._lock = WriterLock(path)
            self._fd = os.open(path, _FLAGS | flags, 0o600)
        except OSError as err:
            self.close()
            raise CassetteError(path, f"{problem}: {err.strerror}") from err

    def cut(self, size: int) -> None:
        """Cut the file off behind so many bytes; what was there is kept in a file beside it.

        Raises:
            CassetteError: The disk does not take it.
        """
        aside = self.path.with_name(f"{self.path.name}.torn")
        try:
            rest = self.path.read_bytes()[size:]
            with os.fdopen(os.open(aside, _FLAGS | os.O_CREAT, 0o600), "ab") as file:
                file.write(rest)
                file.flush()
                _sync_data(file.fileno())
            os.ftruncate(self._fd, size)
        except OSError as err:
            raise CassetteError(
                self.path, f"its torn end cannot be moved to {aside.name}: {err.strerror}"
            ) from err

    def check(self) -> None:
        """Complain about a file that can take no more.

        Raises:
            CassetteError: It is closed, or the system once failed to sync it.
        """
        if self._failed is not None:
            raise CassetteError(self.path, self._failed)
        if self._fd < 0:
            raise CassetteError(self.path, "is closed")

    @property
    def appended_bytes(self) -> int:
        """How much has been pending since the file was opened."""
        return self._taken_bytes + len(self.pending)

    def write(self) -> None:
        """Hand what is pending to the system.

        Raises:
            CassetteError: The disk is full; what it has not taken is still pending.
        """
        self.check()
        try:
            while self.pending:
                taken = os.write(self._fd, self.pending)
                del self.pending[:taken]
                self._taken_bytes += taken
        except OSError as err:
            raise CassetteError(self.path, f"cannot be written: {err.strerror}") from err

    def sync(self) -> None:
        """Bring everything onto the disk, or of what a full disk refuses at least the beginning.

        Raises:
            CassetteError: The disk is full or broken. A failed sync is final: nobody knows which
                bytes the system has dropped by then.
        """
        try:
            self.write()
        finally:
            if self._fd >= 0 and self._failed is None:
                self._sync_taken()

    def _sync_taken(self) -> None:
        try:
            _sync_data(self._fd)
            if not self._name_synced:
                sync_folder(self.path.parent)
                self._name_synced = True
        except OSError as err:
            self._failed = f"cannot be synced: {err.strerror}"
            raise CassetteError(self.path, self._failed) from err
        self.synced_bytes = self._taken_bytes

    @property
    def is_open(self) -> bool:
        """Whether the file and its lock are held."""
        return self._fd >= 0

    def close(self) -> None:
        """Let go of the file and its lock; what is pending is dropped."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        if self._lock is not None:
            self._lock.release()
