"""Measure scoring and decoding against what the device can do at most.

    uv run --extra jax --with "jax[cuda13]" python -m bench.jax_gpu            E2B's shape, bf16
    uv run --extra jax python -m bench.jax_gpu --shape tiny --tokens 256       a try on any machine

Weights are random: only their shape and type matter for speed. Scoring is bound by the arithmetic,
so it is told as a share of the device's FLOP/s; decoding one answer reads every weight for every
token, so it is told as a share of the memory's bytes/s. The limits are the data sheet's where the
device is known, ``--tflops`` and ``--gbps`` where they are given, and otherwise what a product of
two matrices and a copy reach here. The tiny shape only shows that the command runs: it fits into a
processor's cache, which is faster than the memory.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from gemma import gm
from rich.console import Console
from rich.table import Table

from bench.jax_scoring import seconds as fastest
from tests.tiny_gemma4 import checkpoint
from tonearm.arms import _jax_config, _jax_model, _jax_pack, _jax_weights
from tonearm.arms._jax_model import Loaded
from tonearm.arms._jax_score import Scorer

LIMITS = {
    "H200": (989.0, 4800.0),
    "H100": (989.0, 3350.0),
    "A100": (312.0, 2039.0),
    "L40S": (362.0, 864.0),
    "L4": (121.0, 300.0),
}
"""Dense bf16 TFLOP/s and GB/s of memory, from the makers' data sheets, by a part of the name."""

BLOCK = (1 << 20) + 7
"""Random numbers that all weights are made of, over and over."""

SIDE = 2048
"""Of the matrices that are multiplied where the device is not known."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the device can do at most."""

    flops_per_s: float
    bytes_per_s: float
    source: str


class Silent(gm.text.Gemma4Tokenizer):  # type: ignore[misc]  # the library has no types
    """The tiny model's tokenizer, which does not know most ids of a large vocabulary."""

    def decode(self, ids: Any) -> str:
        """Return nothing, whatever was sampled."""
        return ""


def random_model(shape: str) -> Loaded:
    """Return a model with random weights in bf16."""
    dtype = jnp.bfloat16
    if shape == "tiny":
        config = _jax_config.read({"text_config": checkpoint.text_config("model")})
        model = _jax_model.build(config, config.width, dtype)
    else:
        model = getattr(gm.nn, f"Gemma4_{shape.upper()}")(dtype=dtype)
    block = (0.02 * np.random.default_rng(0).standard_normal(BLOCK)).astype(dtype)
    leaves = {
        name: jnp.asarray(np.resize(block, shape))
        for name, shape in _jax_model.shapes(model).items()
    }
    return Loaded(
        model=model,
        params=_jax_weights.nest(leaves),
        tokenizer=Silent(path=str(checkpoint.HERE / "tokenizer.model")),
        sharding=None,
        experts=bool(model.config.enable_moe),
    )


def multiplied(loaded: Loaded) -> int:
    """Return how many weights each token is multiplied with; tables are only looked up."""
    tables = ("embedder/input_embedding", "embedder/per_layer_embeddings")
    shapes = _jax_weights.flat(loaded.params)
    return sum(int(np.prod(shape)) for name, shape in shapes.items() if name not in tables)


def logits_weights(loaded: Loaded) -> int:
    """Return how many weights make the logits of one token: the table of tokens, once more."""
    return int(np.prod(loaded.params["embedder"]["input_embedding"].shape))


def scoring(loaded: Loaded, tokens: int, batch: int) -> tuple[float, float]:
    """Return scored tokens/s and the FLOP that each takes, attention included."""
    scorer = Scorer(loaded)
    ids = np.random.default_rng(0).integers(300, 1600, (batch, tokens + 1)).tolist()
    taken = _seconds(lambda: scorer.score([(row[:1], row[1:]) for row in ids], 5))
    config = loaded.model.config
    # Two products of queries and keys, weights and values; half of them lie in the future.
    attention = 2 * config.num_heads * config.head_dim * tokens * len(config.attention_types)
    flop = 2 * (multiplied(loaded) + logits_weights(loaded)) + attention
    return batch * tokens / taken, float(flop)


