"""Can the reference run here? Everything that can be known without loading it.

Importing the library costs half a minute and a gigabyte, and left to itself it would look for
weights on the network. So what it needs is looked for first, in the order in which a user would
have to get it.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

MODULES = ("jax", "gemma")
INSTALL = 'pip install "tonearm[jax]"'
TOKENIZERS = ("tokenizer.model", "tokenizer_gemma4.model")
PUBLISHED = "gs://gemma-data"
"""Where the library's makers keep what it needs: gemma:gm/ckpts/_paths.py@4.0.1."""
ACCELERATORS = ("jax_cuda12_plugin", "jax_cuda13_plugin", "jax_rocm7_plugin", "libtpu")
ROOM = 1 << 30
"""Bytes that the library takes before any weight."""


class Layout(StrEnum):
    """How a checkpoint is written down."""

    ORBAX = "orbax"
    FLAX = "flax"
    """safetensors with the library's own names, joined by ``/``."""
    HF = "hf"
    """safetensors with Hugging Face's names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Where everything is."""

    checkpoint: Path
    layout: Layout
    tokenizer: Path
    config: Path | None
    weights_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """The first thing that is not there."""

    what: str
    """``module``, ``checkpoint``, ``tokenizer`` or ``memory``."""
    problem: str
    fix: str


def probe(
    checkpoint: Path, tokenizer: Path | None, *, double: bool, environ: Mapping[str, str]
) -> Found | Missing:
    """Look for the packages, the weights, the tokenizer and the memory.

    Args:
        checkpoint: Folder of the weights.
        tokenizer: The sentencepiece file, where it is not beside the weights.
        double: Whether 16-bit weights become 32-bit ones.
        environ: Of the process; ``GEMMA_CACHE_DIR`` is the library's own folder.
    """
    for module in MODULES:
        if importlib.util.find_spec(module) is None:
            problem = f"the Python module {module} is not installed"
            return Missing(what="module", problem=problem, fix=f"install it: {INSTALL}")
    try:
        layout = _layout(checkpoint)
    except ValueError as err:
        fix = (
            "name a folder with an orbax or safetensors checkpoint, --arm jax-native=FOLDER; "
            f"get one: gcloud storage cp -r {PUBLISHED}/checkpoints/gemma4-e2b-it FOLDER"
        )
        return Missing(what="checkpoint", problem=f"{checkpoint}: {err}", fix=fix)
    places = list(_tokenizers(checkpoint, tokenizer, environ))
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        problem = f"no tokenizer at {', '.join(map(str, places))}"
        fix = (
            f"put {TOKENIZERS[0]} beside the weights, or name it: tokenizer=FILE; get it: "
            f"gcloud storage cp {PUBLISHED}/tokenizers/{TOKENIZERS[1]} {checkpoint / TOKENIZERS[0]}"
        )
        return Missing(what="tokenizer", problem=problem, fix=fix)
    config = checkpoint / "config.json"
    size = sum(file.stat().st_size for file in checkpoint.rglob("*") if file.is_file())
    found = Found(
        checkpoint=checkpoint.resolve(),
        layout=layout,
        tokenizer=path.resolve(),
        config=config.resolve() if config.is_file() else None,
        weights_bytes=size,
    )
    return _memory(found, size * (2 if double else 1)) or found


def versions() -> str:
    """Return the versions of the library and of JAX."""
    return ", ".join(f"{name} {_version(name)}" for name in ("gemma", "jax"))


def digest(folder: Path) -> str:
    """Return the SHA-256 of all files of a folder, names included."""
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            part = hashlib.file_digest(file, "sha256").hexdigest()
        whole.update(f"{path.relative_to(folder).as_posix()} {part}\n".encode())
    return whole.hexdigest()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def _layout(folder: Path) -> Layout:
    if not folder.is_dir():
        raise ValueError("no such folder")
    if any((folder / name).exists() for name in ("_METADATA", "_CHECKPOINT_METADATA")):
        return Layout.ORBAX
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ValueError("it holds no checkpoint: neither _METADATA nor *.safetensors")
    names = tensor_names(files[0])
    return Layout.FLAX if any("/" in name for name in names) else Layout.HF


def tensor_names(path: Path) -> list[str]:
    """Return the names of the tensors in a safetensors file.

    Raises:
        ValueError: It is none.
    """
    try:
        with path.open("rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(size)) if size < path.stat().st_size else None
    except (OSError, ValueError, struct.error) as err:
        raise ValueError(f"{path.name} is not a safetensors file") from err
    if not isinstance(header, dict):
        raise ValueError(f"{path.name} is not a safetensors file")
    return [name for name in header if name != "__metadata__"]


def _tokenizers(checkpoint: Path, named: Path | None, environ: Mapping[str, str]) -> Iterator[Path]:
    if named is not None:
        yield named
        return
    for name in TOKENIZERS:
        yield checkpoint / name
    cache = Path(environ.get("GEMMA_CACHE_DIR") or "~/.gemma").expanduser()
    yield cache / "tokenizer" / TOKENIZERS[1]


def _memory(found: Found, needed: int) -> Missing | None:
    """Return what is missing where the weights cannot fit; an accelerator has memory of its own."""
    free = available_bytes()
    if free is None or any(importlib.util.find_spec(name) for name in ACCELERATORS):
        return None
    if needed + ROOM <= free:
        return None
    problem = (
        f"the weights need {(needed + ROOM) / 2**30:.1f} GiB of memory, "
        f"{free / 2**30:.1f} GiB are free"
    )
    return Missing(what="memory", problem=problem, fix="use dtype=bf16, a smaller model, or a GPU")


def available_bytes() -> int | None:
    """Return how much memory is free, ``None`` where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if "MemAvailable" in line)
    except (OSError, StopIteration, ValueError):
        pages = "SC_AVPHYS_PAGES"
        if pages in getattr(os, "sysconf_names", {}):
            return os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE")
        return None
