"""Long parts of a cassette, such as images, cut out of it and put back to the very byte.

Every turn resends the images of the turns before it. In a sealed file each part is therefore a
reference to a blob: ``NUL``, the SHA-256 of the part in hexadecimal, ``NUL``. A file with a NUL of
its own is sealed uncut. The first line of cut content says what the whole must be; it begins with
NUL, so that nobody can take the content for a cassette.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from tonearm.cassette.shape import ShapeError

PART_BYTES = 64 << 10
"""Shorter texts are left to zstd, which finds them again."""

NUL = b"\0"

_LEAD = b"\0tonearm parts 1 "
_HEAD_BYTES = len(_LEAD) + 64 + 1
_REFERENCE_BYTES = 66
_REFERENCE = re.compile(rb"\0([0-9a-f]{64})\0")

_ESCAPED_QUOTE = rb"\\\""
"""A quote within a text of the JSON that a body is, which is itself a text of JSON."""


def reference(part: bytes) -> bytes:
    """Return what stands for a part."""
    return b"\0%b\0" % hashlib.sha256(part).hexdigest().encode()


def head(plain_digest: bytes) -> bytes:
    """Return the first line of cut content; ``plain_digest`` is the SHA-256 of the whole."""
    return b"%b%b\n" % (_LEAD, plain_digest.hex().encode())


def cut(line: bytes, keep: Callable[[bytes], bytes]) -> bytes:
    """Return a line with each long part replaced by what ``keep`` returns for it."""
    if len(line) < PART_BYTES:
        return line
    pieces, at = [], 0
    for start, end in _long(line):
        pieces += [line[at:start], keep(line[start:end])]
        at = end
    return b"".join([*pieces, line[at:]])


def _long(line: bytes) -> Iterator[tuple[int, int]]:
    """Yield where long parts begin and end: whatever stands between two quotes.

    A quote at the wrong place would only cost space: any part can be cut out and put back.
    """
    gaps = line.replace(_ESCAPED_QUOTE, b"." * len(_ESCAPED_QUOTE)).split(b'"')
    start = 0
    for gap in gaps:
        size = len(gap) - gap.endswith(b"\\")
        if size >= PART_BYTES:
            yield start, start + size
        start += len(gap) + 1


def join(pieces: Iterable[bytes], fetch: Callable[[str], bytes], limit: int) -> Iterator[bytes]:
    """Yield content with its parts put back, or as it is where none were cut out.

    Raises:
        ShapeError: A reference is broken, the whole is larger than ``limit``, or is not what was
            cut.
    """
    rest = iter(pieces)
    first = b""
    while len(first) < _HEAD_BYTES and (piece := next(rest, None)) is not None:
        first += piece
    if not first.startswith(NUL):
        yield first
        yield from rest
        return
    yield from _checked(_joined(first[_HEAD_BYTES:], rest, fetch), first[:_HEAD_BYTES], limit)


def _joined(first: bytes, rest: Iterator[bytes], fetch: Callable[[str], bytes]) -> Iterator[bytes]:
    held = b""
    for piece in chain([first], rest):
        held += piece
        at = 0
        while (start := held.find(NUL, at)) >= 0 and len(held) - start >= _REFERENCE_BYTES:
            found = _REFERENCE.match(held, start)
            if found is None:
                raise ShapeError("has a reference to a part that is not whole")
            yield held[at:start]
            yield fetch(found[1].decode())
            at = found.end()
        yield held[at:start] if start >= 0 else held[at:]
        held = held[start:] if start >= 0 else b""
    if held:
        raise ShapeError("has a reference to a part that is not whole")


def _checked(pieces: Iterator[bytes], first_line: bytes, limit: int) -> Iterator[bytes]:
    """Pass on what comes, as long as it is not too much, and see that it was the right thing."""
    digest, size = hashlib.sha256(), 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise ShapeError(f"holds more than {limit:,} bytes, which is the limit")
        digest.update(piece)
        yield piece
    if head(digest.digest()) != first_line:
        raise ShapeError("does not make the file that was sealed when its parts are put back")
