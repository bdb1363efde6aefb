"""The tiny model's other shape: a mixture of experts, with the architecture of Gemma 4 26B-A4B.

Every layer has a dense branch beside the experts; global layers use one projection for keys and
values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import gguf
import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float32]
type Layout = Callable[[Array], Array]

SIGN = "layer_0/mlp2/linear"
"""A weight that only this shape has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MoeConfig:
    """What the tensors' shapes do not say, and what says it more plainly than they do."""

    layers: int = 4
    width: int = 64
    heads: int = 4
    local_head: int = 32
    global_head: int = 64
    local_kv_heads: int = 2
    global_kv_heads: int = 1
    hidden: int = 128
    """Size of the dense branch."""
    experts: int = 8
    experts_used: int = 2
    expert_hidden: int = 32
    window: int = 128
    global_every: int = 2
    softcap: float = 30.0
    local_rope_base: float = 1e4
    global_rope_base: float = 1e6
    rotated: float = 0.25
    norm_epsilon: float = 1e-6
    context: int = 4096

    def is_global(self, layer: int) -> bool:
        """Return whether a layer sees the whole context."""
        return layer % self.global_every == self.global_every - 1


MOE = MoeConfig()


def _same(w: Array) -> Array:
    return w


def _transposed(w: Array) -> Array:
    return w.T


def _head_rows(w: Array) -> Array:
    return w.transpose(0, 2, 1).reshape(-1, MOE.width)


def _head_columns(w: Array) -> Array:
    return w.reshape(-1, MOE.width).T


def _expert_gates(w: Array) -> Array:
    return w.reshape(MOE.experts, -1, MOE.width)


def _expert_rows(w: Array) -> Array:
    return w.transpose(0, 2, 1)


LAYER_TENSORS: tuple[tuple[str, str, Layout], ...] = (
    ("attn_norm.weight", "pre_attention_norm/scale", _same),
    ("attn_q.weight", "attn/q_einsum/w", _head_rows),
    ("attn_q_norm.weight", "attn/query_norm/scale", _same),
    ("attn_k_norm.weight", "attn/key_norm/scale", _same),
    ("attn_output.weight", "attn/attn_vec_einsum/w", _head_columns),
    ("post_attention_norm.weight", "post_attention_norm/scale", _same),
    # The dense branch has the names of a model without experts.
    ("ffn_norm.weight", "pre_ffw2_norm/scale", _same),
    ("ffn_gate.weight", "mlp2/gating_einsum", lambda w: w[0]),
    ("ffn_up.weight", "mlp2/gating_einsum", lambda w: w[1]),
    ("ffn_down.weight", "mlp2/linear", _transposed),
    ("post_ffw_norm_1.weight", "post_ffw2_norm/scale", _same),
    ("pre_ffw_norm_2.weight", "pre_ffw_norm/scale", _same),
    ("post_ffw_norm_2.weight", "post_ffw1_norm/scale", _same),
    ("post_ffw_norm.weight", "post_ffw_norm/scale", _same),
    ("ffn_gate_inp.weight", "mlp/router_logits/w", _transposed),
    ("ffn_gate_inp.scale", "mlp/router_scale", _same),
    ("ffn_gate_up_exps.weight", "mlp/gating_einsum/w", _expert_gates),
    ("ffn_down_exps.weight", "mlp/linear/w", _expert_rows),
    ("ffn_down_exps.scale", "mlp/per_expert_scale", _same),
    ("layer_output_scale.weight", "skip_scale", _same),
)


def rope_factors() -> Array:
    """Return the divisors of the rotation frequencies; a huge one means "not rotated"."""
    half = MOE.global_head // 2
    rotated = int(MOE.rotated * half)
    return np.array([1.0] * rotated + [1e30] * (half - rotated), np.float32)


def tensors(weights: dict[str, Array]) -> Iterator[tuple[str, Array]]:
    """Yield the file's tensors, in its order."""
    yield "token_embd.weight", weights["embedder/input_embedding"]
    yield "output_norm.weight", weights["final_norm/scale"]
    yield "rope_freqs.weight", rope_factors()
    for layer in range(MOE.layers):
        for name, source, layout in LAYER_TENSORS:
            yield f"blk.{layer}.{name}", layout(weights[f"layer_{layer}/{source}"])
        yield from _keys_and_values(layer, weights)


def _keys_and_values(layer: int, weights: dict[str, Array]) -> Iterator[tuple[str, Array]]:
    if MOE.is_global(layer):
        both = weights[f"layer_{layer}/attn/k_einsum/w"]
        yield f"blk.{layer}.attn_k.weight", _head_rows(both)
    else:
        keys, values = weights[f"layer_{layer}/attn/kv_einsum/w"]
        yield f"blk.{layer}.attn_k.weight", _head_rows(keys)
        yield f"blk.{layer}.attn_v.weight", _head_rows(values)


def add_sizes(writer: gguf.GGUFWriter) -> None:
    """Write the architecture's numbers."""
    layers = range(MOE.layers)
    writer.add_context_length(MOE.context)
    writer.add_embedding_length(MOE.width)
    writer.add_block_count(MOE.layers)
    writer.add_head_count(MOE.heads)
    writer.add_layer_norm_rms_eps(MOE.norm_epsilon)
    writer.add_key_length(MOE.global_head)
    writer.add_value_length(MOE.global_head)
    writer.add_key_length_swa(MOE.local_head)
    writer.add_value_length_swa(MOE.local_head)
    writer.add_sliding_window(MOE.window)
    writer.add_sliding_window_pattern([not MOE.is_global(layer) for layer in layers])
    writer.add_rope_freq_base(MOE.global_rope_base)
    writer.add_rope_freq_base_swa(MOE.local_rope_base)
    writer.add_rope_dimension_count(MOE.global_head)
    writer.add_rope_dimension_count_swa(MOE.local_head)
    writer.add_final_logit_softcapping(MOE.softcap)
    writer.add_feed_forward_length(MOE.hidden)
    writer.add_head_count_kv(
        [MOE.global_kv_heads if MOE.is_global(layer) else MOE.local_kv_heads for layer in layers]
    )
    writer.add_shared_kv_layers(0)
    writer.add_embedding_length_per_layer_input(0)
    writer.add_expert_count(MOE.experts)
    writer.add_expert_used_count(MOE.experts_used)
    writer.add_expert_feed_forward_length(MOE.expert_hidden)
