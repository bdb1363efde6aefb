"""Read a GGUF file's metadata, whatever else the file holds.

The file may come from anywhere: every length in it is checked against a limit before it is used,
and what is not asked for is stepped over.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tonearm.canonical import Json, JsonObject

MAGIC = b"GGUF"
MAX_TEXT_BYTES = 1 << 20
MAX_KEY_BYTES = 1 << 16
MAX_ENTRIES = 1 << 16
MAX_ITEMS = 1 << 24
MAX_DEPTH = 4

MAX_DIMENSIONS = 4

_STRING, _ARRAY = 8, 9
_FORMS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}


class GgufError(ValueError):
    """The file is not a GGUF file that can be read."""


def read_text(path: Path, key: str) -> str | None:
    """Return a text of the metadata, ``None`` where there is no text of that key.

    Raises:
        GgufError: The file is cut, of another format or version, or beyond a limit.
        OSError: The file cannot be opened.
    """
    with path.open("rb") as file:
        _, entries = _begin(file)
        for _ in range(_checked(entries, MAX_ENTRIES, "entries")):
            name = _string(file, MAX_KEY_BYTES)
            kind = _number(file, "<I")
            if name == key and kind == _STRING:
                return _string(file, MAX_TEXT_BYTES)
            _skip(file, kind)
    return None


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor, as the file announces it."""

    name: str
    kind: int
    """Number of its type in ggml."""
    shape: tuple[int, ...]
    """The fastest dimension first."""


@dataclass(frozen=True, slots=True)
class Header:
    """All that a GGUF file says before its data."""

    metadata: JsonObject
    """Lists are ``None``: those of a tokenizer are long."""
    tensors: tuple[Tensor, ...]

    @property
    def parameters(self) -> int:
        """How many numbers the tensors hold."""
        return sum(prod(tensor.shape) for tensor in self.tensors)


def read_header(path: Path) -> Header:
    """Return what a file says of itself.

    Raises:
        GgufError: The file is cut, of another format or version, or beyond a limit.
        OSError: The file cannot be opened.
    """
    with path.open("rb") as file:
        tensors, entries = _begin(file)
        metadata: JsonObject = {}
        for _ in range(_checked(entries, MAX_ENTRIES, "entries")):
            key = _string(file, MAX_KEY_BYTES)
            metadata[key] = _value(file, _number(file, "<I"))
        count = _checked(tensors, MAX_ENTRIES, "tensors")
        return Header(metadata, tuple(_tensor(file) for _ in range(count)))


def _value(file: BinaryIO, kind: int) -> Json:
    if kind == _STRING:
        return _string(file, MAX_TEXT_BYTES)
    if kind not in _FORMS:
        _skip(file, kind)
        return None
    value: Json = struct.unpack(_FORMS[kind], _exactly(file, _SIZES[kind]))[0]
    # The shortest decimal that means the same in 32 bits.
    return float(str(np.float32(value))) if _FORMS[kind] == "<f" else value


def _tensor(file: BinaryIO) -> Tensor:
    name = _string(file, MAX_KEY_BYTES)
    dimensions = _checked(_number(file, "<I"), MAX_DIMENSIONS, "dimensions")
    shape = tuple(_number(file, "<Q") for _ in range(dimensions))
    kind = _number(file, "<I")
    _forward(file, 8)
    return Tensor(name, kind, shape)


def _begin(file: BinaryIO) -> tuple[int, int]:
    """Return how many tensors and entries follow."""
    if file.read(4) != MAGIC:
        raise GgufError("it does not begin with GGUF")
    version, tensors, entries = struct.unpack("<IQQ", _exactly(file, 20))
    if version not in (2, 3):
        raise GgufError(f"version {version} is not 2 or 3")
    return tensors, entries


def _skip(file: BinaryIO, kind: int, depth: int = 0) -> None:
    if kind == _STRING:
        _forward(file, _number(file, "<Q"))
    elif kind == _ARRAY and depth < MAX_DEPTH:
        kind = _number(file, "<I")
        count = _checked(_number(file, "<Q"), MAX_ITEMS, "items")
        if kind in _SIZES:
            _forward(file, _SIZES[kind] * count)
            return
        for _ in range(count):
            _skip(file, kind, depth + 1)
    elif kind in _SIZES:
        _forward(file, _SIZES[kind])
    else:
        raise GgufError(f"a value of type {kind}, {depth} levels deep")


def _forward(file: BinaryIO, size: int) -> None:
    if size >= 1 << 40:
        raise GgufError(f"a value of {size} bytes")
    file.seek(size, 1)


def _string(file: BinaryIO, limit: int) -> str:
    raw = _exactly(file, _checked(_number(file, "<Q"), limit, "bytes"))
    return raw.decode("utf-8", errors="replace")


def _number(file: BinaryIO, form: str) -> int:
    number: int = struct.unpack(form, _exactly(file, struct.calcsize(form)))[0]
    return number


def _exactly(file: BinaryIO, size: int) -> bytes:
    raw = file.read(size)
    if len(raw) != size:
        raise GgufError("the file ends within its metadata")
    return raw


def _checked(count: int, limit: int, what: str) -> int:
    if count > limit:
        raise GgufError(f"{count} {what}, more than {limit}")
    return count
