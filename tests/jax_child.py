"""The reference's process with a few more questions, which only tests have.

python -m tests.jax_child
"""

from __future__ import annotations

import dataclasses
import math

import jax
import jax.numpy as jnp
from gemma import gm
from gemma.gm.nn.gemma4 import _moe
from gemma.gm.nn.gemma4._modules import Block

from tonearm.arms import _jax_child, _jax_config, _jax_model
from tonearm.canonical import JsonObject

PUBLISHED = (Block._forward_moe, _moe.MoERagged.__call__)


def repaired_block(self, x):
    """Feed the router what the block was given, as llama.cpp and newer versions do."""
    dense = self.post_ffw2_norm(self.mlp2(self.pre_ffw2_norm(x)))
    self.mlp.__dict__["block_input"] = x
    experts = self.post_ffw1_norm(self.mlp(self.pre_ffw_norm(x)))
    return self.post_ffw_norm(dense + experts)


def repaired_experts(self, x):
    router_input = self.router_norm(self.__dict__["block_input"]) * self.features**-0.5
    logits = self.router_logits("gsd,de->gse", router_input * self.router_scale)
    weights, choices = self._router(logits)
    return self._run_ffw_and_routing(x, choices, weights)


MEDIA = {"vision_encoder", "audio_encoder", "use_bidirectional_attention"}
"""Parts of a shape that only matter to who sees or hears."""


def hugging_face_config(config):
    """Return a model's shape in the words of Hugging Face's ``config.json``."""
    sharing = config.kv_cache_sharing_config
    return {
        "model_type": "gemma4_text",
        "vocab_size": config.num_embed,
        "hidden_size": config.embed_dim,
        "intermediate_size": config.hidden_dim,
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_kv_heads,
        "num_global_key_value_heads": config.num_global_kv_heads,
        "head_dim": config.head_dim,
        "global_head_dim": config.global_key_size,
        "layer_types": [
            "full_attention" if kind.name == "GLOBAL" else "sliding_attention"
            for kind in config.attention_types
        ],
        "sliding_window": config.sliding_window_size,
        "final_logit_softcapping": config.final_logit_softcap,
        "attention_k_eq_v": config.k_eq_v_global,
        "hidden_size_per_layer_input": config.per_layer_input_dim,
        "num_kv_shared_layers": round(sharing.frac_shared_layers * config.num_layers)
        if sharing
        else 0,
        "use_double_wide_mlp": config.override_kv_shared_ffw_hidden is not None,
        "enable_moe_block": config.enable_moe,
        "num_experts": config.num_experts,
        "top_k_experts": config.top_k_experts,
        "moe_intermediate_size": config.expert_dim,
    }


class TestChild(_jax_child.Child):
    """A child whose library can be repaired, and which can write checkpoints."""

    def __init__(self) -> None:
        super().__init__()
        self.questions |= {
            "router": self._router,
            "save_orbax": self._save,
            "published": self._published,
        }

    def _router(self, asked: JsonObject) -> JsonObject:
        repaired = (repaired_block, repaired_experts)
        block, experts = repaired if asked["repaired"] else PUBLISHED
        Block._forward_moe, _moe.MoERagged.__call__ = block, experts
        jax.clear_caches()
        _jax_model.router_is_sound.cache_clear()
        return {}

    def _published(self, asked: JsonObject) -> JsonObject:
        """Write a published model's shape as Hugging Face does, read that, and compare."""
        theirs = getattr(gm.nn, f"Gemma4_{asked['name']}").config
        read = _jax_config.read({"text_config": hugging_face_config(theirs)})
        ours = _jax_model.build(read, theirs.embed_dim, jnp.bfloat16).config
        by_width = _jax_model.build(None, theirs.embed_dim, jnp.bfloat16)
        return {
            "differences": [
                field.name
                for field in dataclasses.fields(theirs)
                if field.name not in MEDIA
                and getattr(ours, field.name) != getattr(theirs, field.name)
            ],
            "parameters": sum(math.prod(s) for s in _jax_model.shapes(by_width).values()),
        }

    def _save(self, asked: JsonObject) -> JsonObject:
        gm.ckpts.save_params(self._loaded.params, asked["folder"], wait_until_finished=True)
        return {}


if __name__ == "__main__":
    _jax_child.Child = TestChild
    _jax_child.main()
