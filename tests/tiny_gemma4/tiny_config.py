"""The sizes of tiny-gemma4, a test model with the architecture of Gemma 4 E2B."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyConfig:
    """What the tensors' shapes do not say, and what says it more plainly than they do."""

    layers: int = 6
    width: int = 128
    heads: int = 4
    local_head: int = 32
    """Size of a head on layers that see a window."""
    global_head: int = 64
    """Size of a head on layers that see everything."""
    hidden: int = 192
    shared_hidden: int = 384
    """Size of the MLP on layers that use the keys and values of an earlier one."""
    per_layer: int = 32
    """Size of a token's embedding for one layer."""
    window: int = 128
    own_kv: int = 4
    """The first so many layers have keys and values of their own."""
    global_every: int = 2
    softcap: float = 30.0
    local_rope_base: float = 1e4
    global_rope_base: float = 1e6
    rotated: float = 0.25
    """Share of a head that is rotated on global layers."""
    norm_epsilon: float = 1e-6
    context: int = 4096

    def is_global(self, layer: int) -> bool:
        """Return whether a layer sees the whole context."""
        return layer % self.global_every == self.global_every - 1


TINY = TinyConfig()
