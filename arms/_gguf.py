"""What a GGUF file says of itself, in the words that Ollama has for it.

The header is read only as far as it takes to refuse what is no GGUF file or of another family.
"""

from __future__ import annotations

import hashlib
import re
import struct
from pathlib import Path
from typing import BinaryIO

from tonearm.canonical import Json

MAGIC = b"GGUF"
ARCHITECTURE = "general.architecture"
_STRING = 8
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a scalar, by its type's number."""
_LONGEST = 1 << 20
"""Bytes of a text. A longer one is a sign that the file is not what it says."""


def architecture(path: Path) -> str | None:
    """Return the model's architecture, ``None`` where it does not stand near the beginning.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is no GGUF file.
    """
    with path.open("rb") as file:
        if file.read(4) != MAGIC:
            raise ValueError("it is not a GGUF file")
        try:
            _, _, entries = struct.unpack("<IQQ", file.read(20))
            for _ in range(min(entries, 64)):
                key, kind = _text(file), struct.unpack("<I", file.read(4))[0]
                if kind == _STRING:
                    value = _text(file)
                    if key == ARCHITECTURE:
                        return value
                elif kind in _SIZES:
                    file.seek(_SIZES[kind], 1)
                else:
                    return None
        except struct.error as err:
            raise ValueError("the file ends within its header") from err
    return None


def _text(file: BinaryIO) -> str:
    (size,) = struct.unpack("<Q", file.read(8))
    if size > _LONGEST:
        raise ValueError(f"its header holds a text of {size} bytes")
    return file.read(size).decode("utf-8", errors="replace")


def parameter_size(count: Json) -> str | None:
    """Return a number of parameters as Ollama writes it, such as ``4.7B``."""
    if not isinstance(count, int):
        return None
    for limit, unit, digits in ((1e9, "B", 1), (1e6, "M", 2)):
        if count >= limit:
            return f"{count / limit:.{0 if count % limit == 0 else digits}f}{unit}"
    return f"{count / 1e3:.0f}K" if count >= 1000 else str(count)


def quantization(ftype: str) -> str | None:
    """Return llama.cpp's words for a file's types as Ollama writes them, such as ``Q4_K_M``."""
    name = re.sub(r"^(all|mostly) | \(guessed\)$", "", ftype)
    return re.sub(r" - (\w)\w*$", r"_\1", name).replace(" ", "") or None


def digest(path: Path) -> str:
    """Return a file's SHA-256."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
