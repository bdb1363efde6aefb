"""What of the exchanges under way is on the disk, in case their recorder is killed.

A journal holds text that has been redacted, as everything on a shelf. It is a log: an exchange is
one line and what is added to its answer later are more lines, each a whole exchange in the form of
a cassette's, behind its number and the place where its part of the answer belongs. A line that says
``new`` takes the place of all before it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tonearm.cassette.files import WriterLock
from tonearm.cassette.format import from_line, to_line
from tonearm.cassette.logfile import LogFile
from tonearm.cassette.shape import ShapeError
from tonearm.errors import CassetteError
from tonearm.model import Chunk, Exchange, HttpRequest
from tonearm.redaction.keyfile import FOLDER

PATTERN = "running-*.journal"
_BEGIN, _END = b"new", b"end"


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """What a journal on a shelf says."""

    path: Path
    exchanges: tuple[Exchange, ...]
    """Those that had not ended, with as much of their answers as was written."""
    live: bool
    """Whether the recorder that writes it is running."""


class JournalWriter:
    """The one writer of a journal; it belongs to one thread at a time."""

    def __init__(self, shelf: Path, token: str) -> None:
        """Create the file.

        Raises:
            CassetteError: It cannot be created.
        """
        self._file = LogFile.create(shelf / FOLDER / PATTERN.replace("*", token))
        self.size_bytes = 0

    def begin(self, number: int, exchange: Exchange) -> None:
        """Write an exchange so far, in the place of what was written under its number."""
        self._add(b"%d %b %b" % (number, _BEGIN, to_line(exchange)))

    def go_on(self, number: int, exchange: Exchange, at: int) -> None:
        """Write what an answer has had added behind its first ``at`` bytes."""
        chunks = [replace(chunk, end=chunk.end - at) for chunk in exchange.chunks if chunk.end > at]
        part = replace(
            exchange,
            request=HttpRequest(method=exchange.request.method, uri=exchange.request.uri),
            response=replace(exchange.response, body=exchange.response.body[at:]),
            chunks=chunks,
        )
        self._add(b"%d %d %b" % (number, at, to_line(part)))

    def end(self, number: int) -> None:
        """Note that an exchange is not under way any more."""
        self._add(b"%d %b\n" % (number, _END))

    def _add(self, line: bytes) -> None:
        self._file.pending += line
        self.size_bytes += len(line)

    def sync(self) -> None:
        """Bring everything onto the disk.

        Raises:
            CassetteError: The disk is full or broken; the journal is of no use any more.
        """
        self._file.sync()

    def remove(self) -> None:
        """Let go of the file and delete it, or leave it to the next start."""
        self._file.close()
        with contextlib.suppress(OSError):
            self._file.path.unlink(missing_ok=True)


def find(shelf: Path) -> list[Path]:
    """Return the journals on a shelf."""
    return sorted((shelf / FOLDER).glob(PATTERN))


def read(path: Path) -> Journal:
    """Return what a journal says; after a line that is torn or broken it says nothing.

    Raises:
        CassetteError: It cannot be read.
    """
    try:
        live = _is_live(path)
        data = path.read_bytes()
    except OSError as err:
        raise CassetteError(path, f"cannot be read: {err.strerror}") from err
    under_way: dict[bytes, Exchange] = {}
    for number, rest in _lines(data):
        if rest == _END:
            under_way.pop(number, None)
            continue
        try:
            under_way[number] = _part(under_way.get(number), rest)
        except (ShapeError, ValueError):
            break
    return Journal(path=path, exchanges=tuple(under_way.values()), live=live)


def remove(path: Path) -> None:
    """Delete the journal of a recorder that is gone.

    Raises:
        CassetteError: The recorder is running, or the file cannot be deleted.
    """
    try:
        lock = WriterLock(path)
        try:
            path.unlink(missing_ok=True)
        finally:
            lock.release()
    except OSError as err:
        raise CassetteError(path, f"cannot be deleted: {err.strerror}") from err


def _lines(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in data.split(b"\n")[:-1]:
        number, _, rest = line.partition(b" ")
        yield number, rest


def _part(before: Exchange | None, rest: bytes) -> Exchange:
    """Return an exchange with one more line taken in.

    Raises:
        ShapeError: The line is not one of a journal.
        ValueError: The same.
    """
    place, _, line = rest.partition(b" ")
    part = from_line(line, 0)
    if place == _BEGIN:
        return part
    at = int(place)
    if before is None or at > len(before.response.body):
        raise ValueError("what stands before is missing")
    body = before.response.body[:at] + part.response.body
    chunks = (*_until(before.chunks, at), *(replace(c, end=c.end + at) for c in part.chunks))
    return replace(
        part,
        request=before.request,
        response=replace(part.response, body=body),
        chunks=chunks,
    )


def _until(chunks: Sequence[Chunk], at: int) -> list[Chunk]:
    return [chunk for chunk in chunks if chunk.end <= at]


def _is_live(path: Path) -> bool:
    try:
        WriterLock(path).release()
    except CassetteError:
        return True
    return False
