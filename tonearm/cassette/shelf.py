"""A shelf is a folder of cassettes; names of new ones never lead out of it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from tonearm.cassette.content import begins_with
from tonearm.cassette.names import SEALED, SUFFIX, other_name, plain_name
from tonearm.cassette.store import Cassette, load
from tonearm.errors import CassetteError, NothingToTest

_UNSAFE = re.compile(r"[^a-z0-9._-]+")
_MAX_MODEL = 80
_MAX_TOKEN = 40
_MAX_DATE = len("2026-11-20t09-30-00")
_RESERVED = {"con", "prn", "aux", "nul", *(f"{p}{n}" for p in ("com", "lpt") for n in range(10))}


class Shelf:
    """The cassettes in one folder, subfolders not included."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def paths(self) -> list[Path]:
        """Return the cassette files, by name; an empty shelf has none.

        Raises:
            CassetteError: There is no such folder, or a name in it leads out of it.
        """
        if not self.root.is_dir():
            raise CassetteError(self.root, "no such folder; record something into it first")
        inside = self.root.resolve()
        found = sorted(self._names(), key=lambda path: (plain_name(path).name, path.name))
        for path in found:
            if path.resolve().parent != inside:
                raise CassetteError(path, "is a link that leads out of the shelf; copy the file")
        return found

    def _names(self) -> set[Path]:
        """Return every cassette once; the second look finds what is unsealed between the others."""
        looks = [set(self.root.glob(f"*{suffix}")) for suffix in (SUFFIX, SEALED, SUFFIX)]
        plain, sealed = looks[0] | looks[2], looks[1]
        return plain | {path for path in sealed if not _is_left_over(path, plain)}

    def load_all(self) -> list[Cassette]:
        """Return every cassette, by name.

        Raises:
            CassetteError: One of them cannot be read.
            NothingToTest: There is none.
        """
        return [load(path) for path in find([self.root])]

    def new_path(self, model: str, started_at: str, token: str) -> Path:
        """Return a name for a new cassette that sorts by time and is safe on every system.

        Two tokens never give the same name, whatever they are made of.
        """
        safe = token if slug(token, _MAX_TOKEN) == token else _digest(token)
        return self.root / f"{slug(started_at, _MAX_DATE)}_{slug(model, _MAX_MODEL)}_{safe}{SUFFIX}"


def _is_left_over(sealed: Path, plain: set[Path]) -> bool:
    """Return whether a sealed file says nothing that a plain one does not say.

    A crash while one replaces the other leaves both; a pair of different files is two cassettes.
    """
    if plain_name(sealed) not in plain:
        return False
    try:
        return begins_with(plain_name(sealed), sealed)
    except FileNotFoundError:  # one of them has just been replaced; the plain name finds either
        return True
    except (OSError, CassetteError):
        return False


def slug(text: str, limit: int) -> str:
    """Return a part of a file name made from any text: ``[a-z0-9._-]``, never empty or reserved."""
    part = _UNSAFE.sub("-", text.lower())[:limit].strip("._-") or "unnamed"
    return f"x-{part}" if part.partition(".")[0] in _RESERVED else part


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def find(paths: Sequence[Path]) -> list[Path]:
    """Return the cassette files that a command line names, directly or by their folder.

    Raises:
        CassetteError: A path does not exist.
        NothingToTest: A folder has no cassette in it, or no path was given.
    """
    if not paths:
        raise NothingToTest("no cassette was given")
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = Shelf(path).paths()
            if not inside:
                raise NothingToTest(f"{path}: no cassette (*{SUFFIX}, *{SEALED}) in this folder")
            found += inside
        elif path.exists():
            found.append(path)
        elif other_name(path).exists():
            found.append(other_name(path))
        else:
            raise CassetteError(path, "no such file or folder")
    return list(dict.fromkeys(found))
