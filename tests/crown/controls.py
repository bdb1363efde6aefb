"""Faults on purpose, each of a kind that has happened, to see that a report names them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file
from sentencepiece import sentencepiece_model_pb2

from tests.tiny_gemma4.export_gguf import export
from tonearm import templates
from tonearm.canonical import JsonObject

DECLARATIONS = Path(__file__).parent.parent / "data" / "mcp2-declarations.json"
"""What the library ``dialog`` 1.1.0 writes for the bake-off's tools beside ``mcp`` 2.3.0."""

DECLARATION = re.compile(r"<\|tool>declaration:(\w+)\{.*?\}<tool\|>")

type Weights = dict[str, NDArray[np.float32]]


def swap_norms(path: Path) -> Weights:
    """Return weights in which one layer's norms before and after the MLP have changed places."""
    weights = load_file(str(path))
    before, after = "layer_2/pre_ffw_norm/scale", "layer_2/post_ffw_norm/scale"
    weights[before], weights[after] = weights[after], weights[before]
    return weights


def swapped_gguf(weights: Weights, folder: Path) -> Path:
    """Write weights as a GGUF file in f32."""
    save_file(weights, folder / "model.safetensors")
    export(folder / "model.safetensors", folder / "model.gguf", "f32")
    return folder / "model.gguf"


class McpTwo:
    """Our grammar, but with tools declared as ``dialog`` does it beside ``mcp`` 2."""

    def __init__(self) -> None:
        self._ours = templates.get("gemma4-small")
        self._declarations = json.loads(DECLARATIONS.read_text(encoding="utf-8"))["declarations"]

    def __getattr__(self, name: str) -> object:
        return getattr(self._ours, name)

    def render(
        self,
        messages: Sequence[JsonObject],
        tools: Sequence[JsonObject] | None = None,
        **settings: bool | None,
    ) -> str:
        """Write the prompt of a conversation."""
        prompt = self._ours.render(messages, tools, **settings)
        return DECLARATION.sub(lambda found: self._declarations[found[1]], prompt)


def cut_otherwise(tokenizer: Path) -> None:
    """Take a word out of a tokenizer, so that it cuts the same text into other tokens."""
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(tokenizer.read_bytes())
    (piece,) = [piece for piece in model.pieces if piece.piece == "model"]
    piece.type = piece.UNUSED
    tokenizer.write_bytes(model.SerializeToString())
