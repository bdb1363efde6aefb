# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call"
"""Let the library's own sampler continue prompts.

Only the reference's own process imports this module. The sampler cuts an answer off without a word
when its cache is full, so the room is counted before it starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from gemma import gm

from tonearm.arms import _jax_pack
from tonearm.arms._jax_model import Loaded, Refused

LONGEST = 4096
"""Tokens of an answer whose request does not limit it."""

BATCH = 8
"""Greedy answers that are sampled side by side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One answer to sample."""

    prompt: str
    """Without ``<bos>``."""
    ids: tuple[int, ...]
    """The prompt's tokens, ``<bos>`` among them."""
    limit: int
    """Most tokens of the answer."""
    temperature: float
    top_k: int
    top_p: float
    seed: int


@dataclass(frozen=True)
class Filtered(gm.text.SamplingMethod):  # type: ignore[misc]  # the library has no types
    """Sample as Ollama does: of the likeliest tokens those that make up a share of the whole."""

    temperature: float
    top_k: int
    top_p: float

    def get_next_tokens(self, logits: Any, rng: Any) -> Any:
        """Return one token for each row."""
        scaled = logits.astype(jnp.float32) / self.temperature
        count = self.top_k if 0 < self.top_k < logits.shape[-1] else logits.shape[-1]
        values, ids = jax.lax.top_k(scaled, count)
        probabilities = jax.nn.softmax(values, axis=-1)
        before = jnp.cumsum(probabilities, axis=-1) - probabilities
        kept = jnp.where(before < self.top_p, values, -jnp.inf)
        chosen = jax.random.categorical(rng, kept, axis=-1)
        return jnp.take_along_axis(ids, chosen[:, None], axis=-1)[:, 0]


def limit(prompt: int, asked: int | None, context: int) -> int:
    """Return how many tokens an answer may have behind a prompt of so many.

    Raises:
        Refused: They do not fit together.
    """
    room = context - prompt
    most = min(LONGEST, room) if asked is None else asked
    if room < max(most, 1):
        raise Refused(
            "cache_too_short",
            f"a prompt of {prompt} tokens and an answer of up to {max(most, 1)} do not fit into "
            f"{context}; ask for more with context={prompt + max(most, 1)}",
        )
    return most


def sample(loaded: Loaded, wanted: Sequence[Wanted]) -> list[list[int]]:
    """Return the tokens of each answer, the one that ends the turn included if there is one."""
    answers: list[list[int]] = [[] for _ in wanted]
    for cache, out, members in _batches(wanted):
        sampler = _sampler(loaded, wanted[members[0]], cache, out)
        state = sampler.sample(
            [wanted[n].prompt for n in members],
            max_new_tokens=max(wanted[n].limit for n in members),
            rng=wanted[members[0]].seed,
            return_state=True,
            sharding=loaded.sharding,
        ).state
        for n, row in zip(members, np.asarray(state.predicted_tokens), strict=True):
            answers[n] = _whole(row.tolist())[: wanted[n].limit]
    return answers


def _batches(wanted: Sequence[Wanted]) -> Iterator[tuple[int, int, list[int]]]:
    """Yield cache length, answer length and members of each call of the sampler.

    A random answer is sampled alone: beside others it would be another one.
    """
    greedy: dict[tuple[int, int], list[int]] = {}
    for n, one in enumerate(wanted):
        out = _jax_pack.bucket(one.limit)
        cache = _jax_pack.bucket(len(one.ids)) + out
        if one.temperature > 0:
            yield cache, out, [n]
        else:
            greedy.setdefault((cache, out), []).append(n)
    for (cache, out), members in sorted(greedy.items()):
        for start in range(0, len(members), BATCH):
            yield cache, out, members[start : start + BATCH]


def _sampler(loaded: Loaded, one: Wanted, cache: int, out: int) -> Any:
    method: Any = gm.text.Greedy()
    if one.temperature > 0:
        method = Filtered(one.temperature, one.top_k, one.top_p)
    return gm.text.Gemma4Sampler(
        model=loaded.model,
        params=loaded.params,
        tokenizer=loaded.tokenizer,
        sampling=method,
        cache_length=cache,
        max_out_length=out,
        pad_length=tuple(length for length in _jax_pack.LENGTHS if length <= cache),
    )


def _whole(row: list[int]) -> list[int]:
    """Return the tokens before the padding; it is of the one token that no answer holds."""
    return row[: row.index(0)] if 0 in row else row
