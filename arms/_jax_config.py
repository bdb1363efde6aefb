"""What a checkpoint's ``config.json`` says of the model, in the library's words.

The file is Hugging Face's for Gemma 4. A folder without one is taken for a published model, which
is recognised by the width of its embeddings.
"""

from __future__ import annotations

from dataclasses import dataclass

from tonearm.canonical import Json, JsonObject

PUBLISHED = {1536: "E2B", 2560: "E4B", 2816: "26B_A4B", 5376: "31B"}
"""The models that the library knows by name, by the width of their embeddings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """The shape of a Gemma 4 text model."""

    vocabulary: int
    width: int
    hidden: int
    heads: int
    kv_heads: int
    global_kv_heads: int | None
    local_head: int
    global_head: int
    layers: tuple[bool, ...]
    """For each layer, whether it sees the whole context."""
    window: int
    softcap: float | None
    keys_are_values: bool
    """Whether global layers use one projection for both."""
    rotated: float
    """Share of a head that is rotated on global layers."""
    local_rope_base: int
    global_rope_base: int
    per_layer: int
    """Size of a token's embedding for one layer, 0 without."""
    shared_layers: int
    """The last so many layers use the keys and values of earlier ones."""
    wide_sharing_layers: bool
    """Whether those layers have an MLP of twice the size."""
    experts: int
    experts_used: int
    expert_hidden: int


def read(config: JsonObject) -> ModelConfig:
    """Return the shape that a ``config.json`` describes.

    Raises:
        ValueError: A field is missing, or the model is none that this arm can run.
    """
    text = config.get("text_config") or config
    kind = text.get("model_type") or "gemma4_text"
    if not str(kind).startswith("gemma4"):
        raise ValueError(f"it is of type {kind!r}, not gemma4")
    layers = tuple(name == "full_attention" for name in _need(text, "layer_types"))
    ropes = text.get("rope_parameters") or {}
    local, whole = ropes.get("sliding_attention") or {}, ropes.get("full_attention") or {}
    mixture = bool(text.get("enable_moe_block"))
    return ModelConfig(
        vocabulary=_need(text, "vocab_size"),
        width=_need(text, "hidden_size"),
        hidden=_need(text, "intermediate_size"),
        heads=_need(text, "num_attention_heads"),
        kv_heads=_need(text, "num_key_value_heads"),
        global_kv_heads=_global(text, layers, "num_global_key_value_heads", "num_key_value_heads"),
        local_head=_need(text, "head_dim"),
        global_head=_global(text, layers, "global_head_dim", "head_dim") or 512,
        layers=layers,
        window=_need(text, "sliding_window"),
        softcap=text.get("final_logit_softcapping"),
        keys_are_values=bool(text.get("attention_k_eq_v")),
        rotated=whole.get("partial_rotary_factor", 0.25),
        local_rope_base=int(local.get("rope_theta", 10_000)),
        global_rope_base=int(whole.get("rope_theta", 1_000_000)),
        per_layer=text.get("hidden_size_per_layer_input") or 0,
        shared_layers=text.get("num_kv_shared_layers") or 0,
        wide_sharing_layers=bool(text.get("use_double_wide_mlp")),
        experts=_need(text, "num_experts") if mixture else 0,
        experts_used=_need(text, "top_k_experts") if mixture else 0,
        expert_hidden=_need(text, "moe_intermediate_size") if mixture else 0,
    )


def _need(text: JsonObject, name: str) -> Json:
    if text.get(name) is None:
        raise ValueError(f"it does not say {name}")
    return text[name]


def _global(text: JsonObject, layers: tuple[bool, ...], old: str, new: str) -> Json:
    """Return what is said of global layers, once for all of them or layer by layer."""
    if text.get(old) is not None or True not in layers:
        return text.get(old)
    each = text.get("per_layer_config") or {}
    return (each.get(str(layers.index(True))) or {}).get(new)
