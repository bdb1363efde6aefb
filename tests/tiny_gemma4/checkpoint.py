"""Lay the tiny model out as a checkpoint folder: weights, tokenizer, and a ``config.json``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.tiny_gemma4.moe import MOE, MoeConfig
from tests.tiny_gemma4.tiny_config import TINY, TinyConfig

HERE = Path(__file__).parent
VOCABULARY = 1664


def write_checkpoint(folder: Path, weights: str = "model") -> Path:
    """Write a folder that the reference can load, and return it.

    Args:
        folder: Made if it is not there.
        weights: ``model``, ``unsure`` or ``moe``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / f"{weights}.safetensors", folder / "model.safetensors")
    shutil.copy(HERE / "tokenizer.model", folder / "tokenizer.model")
    write_config(folder, weights)
    return folder


def write_config(folder: Path, weights: str) -> None:
    """Write what the sizes are, in Hugging Face's words."""
    text = json.dumps({"text_config": text_config(weights)})
    (folder / "config.json").write_text(text, encoding="utf-8")


def text_config(weights: str) -> dict[str, Any]:
    """Return what the sizes are, in Hugging Face's words."""
    return _common(MOE) | _moe() if weights == "moe" else _common(TINY) | _tiny()


def _common(sizes: TinyConfig | MoeConfig) -> dict[str, Any]:
    return {
        "model_type": "gemma4_text",
        "vocab_size": VOCABULARY,
        "hidden_size": sizes.width,
        "intermediate_size": sizes.hidden,
        "num_attention_heads": sizes.heads,
        "head_dim": sizes.local_head,
        "global_head_dim": sizes.global_head,
        "layer_types": [
            "full_attention" if sizes.is_global(layer) else "sliding_attention"
            for layer in range(sizes.layers)
        ],
        "sliding_window": sizes.window,
        "final_logit_softcapping": sizes.softcap,
        "rope_parameters": {
            "sliding_attention": {"rope_theta": sizes.local_rope_base},
            "full_attention": {
                "rope_theta": sizes.global_rope_base,
                "partial_rotary_factor": sizes.rotated,
            },
        },
    }


def _tiny() -> dict[str, Any]:
    return {
        "num_key_value_heads": 1,
        "hidden_size_per_layer_input": TINY.per_layer,
        "num_kv_shared_layers": TINY.layers - TINY.own_kv,
        "use_double_wide_mlp": TINY.shared_hidden == 2 * TINY.hidden,
    }


def _moe() -> dict[str, Any]:
    return {
        "num_key_value_heads": MOE.local_kv_heads,
        "num_global_key_value_heads": MOE.global_kv_heads,
        "attention_k_eq_v": True,
        "hidden_size_per_layer_input": 0,
        "enable_moe_block": True,
        "num_experts": MOE.experts,
        "top_k_experts": MOE.experts_used,
        "moe_intermediate_size": MOE.expert_hidden,
    }
