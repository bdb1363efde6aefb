"""The reference's process with two more questions, which only tests have.

python -m tests.jax_child
"""

from __future__ import annotations

import jax
from gemma import gm
from gemma.gm.nn.gemma4 import _moe
from gemma.gm.nn.gemma4._modules import Block

from tonearm.arms import _jax_child, _jax_model
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


class TestChild(_jax_child.Child):
    """A child whose library can be repaired, and which can write checkpoints."""

    def __init__(self) -> None:
        super().__init__()
        self.questions |= {"router": self._router, "save_orbax": self._save}

    def _router(self, asked: JsonObject) -> JsonObject:
        repaired = (repaired_block, repaired_experts)
        block, experts = repaired if asked["repaired"] else PUBLISHED
        Block._forward_moe, _moe.MoERagged.__call__ = block, experts
        jax.clear_caches()
        _jax_model.router_is_sound.cache_clear()
        return {}

    def _save(self, asked: JsonObject) -> JsonObject:
        gm.ckpts.save_params(self._loaded.params, asked["folder"], wait_until_finished=True)
        return {}


if __name__ == "__main__":
    _jax_child.Child = TestChild
    _jax_child.main()
