"""What the crown tests share: the stages, each set once for the whole run."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.crown.controls import McpTwo, swap_norms, swapped_gguf
from tests.crown.stage import PLAIN, Stage, plan_of
from tests.engines import TINY, require, tiny_gguf
from tests.reference import Reference
from tests.tiny_gemma4.checkpoint import write_checkpoint

PRECISIONS = ("f32", "bf16")


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Folders that the reference loads, by the weights in them."""
    if importlib.util.find_spec("xllamacpp") is None:
        require("llama", "the extra `llama` is not installed")
    root = tmp_path_factory.mktemp("checkpoints")
    return {name: write_checkpoint(root / name, name) for name in ("model", "unsure", "moe")}


@pytest.fixture(scope="session")
def confident(
    checkpoints: dict[str, Path], reference: Reference, tmp_path_factory: pytest.TempPathFactory
) -> Stage:
    """The trained model: three precisions of the engine, two of the reference, two controls."""
    stage = Stage(plan_of(PLAIN, every=5))
    for kind in ("f32", "q8_0", "q4_0"):
        stage.llama(kind, tiny_gguf("model", kind))
    swapped = swap_norms(TINY / "model.safetensors")
    stage.llama("swapped", swapped_gguf(swapped, tmp_path_factory.mktemp("swapped")))
    stage.llama("mcp2", tiny_gguf("model", "f32"), template=McpTwo())
    for dtype in PRECISIONS:
        stage.judge(f"jax-{dtype}", reference, checkpoints["model"], dtype=dtype)
    return stage


@pytest.fixture(scope="session")
def unsure(checkpoints: dict[str, Path], reference: Reference) -> Stage:
    """The half-trained model, which shows small damage."""
    stage = Stage(plan_of(PLAIN, every=5))
    for kind in ("f32", "q8_0", "q4_0"):
        stage.llama(kind, tiny_gguf("unsure", kind))
    for dtype in PRECISIONS:
        stage.judge(f"jax-{dtype}", reference, checkpoints["unsure"], dtype=dtype)
    return stage


@pytest.fixture(scope="session")
def experts(checkpoints: dict[str, Path], reference: Reference) -> Stage:
    """The mixture of experts, judged by the library as published and as repaired."""
    stage = Stage(plan_of(PLAIN, every=5))
    stage.llama("f32", tiny_gguf("moe", "f32"))
    folder = checkpoints["moe"]
    for repaired in (False, True):
        reference.repair_router(repaired)
        for dtype in PRECISIONS:
            name = f"{'repaired' if repaired else 'published'}-{dtype}"
            stage.judge(name, reference, folder, dtype=dtype, defects="accept")
    reference.repair_router(False)
    return stage
