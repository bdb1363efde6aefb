"""How likely llama.cpp finds a completion: the engine is made to write it, token by token.

A bias makes sure of the token that is written. The log-probs that come back are those of the model,
from before the bias.
"""

from __future__ import annotations

from collections.abc import Sequence

from tonearm.arms import _native
from tonearm.arms._llama_client import LlamaClient
from tonearm.arms.base import Draft
from tonearm.canonical import JsonObject
from tonearm.model import Scored, Token

CERTAIN = 1e9
"""Above every logit."""

ALL = 1 << 20
"""More tokens than a vocabulary has."""


async def score(server: LlamaClient, prompt: Sequence[int], draft: Draft, top: int) -> Scored:
    """Return the log-probs of a completion behind a prompt.

    Raises:
        ArmError: The engine fails, or the text does not fit into its context.
    """
    pieces = await server.tokenize(draft.completion)
    own = await _own(server, draft)
    recut = own is None
    written = own or pieces
    ids = [*prompt, *(token for token, _ in written)]
    tokens = [
        await _token(server, ids[: len(prompt) + n], token, text, top)
        for n, (token, text) in enumerate(written)
    ]
    if draft.ended:
        ((token, text),) = await server.tokenize(_native.end_of(draft.completion))
        tokens.append(_native.as_end(await _token(server, ids, token, text, top)))
    return Scored(arm=draft.arm, tokens=tuple(tokens), recut=recut)


async def _own(server: LlamaClient, draft: Draft) -> list[tuple[int, str]] | None:
    """Return the draft's own tokens, where each of its texts is one token."""
    if not draft.tokens or "".join(draft.tokens) != draft.completion:
        return None
    found: dict[str, list[tuple[int, str]]] = {}
    for text in set(draft.tokens):
        found[text] = await server.tokenize(text)
    if any(len(pieces) != 1 for pieces in found.values()):
        return None
    return [found[text][0] for text in draft.tokens]


async def _token(
    server: LlamaClient, before: Sequence[int], token: int, text: str, top: int
) -> Token:
    reply = await server.complete(before, _fields(token, top))
    if entries := reply.get("completion_probabilities"):
        listed = entries[0]["top_logprobs"]
        logprob = entries[0]["logprob"]
    else:
        # A part of a character is not printed, and what is not printed brings no log-prob.
        ((printed, _),) = await server.tokenize("a")
        reply = await server.complete(before, _fields(printed, ALL))
        listed = reply["completion_probabilities"][0]["top_logprobs"]
        logprob = next(e["logprob"] for e in listed if e["id"] == token)
    ranks = [entry["id"] for entry in listed]
    return Token(
        text=text,
        logprob=logprob,
        rank=ranks.index(token) if token in ranks else len(ranks),
        top=tuple((_name(entry), entry["logprob"]) for entry in listed[:top]),
    )


def _fields(token: int, top: int) -> JsonObject:
    return {"n_predict": 1, "n_probs": top, "temperature": 0, "logit_bias": [[token, CERTAIN]]}


def _name(entry: JsonObject) -> str:
    """Return a token's text; those that end the turn have none in an answer."""
    return str(entry["token"]) or _native.END_IDS.get(entry["id"], "")
