# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call"
"""Build the library's model for a checkpoint, and make sure that the library computes it right.

Only the reference's own process imports this module. Nothing here lets the library fetch anything:
it is given paths that exist.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from gemma import gm
from kauldron import kd

from tonearm.arms import _jax_config, _jax_weights
from tonearm.arms._jax_config import PUBLISHED, ModelConfig
from tonearm.arms._jax_probe import Layout
from tonearm.canonical import JsonObject

DTYPES = {"bf16": jnp.bfloat16, "f32": jnp.float32}

MEDIA = ("vision_encoder/", "audio_encoder/", "embedder/mm_", "embedder/audio_")
"""Beginnings of the names of what reads images and sounds."""


class Refused(Exception):
    """The reference will not answer, for a reason that has a name."""

    def __init__(self, kind: str, problem: str) -> None:
        super().__init__(problem)
        self.kind = kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A model with its weights and its tokenizer."""

    model: Any
    params: Any
    tokenizer: Any
    sharding: Any
    """Of the tokens, where the weights lie on several devices."""
    experts: bool

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return int(self.model.config.num_embed)

    @property
    def parameters(self) -> int:
        """How many numbers the model has."""
        return sum(leaf.size for leaf in jax.tree.leaves(self.params))


def load(wanted: JsonObject) -> Loaded:
    """Load what the parent process found.

    Args:
        wanted: ``checkpoint``, ``layout``, ``config``, ``tokenizer``, ``dtype``, ``sharding``.

    Raises:
        Refused: The checkpoint is not what the model needs.
    """
    dtype = DTYPES[wanted["dtype"]]
    if wanted["dtype"] == "f32":
        # Accelerators would otherwise multiply f32 matrices with fewer bits.
        jax.config.update("jax_default_matmul_precision", "highest")
    sharding = None
    if wanted["sharding"] == "fsdp":
        sharding = kd.sharding.FSDPSharding(min_size_to_shard_mb=1)
    try:
        model, params = _model(wanted, dtype, sharding)
    except (ValueError, KeyError) as err:
        raise Refused("bad_checkpoint", f"{wanted['checkpoint']}: {err}") from err
    tokenizer = gm.text.Gemma4Tokenizer(path=wanted["tokenizer"])
    if tokenizer.vocab_size != model.config.num_embed:
        raise Refused(
            "bad_checkpoint",
            f"{wanted['tokenizer']} has {tokenizer.vocab_size} tokens, "
            f"the model {model.config.num_embed}",
        )
    return Loaded(
        model=model,
        params=params,
        tokenizer=tokenizer,
        sharding=kd.sharding.REPLICATED if sharding else None,
        experts=bool(model.config.enable_moe),
    )


def _model(wanted: JsonObject, dtype: Any, sharding: Any) -> tuple[Any, Any]:
    folder, layout = Path(wanted["checkpoint"]), Layout(wanted["layout"])
    config = None
    if wanted["config"]:
        text = Path(wanted["config"]).read_text(encoding="utf-8")
        config = _jax_config.read(json.loads(text))
    if layout is Layout.ORBAX:
        params = _jax_weights.orbax(folder, sharding)
        width = params["embedder"]["input_embedding"].shape[1]
        model = build(config, width, dtype)
        _check(_jax_weights.flat(params), shapes(model))
        return model, jax.tree.map(lambda leaf: leaf.astype(dtype), params)
    if config is None:
        raise ValueError("there is no config.json, which says what the tensors mean")
    model = build(config, config.width, dtype)
    reader = _jax_weights.flax if layout is Layout.FLAX else _jax_weights.hugging_face
    params = reader(folder, shapes(model), dtype)
    return model, jax.device_put(params, sharding(params)) if sharding else params


def build(config: ModelConfig | None, width: int, dtype: Any) -> Any:
    """Return the library's model of a shape, or the published one that is as wide.

    Raises:
        ValueError: No published model is.
    """
    if config is None:
        if width not in PUBLISHED:
            raise ValueError(f"there is no config.json, and no published model is {width} wide")
        return getattr(gm.nn, f"Gemma4_{PUBLISHED[width]}")(dtype=dtype)
    kind = gm.nn.Gemma4_26B_A4B if config.experts else gm.nn.Gemma4_E2B
    return kind(config=_library_config(config, kind.config), dtype=dtype)


