"""The folder beside sealed cassettes where each long part is stored once, named by its content."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from pathlib import Path

from tonearm.cassette import frame
from tonearm.cassette.files import make_private_folder, open_to_read, replacing, write_synced
from tonearm.cassette.shape import ShapeError

FOLDER = "blobs"

_CACHE_BYTES = 32 << 20


class Blobs:
    """The blobs of the cassettes in one folder; each is a zstd frame of one part."""

    def __init__(self, shelf: Path) -> None:
        self.folder = shelf / FOLDER
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._cached_bytes = 0

    def path(self, name: str) -> Path:
        """Return the file of a part; the name is its SHA-256."""
        return self.folder / f"{name}.zst"

    def put(self, part: bytes) -> None:
        """Store a part; one that is there already, and whole, stays as it is.

        Raises:
            OSError: The disk does not take it.
        """
        name = hashlib.sha256(part).hexdigest()
        if name in self._cache:
            return
        try:
            self.get(name)
        except ShapeError:
            make_private_folder(self.folder)
            with replacing(self.path(name)) as temporary:
                write_synced(temporary, frame.pack([part], len(part)))
            self._remember(name, part)

    def get(self, name: str) -> bytes:
        """Return a part.

        Raises:
            ShapeError: It is missing or altered.
        """
        if name not in self._cache:
            self._remember(name, self._read(name))
        return self._cache[name]

    def _read(self, name: str) -> bytes:
        where = f"{FOLDER}/{name}.zst"
        try:
            with open_to_read(self.path(name)) as file:
                part = b"".join(frame.unpack(file, frame.LIMIT_BYTES))
        except FileNotFoundError as err:
            raise ShapeError(f"needs {where}, which is missing; copy it there too") from err
        except OSError as err:
            raise ShapeError(f"needs {where}, which cannot be read: {err.strerror}") from err
        except ShapeError as err:
            raise ShapeError(f"needs {where}, which {err}") from err
        if hashlib.sha256(part).hexdigest() != name:
            raise ShapeError(f"needs {where}, which holds something else")
        return part

    def _remember(self, name: str, part: bytes) -> None:
        """Keep a part at hand: turns that follow one another have most of theirs in common."""
        self._cache[name] = part
        self._cached_bytes += len(part)
        while self._cached_bytes > _CACHE_BYTES and len(self._cache) > 1:
            self._cached_bytes -= len(self._cache.popitem(last=False)[1])
