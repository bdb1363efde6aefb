"""Bytes as one zstd frame that says how long it is and carries a checksum.

A frame comes from a file that somebody else may have written: what it unpacks to is bounded before
anything is unpacked, and a frame that is cut off, altered or followed by anything is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

import zstandard

from tonearm.cassette.shape import ShapeError

MAGIC = b"\x28\xb5\x2f\xfd"

LIMIT_BYTES = 1 << 30
"""The most that a sealed cassette may unpack to; larger ones stay plain."""

_LEVEL = 3
_WINDOW_LOG = 25
"""A request finds the one before it within 32 MiB."""

_THOROUGH_BYTES = 128 << 20
"""Up to here a better search is worth its time: some 40 ns a byte, a fifth less on the disk."""

_THOROUGH = {
    "strategy": zstandard.STRATEGY_BTOPT,
    "target_length": 999,
    "min_match": 3,
    "search_log": 6,
    "chain_log": 24,
    "hash_log": 22,
}
"""What is new in a turn are many short lines that differ in a word and in a time; level 19 packs
them no better and takes twice as long. The tables take 80 MiB."""

_SLICE_BYTES = 1024
"""A slice of a hostile frame unpacks to at most 32 MiB: four bytes can stand for 128 KiB."""


def pack(pieces: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Yield the frame of pieces.

    Raises:
        ShapeError: They are not ``size`` bytes in all.
    """
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _LEVEL,
        source_size=size,
        window_log=_WINDOW_LOG,
        enable_ldm=True,  # finds the history of the turn before
        write_checksum=True,
        write_content_size=True,
        **(_THOROUGH if size <= _THOROUGH_BYTES else {}),
    )
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj(size=size)
    try:
        for piece in pieces:
            yield packer.compress(piece)
        yield packer.flush()
    except zstandard.ZstdError as err:
        raise ShapeError(f"was changed while it was packed: {err}") from err


def unpack(file: BinaryIO, limit: int) -> Iterator[bytes]:
    """Yield what a file's only frame holds, in pieces of bounded size.

    Raises:
        ShapeError: It is no such frame, it is damaged, or it holds more than ``limit`` bytes.
    """
    head = file.read(_SLICE_BYTES)
    _check(head, limit)
    unpacker = zstandard.ZstdDecompressor().decompressobj()
    try:
        while head and not unpacker.eof:
            yield unpacker.decompress(head)
            head = file.read(_SLICE_BYTES)
    except zstandard.ZstdError as err:
        raise ShapeError(f"is damaged: {err}") from err
    if not unpacker.eof:
        raise ShapeError("is cut off; nothing of it can be used")
    if head or unpacker.unused_data:
        raise ShapeError("has something behind its end")


def _check(head: bytes, limit: int) -> None:
    """Refuse a frame by what it says of itself."""
    try:
        frame = zstandard.get_frame_parameters(head)
    except zstandard.ZstdError as err:
        raise ShapeError("does not begin with a zstd frame") from err
    if not frame.has_checksum:
        raise ShapeError("has no checksum, so damage would go unnoticed; pack it with --check")
    if frame.content_size == zstandard.CONTENTSIZE_UNKNOWN:
        raise ShapeError("does not say how much it holds; pack it from a file, not from a pipe")
    if frame.content_size > limit:
        raise ShapeError(f"holds {frame.content_size:,} bytes; the limit is {limit:,}")
