"""Read cassettes: our own layout line by line, any other YAML in a child process.

A file never reads as fewer exchanges than it holds without saying so: a damaged end is named in
``Cassette.torn``, any other damage is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tonearm.cassette.content import read_plain
from tonearm.cassette.foreign import read_foreign
from tonearm.cassette.format import HEADER, from_line, parse
from tonearm.cassette.interaction import to_exchange
from tonearm.cassette.names import plain_name
from tonearm.cassette.shape import NewerFormat, NotJson, ShapeError
from tonearm.errors import CassetteError, CassetteVersionError
from tonearm.model import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Cassette:
    """One file of exchanges."""

    path: Path
    exchanges: tuple[Exchange, ...]
    torn: str | None = None
    """What is damaged at the end of the file and therefore not among the exchanges."""
    foreign: bool = False
    """Whether the file is not in our layout: stock vcrpy recorded it, or saved it again."""

    @property
    def name(self) -> str:
        """The name of the plain file, which stays when the cassette is sealed."""
        return plain_name(self.path).name


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """What a file in our layout holds, and where its whole lines end."""

    exchanges: tuple[Exchange, ...]
    whole_bytes: int
    torn: str | None = None


def load(path: Path) -> Cassette:
    """Return the cassette in a file.

    Raises:
        CassetteError: The file cannot be read or is no cassette; the message names the line.
        CassetteVersionError: A later tonearm wrote it.
    """
    data = read_plain(path)
    if is_own_layout(data):
        found = scan(path, data)
        return Cassette(path=path, exchanges=found.exchanges, torn=found.torn)
    exchanges = tuple(
        _convert(path, line, to_exchange, interaction, position)
        for position, (line, interaction) in enumerate(read_foreign(path, data))
    )
    return Cassette(path=path, exchanges=exchanges, foreign=True)


def is_own_layout(data: bytes) -> bool:
    """Return whether a file has one line for each exchange, or is too short to have any.

    An editor or git may have changed the line ends; a lost block of the file system reads as zeros.
    """
    head = data[: 2 * len(HEADER)].replace(b"\r\n", b"\n")
    first = head[len(HEADER) :][:4]
    return HEADER.startswith(head) or (
        head.startswith(HEADER) and (b'- {"'.startswith(first) or first.startswith(b"\0"))
    )


def scan(path: Path, data: bytes) -> Scan:
    """Return what a file in our layout holds.

    Raises:
        CassetteError: A line is broken and it is not the end of the file that is torn.
    """
    if len(data) < len(HEADER):
        return Scan(exchanges=(), whole_bytes=0, torn=_torn(1, data) if data else None)
    exchanges: list[Exchange] = []
    for number, start, line in _lines(data):
        try:
            exchanges.append(_convert(path, number, from_line, line, len(exchanges)))
        except _Broken:
            if not bytes(line).strip():
                continue
            if any(_is_whole(later) for later in data[start:].split(b"\n")[1:]):
                raise
            torn = _torn(number, data[start:])
            return Scan(exchanges=tuple(exchanges), whole_bytes=start, torn=torn)
    return Scan(exchanges=tuple(exchanges), whole_bytes=len(data))


def _lines(data: bytes) -> Iterator[tuple[int, int, memoryview]]:
    """Yield number, offset and text, uncopied, of each line behind the header."""
    view = memoryview(data)
    number, start = 1, 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        if number > HEADER.count(b"\n"):
            yield number, start, view[start:end]
        number, start = number + 1, end + 1


class _Broken(CassetteError):
    """A line holds no whole JSON text; at the end of a file that is a torn write."""


def _torn(number: int, rest: bytes) -> str:
    return f"line {number} is not whole: the last {len(rest)} bytes of the file were not used"


def _is_whole(line: bytes) -> bool:
    try:
        parse(line)
    except NotJson:
        return False
    return True


def _convert[T](
    path: Path, line: int | None, read: Callable[[T, int], Exchange], value: T, position: int
) -> Exchange:
    """Call a reader and give its complaints a file and a line."""
    try:
        return read(value, position)
    except NewerFormat as err:
        raise CassetteVersionError(path, str(err), line=line) from err
    except NotJson as err:
        raise _Broken(path, str(err), line=line) from err
    except ShapeError as err:
        raise CassetteError(path, str(err), line=line) from err
