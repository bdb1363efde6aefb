"""Append exchanges to a cassette so that a crash costs at most what was never acknowledged.

Lines collect in memory; an exchange is safe when ``sync`` has returned. The file is at any time a
row of whole lines with at most one torn line at its end.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from tonearm.cassette.content import read_plain
from tonearm.cassette.format import HEADER, to_line
from tonearm.cassette.logfile import LogFile
from tonearm.cassette.names import plain_name, sealed_name
from tonearm.cassette.sealing import unseal
from tonearm.cassette.store import is_own_layout, scan
from tonearm.errors import CassetteError
from tonearm.model import Exchange

_PENDING_LIMIT_BYTES = 1 << 20


class CassetteWriter:
    """The one writer of a cassette file; it belongs to one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Create the file, which must not exist, and the folders it needs.

        Raises:
            CassetteError: The file exists, or cannot be created.
        """
        if sealed_name(path).exists():
            raise CassetteError(path, f"cannot be created: {sealed_name(path).name} exists")
        self._begin(LogFile.create(path), lead=HEADER, count=0)

    @classmethod
    def reopen(cls, path: Path) -> Self:
        """Continue a file after its last whole line; one that is sealed is unsealed first.

        What a crash left behind that line is moved to a file of the same name with ``.torn`` added.

        Raises:
            CassetteError: The file is missing, broken, not in our layout, or being written.
        """
        self = cls.__new__(cls)
        file = LogFile.existing(unseal(path) if sealed_name(path).exists() else plain_name(path))
        try:
            self._continue(file)
        except BaseException:
            file.close()
            raise
        return self

    def _continue(self, file: LogFile) -> None:
        data = read_plain(file.path)
        if not is_own_layout(data):
            raise CassetteError(
                file.path, "was not written by tonearm; it can be read, not continued"
            )
        found = scan(file.path, data)
        lead = b"" if data.endswith(b"\n") else b"\n"
        if found.torn is not None:
            file.cut(found.whole_bytes)
            lead = b""
        self._begin(file, lead=lead if found.whole_bytes else HEADER, count=len(found.exchanges))

    def _begin(self, file: LogFile, *, lead: bytes, count: int) -> None:
        self._file = file
        self._lead = lead
        """What must stand before the next line; vcrpy refuses a file that has only the header."""
        self.count = count
        """How many exchanges the file holds, those included that are not synced yet."""
        self._ends: deque[int] = deque()

    @property
    def unsynced(self) -> int:
        """How many exchanges were appended and are not on the disk as a whole."""
        while self._ends and self._ends[0] <= self._file.synced_bytes:
            self._ends.popleft()
        return len(self._ends)

    @property
    def path(self) -> Path:
        """The file that is written."""
        return self._file.path

    def append(self, exchange: Exchange) -> None:
        """Take an exchange; its sequence becomes its position in the file.

        Raises:
            CassetteError: The disk has not taken what came before. That is still kept, this
                exchange is not; the call can be repeated.
        """
        self._file.check()
        line = to_line(replace(exchange, sequence=self.count))
        if len(self._file.pending) >= _PENDING_LIMIT_BYTES:
            self._file.write()
        self._file.pending += self._lead + line
        self._ends.append(self._file.appended_bytes)
        self._lead = b""
        self.count += 1

    def sync(self) -> None:
        """Bring all that was appended onto the disk; when this returns, it is safe.

        Raises:
            CassetteError: The disk is full or broken. After a full disk the call can be repeated.
        """
        self._file.sync()
        self._ends.clear()

    def close(self) -> None:
        """Sync, then let go of the file; further calls do nothing.

        Raises:
            CassetteError: What was appended since the last ``sync`` may not be on the disk.
        """
        if not self._file.is_open:
            return
        try:
            self._file.sync()
        finally:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
