"""The model that comes with the package, in two precisions.

Both files are made of the same weights by ``scripts/demo-models``; ``tests/tiny_gemma4`` says where
those come from and what the model can do.
"""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager
from importlib import resources
from pathlib import Path

NAME = "tiny-gemma4:e2b"
"""What agents call it."""

WHOLE, QUARTER = "f16", "q4_0"
KINDS = (WHOLE, QUARTER)
"""The types of its matrices; a quarter of the bits makes it answer some questions otherwise."""


def packaged(kind: str) -> AbstractContextManager[Path]:
    """Return a block in which a model file of the package can be read from a path."""
    return resources.as_file(resources.files("tonearm.demo").joinpath(file_name(kind)))


def file_name(kind: str) -> str:
    """Return the name of a model file."""
    return f"tiny-gemma4-{kind}.gguf"


def unpack(kind: str, folder: Path) -> Path:
    """Copy a model file into a folder and return its path."""
    with packaged(kind) as source:
        return Path(shutil.copyfile(source, folder / file_name(kind)))