def _library_config(config: ModelConfig, base: Any) -> Any:
    """Return a model's shape as the library writes it; its class is not public, its values are."""
    kind = type(base.attention_types[0])
    layers = len(config.layers)
    sharing = None
    if config.shared_layers:
        shared = gm.nn.Gemma4_E2B.config.kv_cache_sharing_config
        share = config.shared_layers / layers
        sharing = dataclasses.replace(shared, frac_shared_layers=share)
    return dataclasses.replace(
        base,
        num_embed=config.vocabulary,
        embed_dim=config.width,
        hidden_dim=config.hidden,
        num_heads=config.heads,
        num_kv_heads=config.kv_heads,
        num_global_kv_heads=config.global_kv_heads,
        head_dim=config.local_head,
        global_key_size=config.global_head,
        attention_types=tuple(
            kind.GLOBAL if whole else kind.LOCAL_SLIDING for whole in config.layers
        ),
        sliding_window_size=config.window,
        final_logit_softcap=config.softcap,
        k_eq_v_global=config.keys_are_values,
        global_rope_proportion=config.rotated,
        local_base_frequency=config.local_rope_base,
        global_base_frequency=config.global_rope_base,
        per_layer_input_dim=config.per_layer,
        kv_cache_sharing_config=sharing,
        override_kv_shared_ffw_hidden=2 * config.hidden if config.wide_sharing_layers else None,
        enable_moe=config.experts > 0,
        num_experts=config.experts,
        top_k_experts=config.experts_used or base.top_k_experts,
        expert_dim=config.expert_hidden,
        moe_dense_hidden_dim=config.hidden if config.experts else 0,
        vision_encoder=None,
        audio_encoder=None,
    )


def shapes(model: Any) -> dict[str, tuple[int, ...]]:
    """Return the shapes of a model's parameters, by their names joined with ``/``."""
    tokens = jax.ShapeDtypeStruct((1, 8), jnp.int32)
    made = jax.eval_shape(model.init, jax.random.key(0), tokens)
    return _jax_weights.flat(made["params"])


def _check(there: dict[str, tuple[int, ...]], needed: dict[str, tuple[int, ...]]) -> None:
    for name, shape in needed.items():
        if there.get(name) != shape:
            raise ValueError(f"{name} has the shape {there.get(name)}, the model needs {shape}")
    text = {name for name in there if not name.startswith(MEDIA)}
    _jax_weights.refuse_unused(text - set(needed))


@cache
def router_is_sound() -> bool:
    """Return whether the library's mixture of experts chooses experts as the model was trained.

    The router has to read what the experts read before its normalisation: gemma 4.0.1 gives it the
    normalised input. A scale of that norm which the experts' own weights take back must therefore
    change nothing. This asks for the behaviour, not for a version.
    """
    base = gm.nn.Gemma4_26B_A4B.config
    config = ModelConfig(
        vocabulary=32,
        width=16,
        hidden=16,
        heads=1,
        kv_heads=1,
        global_kv_heads=1,
        local_head=16,
        global_head=16,
        layers=(True,),
        window=16,
        softcap=None,
        keys_are_values=True,
        rotated=0.25,
        local_rope_base=10_000,
        global_rope_base=1_000_000,
        per_layer=0,
        shared_layers=0,
        wide_sharing_layers=False,
        experts=4,
        experts_used=1,
        expert_hidden=16,
    )
    model = gm.nn.Gemma4_26B_A4B(config=_library_config(config, base), dtype=jnp.float32)
    tokens = np.arange(1, 17)[None]
    numbers = np.random.default_rng(0)
    random = {
        name: numbers.standard_normal(shape, np.float32) for name, shape in shapes(model).items()
    }
    scale = np.exp(numbers.standard_normal(config.width, np.float32))
    norm, gates = "layer_0/pre_ffw_norm/scale", "layer_0/mlp/gating_einsum/w"
    other = random | {norm: random[norm] * scale, gates: random[gates] / scale}
    one, two = (
        model.apply({"params": _jax_weights.nest(tensors)}, tokens).logits
        for tensors in (random, other)
    )
    return bool(np.allclose(one, two, rtol=1e-3, atol=1e-3))
