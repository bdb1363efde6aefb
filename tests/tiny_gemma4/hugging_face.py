"""The tiny model's weights with the names and shapes of Hugging Face's Gemma 4."""

from __future__ import annotations

import numpy as np

from tests.tiny_gemma4.moe import MOE
from tests.tiny_gemma4.tiny_config import TINY


def hugging_face(weights):
    """Return weights with Hugging Face's names; layers that share have no keys and values."""
    moe = "layer_0/mlp2/linear" in weights
    found = {}
    for name, w in weights.items():
        layer, _, rest = name.partition("/")
        at = f"layers.{layer.removeprefix('layer_')}."
        shares = not moe and layer[6:].isdecimal() and int(layer[6:]) >= TINY.own_kv
        if shares and rest in {"attn/kv_einsum/w", "attn/key_norm/scale"}:
            continue
        new = _model_part(name, w) or {at + k: v for k, v in _layer_part(rest, w, moe).items()}
        found |= {f"model.language_model.{k}": np.ascontiguousarray(v) for k, v in new.items()}
    return found


def _model_part(name, w):
    return {
        "embedder/input_embedding": lambda: {"embed_tokens.weight": w},
        "embedder/per_layer_embeddings": lambda: {
            "embed_tokens_per_layer.weight": w.reshape(len(w), -1)
        },
        "embedder/per_layer_model_projection/w": lambda: {
            "per_layer_model_projection.weight": w.reshape(len(w), -1).T
        },
        "embedder/per_layer_projection_norm/scale": lambda: {"per_layer_projection_norm.weight": w},
        "final_norm/scale": lambda: {"norm.weight": w},
    }.get(name, dict)()


def _layer_part(name, w, moe):
    norms = {
        "pre_attention_norm": "input_layernorm",
        "post_attention_norm": "post_attention_layernorm",
        "post_ffw_norm": "post_feedforward_layernorm",
        "post_per_layer_input_norm": "post_per_layer_input_norm",
        "attn/query_norm": "self_attn.q_norm",
        "attn/key_norm": "self_attn.k_norm",
        "pre_ffw_norm": "pre_feedforward_layernorm" + ("_2" if moe else ""),
        "pre_ffw2_norm": "pre_feedforward_layernorm",
        "post_ffw1_norm": "post_feedforward_layernorm_2",
        "post_ffw2_norm": "post_feedforward_layernorm_1",
    }
    if name.removesuffix("/scale") in norms:
        return {f"{norms[name.removesuffix('/scale')]}.weight": w}
    return {
        "skip_scale": lambda: {"layer_scalar": w},
        "attn/q_einsum/w": lambda: {"self_attn.q_proj.weight": _rows(w)},
        "attn/k_einsum/w": lambda: {"self_attn.k_proj.weight": _rows(w)},
        "attn/kv_einsum/w": lambda: {
            "self_attn.k_proj.weight": _rows(w[0]),
            "self_attn.v_proj.weight": _rows(w[1]),
        },
        "attn/attn_vec_einsum/w": lambda: {"self_attn.o_proj.weight": w.reshape(-1, w.shape[2]).T},
        "mlp/gating_einsum": lambda: _gates(w),
        "mlp2/gating_einsum": lambda: _gates(w),
        "mlp/linear": lambda: {"mlp.down_proj.weight": w.T},
        "mlp2/linear": lambda: {"mlp.down_proj.weight": w.T},
        "mlp/gating_einsum/w": lambda: {
            "experts.gate_up_proj": w.reshape(MOE.experts, -1, MOE.width)
        },
        "mlp/linear/w": lambda: {"experts.down_proj": w.transpose(0, 2, 1)},
        "mlp/router_logits/w": lambda: {"router.proj.weight": w.T},
        "mlp/router_scale": lambda: {"router.scale": w},
        "mlp/per_expert_scale": lambda: {"router.per_expert_scale": w},
        "per_layer_input_gate/w": lambda: {"per_layer_input_gate.weight": w.T},
        "per_layer_projection/w": lambda: {"per_layer_projection.weight": w.T},
    }[name]()


def _rows(heads):
    return heads.transpose(0, 2, 1).reshape(-1, heads.shape[1])


def _gates(w):
    return {"mlp.gate_proj.weight": w[0], "mlp.up_proj.weight": w[1]}
