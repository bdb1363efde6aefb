# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call"
"""How likely the model finds given tokens: one pass over a conversation, however many turns it has.

Only the reference's own process imports this module. Two programs are compiled for each shape: one
from tokens to hidden states, and one that takes a slice of the hidden states to log-probs, so that
the log-probs of a whole vocabulary never exist for more than a slice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tonearm.arms import _jax_pack
from tonearm.arms._jax_model import Loaded
from tonearm.arms._jax_pack import Row

SLICE_BYTES = 1 << 28
"""Size of one slice's log-probs."""

COMPILED = "/jax/core/compile/backend_compile_duration"
"""What JAX calls the event of a compilation."""


@dataclass(frozen=True, slots=True)
class Place:
    """What the model thinks of one token, and what it would have written instead."""

    logprob: float
    rank: int
    top: list[tuple[int, float]]


class Scorer:
    """Score token sequences with one model."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._slice = max(16, min(512, SLICE_BYTES // (4 * loaded.vocabulary)))
        self._hidden = jax.jit(self._hidden_states)
        self._places = jax.jit(self._log_probs, static_argnames="top")

    def score(
        self, sequences: Sequence[tuple[Sequence[int], Sequence[int]]], top: int
    ) -> list[list[Place]]:
        """Return the places of each continuation.

        Args:
            sequences: What stands before, and the tokens to score behind it.
            top: How many of the likeliest tokens to name at each place.
        """
        whole = [[*before, *after] for before, after in sequences]
        found: dict[tuple[int, int], Place] = {}
        for length, size, rows in _jax_pack.batches(_jax_pack.rows(whole)):
            wanted = [
                (n, member, place)
                for n, row in enumerate(rows)
                for member in row.members
                for place in range(len(sequences[member][0]), len(whole[member]))
            ]
            hidden = self._hidden(self._loaded.params, _tokens(rows, size, length))
            for part in batched(wanted, self._slice):
                places = self._slice_of(hidden, [(n, p, whole[m][p]) for n, m, p in part], top)
                keys = ((member, place) for _, member, place in part)
                found |= zip(keys, places, strict=True)
        return [
            [found[n, p] for p in range(len(before), len(whole[n]))]
            for n, (before, _) in enumerate(sequences)
        ]

    def _slice_of(self, hidden: Any, wanted: list[tuple[int, int, int]], top: int) -> list[Place]:
        """Score tokens, each the row, the place and the id; what precedes it says how likely."""
        padded = np.zeros((3, self._slice), np.int32)
        padded[:, : len(wanted)] = np.array(wanted, np.int32).T
        rows, places, ids = padded
        scored = self._places(
            self._loaded.params, hidden, rows, np.maximum(places - 1, 0), ids, top=top
        )
        logprobs, ranks, best, best_logprobs = (np.asarray(a)[: len(wanted)] for a in scored)
        return [
            Place(float(p), int(r), list(zip(b.tolist(), q.tolist(), strict=True)))
            for p, r, b, q in zip(logprobs, ranks, best, best_logprobs, strict=True)
        ]

    def _hidden_states(self, params: Any, tokens: Any) -> Any:
        model = self._loaded.model
        # The library would go on to the logits of every place; the compiler leaves them out.
        return model.apply({"params": params}, tokens, return_hidden_states=True).hidden_states

    def _log_probs(
        self, params: Any, hidden: Any, rows: Any, places: Any, ids: Any, *, top: int
    ) -> Any:
        model = self._loaded.model
        logits = model.apply({"params": params}, hidden[rows, places], method=_decode)
        cap = model.config.final_logit_softcap
        if cap is not None:
            # As the library does it, in the model's own precision.
            logits = jnp.tanh(logits / cap) * cap
        logprobs = jax.nn.log_softmax(logits.astype(jnp.float32), axis=-1)
        mine = jnp.take_along_axis(logprobs, ids[:, None], axis=-1)
        best_logprobs, best = jax.lax.top_k(logprobs, top)
        return mine[:, 0], jnp.sum(logprobs > mine, axis=-1), best, best_logprobs


def _decode(model: Any, hidden: Any) -> Any:
    return model.embedder.decode(hidden)


def _tokens(rows: list[Row], size: int, length: int) -> Any:
    tokens = np.zeros((size, length), np.int32)
    for n, row in enumerate(rows):
        tokens[n, : len(row.ids)] = row.ids
    return tokens


class Compilations:
    """Count the programs that JAX compiles in this process."""

    def __init__(self) -> None:
        self.count = 0
        jax.monitoring.register_event_duration_secs_listener(self._hear)

    def _hear(self, event: str, duration_secs: float, **_: str | int) -> None:
        if event == COMPILED:
            self.count += 1
