"""The two names of a cassette: of the plain file, and of the sealed one that takes its place."""

from __future__ import annotations

from pathlib import Path

SUFFIX = ".yaml"
SEALED = ".yaml.zst"


def is_sealed_name(path: Path) -> bool:
    """Return whether a name is that of a sealed cassette."""
    return path.name.endswith(SEALED)


def plain_name(path: Path) -> Path:
    """Return the name of the plain file, whichever of the two is given."""
    return path.with_suffix("") if is_sealed_name(path) else path


def sealed_name(path: Path) -> Path:
    """Return the name of the sealed file, whichever of the two is given."""
    return path if is_sealed_name(path) else path.with_name(f"{path.name}.zst")


def other_name(path: Path) -> Path:
    """Return the name under which the same cassette is found after sealing or unsealing it."""
    return plain_name(path) if is_sealed_name(path) else sealed_name(path)
