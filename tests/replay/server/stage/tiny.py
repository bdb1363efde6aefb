"""The tiny model on a stage of its own."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

from tests.engines import TINY_MODEL, require, tiny_gguf
from tonearm.arms import ArmOptions, load
from tonearm.replay.server.background import Background
from tonearm.replay.server.stage.source import Stage
from tonearm.templates import ChatFormat


@contextmanager
def tiny_stage(name: str = TINY_MODEL, template: ChatFormat | None = None) -> Iterator[str]:
    """Serve it for the length of a ``with`` block, and yield the address."""
    require_llama()
    arm = load(f"llama-cpp={tiny_gguf()}", ArmOptions(template=template))
    with Background(Stage(arm, name)) as server:
        yield server.address.url


def require_llama() -> None:
    """Skip a test, or fail it, where llama.cpp is not installed."""
    if importlib.util.find_spec("xllamacpp") is None:
        require("llama", "the extra `llama` is not installed")
