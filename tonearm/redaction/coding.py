"""Read a body whose header says that it is compressed."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import pairwise

MAX_BYTES = 64 << 20
"""A kilobyte can stand for a megabyte of zeros; more than this is not unpacked."""

_PLAIN = frozenset(("", "identity"))
_ZLIB = frozenset(("gzip", "x-gzip", "deflate"))
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


class Unreadable(ValueError):
    """A body cannot be unpacked, so nobody can tell what is in it."""


def is_packed(coding: str) -> bool:
    """Return whether a ``Content-Encoding`` is one."""
    return coding.strip().lower() not in _PLAIN


def unpacked(body: bytes, ends: Sequence[int], coding: str) -> tuple[bytes, list[int]]:
    """Return the text of a body, and where its pieces end there.

    A body that was cut gives what can be read of it.

    Args:
        body: As it came.
        ends: Where its pieces end, in order.
        coding: The value of ``Content-Encoding``.

    Raises:
        Unreadable: The coding is none that is known, the body is not in it, or is too large.
    """
    if coding.strip().lower() not in _ZLIB:
        raise Unreadable(coding)
    decoder = zlib.decompressobj(_GZIP_OR_ZLIB)
    parts, sizes, size = [], [], 0
    for start, end in pairwise((0, *ends, len(body))):
        try:
            part = decoder.decompress(body[start:end], MAX_BYTES + 1 - size)
        except zlib.error as err:
            raise Unreadable(str(err)) from err
        size += len(part)
        if size > MAX_BYTES or decoder.unused_data:
            raise Unreadable("more than is expected")
        parts.append(part)
        sizes.append(size)
    return b"".join(parts), sizes[: len(ends)]