def decoding(loaded: Loaded, tokens: int) -> tuple[float, float]:
    """Return sampled tokens/s of one answer and the bytes that each reads, the cache left aside."""
    room = _jax_pack.bucket(tokens)
    sampler = gm.text.Gemma4Sampler(
        model=loaded.model,
        params=loaded.params,
        tokenizer=loaded.tokenizer,
        cache_length=2 * room,
        max_out_length=room,
        pad_length=(room,),
    )

    def sample(most: int) -> int:
        output = sampler.sample("Add 19 and 37.", max_new_tokens=most, return_state=True)
        return int(np.count_nonzero(np.asarray(output.state.predicted_tokens)[0][:most]))

    written = sample(tokens)
    whole, one = _seconds(lambda: sample(tokens)), _seconds(lambda: sample(1))
    read = 2 * (multiplied(loaded) + logits_weights(loaded))
    return (written - 1) / max(whole - one, 1e-9), float(read)


def _seconds(work: Callable[[], object]) -> float:
    """Return the time of the fastest round; what work returns is on the host, so it is done."""
    return fastest(work, time.perf_counter)


def limits(tflops: float | None, gbps: float | None) -> Limits:
    """Return what the device can do: as given, as known, or as measured."""
    kind = jax.devices()[0].device_kind
    known = next((value for name, value in LIMITS.items() if name in kind), None)
    if tflops and gbps:
        return Limits(1e12 * tflops, 1e9 * gbps, "as given")
    if known:
        return Limits(1e12 * known[0], 1e9 * known[1], f"data sheet of {kind}")
    return Limits(_measured_flops(), _measured_bytes(), f"measured on {kind}")


def _measured_flops() -> float:
    a = jnp.ones((SIDE, SIDE), jnp.bfloat16)
    product = jax.jit(lambda x: x @ x)
    return 2 * SIDE**3 / _seconds(lambda: product(a).block_until_ready())


def _measured_bytes() -> float:
    a = jnp.ones(1 << 25, jnp.float32)
    copy = jax.jit(lambda x: x + 1)
    return 2 * a.nbytes / _seconds(lambda: copy(a).block_until_ready())


def main(argv: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="jax_gpu", description=__doc__)
    parser.add_argument("--shape", choices=("E2B", "E4B", "31B", "tiny"), default="E2B")
    parser.add_argument("--tokens", type=int, default=1024, help="of a row and of an answer")
    parser.add_argument("--batch", type=int, default=8, help="rows that are scored together")
    parser.add_argument("--tflops", type=float, help="the device's, dense bf16")
    parser.add_argument("--gbps", type=float, help="the memory's, GB/s")
    args = parser.parse_args(argv)
    top = limits(args.tflops, args.gbps)
    start = time.perf_counter()
    loaded = random_model(args.shape)
    jax.block_until_ready(loaded.params)
    console = Console(width=100)
    console.print(
        f"{args.shape}: {loaded.parameters / 1e9:.3g} B random weights in bf16, "
        f"{time.perf_counter() - start:.0f} s; limits: {top.source}, "
        f"{top.flops_per_s / 1e12:.3g} TFLOP/s, {top.bytes_per_s / 1e9:.3g} GB/s"
    )
    table = Table("work", "tokens/s", "per token", "share of the limit")
    rate, flop = scoring(loaded, args.tokens, args.batch)
    share = rate * flop / top.flops_per_s
    table.add_row("scoring", f"{rate:.0f}", f"{flop / 1e9:.3g} GFLOP", f"{share:.1%}")
    rate, read = decoding(loaded, args.tokens)
    share = rate * read / top.bytes_per_s
    table.add_row("decoding", f"{rate:.1f}", f"{read / 1e9:.3g} GB", f"{share:.1%}")
    console.print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
