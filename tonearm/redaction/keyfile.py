"""The key of a shelf's stand-ins, made when it is first needed and kept beside the cassettes.

Whoever has it can test guesses at what a stand-in stands for. It is therefore readable by its owner
alone, and git does not see the folder that it lies in.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from filelock import FileLock

from tonearm.errors import RedactionError

FOLDER = ".tonearm"
NAME = "redaction.key"

_BYTES = 32
_WAIT_S = 10


def of_shelf(root: Path) -> bytes:
    """Return the key of a shelf; a shelf that has none gets one.

    Raises:
        RedactionError: The key cannot be read or made, or the file holds something else.
    """
    path = root / FOLDER / NAME
    try:
        if not path.exists():
            _make(path)
        text = path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as err:
        raise RedactionError(path, f"cannot be read or made: {err}") from err
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != _BYTES:
        raise RedactionError(
            path, "is no key; restore it, or remove it to begin with new stand-ins"
        )
    return key


def _make(path: Path) -> None:
    """Write a new key, unless another process has done so meanwhile."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with FileLock(path.with_suffix(".lock"), timeout=_WAIT_S):
        if path.exists():
            return
        (path.parent / ".gitignore").write_text("*\n", "ascii")
        fresh = path.with_suffix(".new")
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
