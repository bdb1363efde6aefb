"""What goes over the pipe to the reference and back, for one request."""

from __future__ import annotations

from collections.abc import Sequence

from tonearm.arms import _native
from tonearm.arms._native import Generated
from tonearm.arms.base import Draft, Prompt
from tonearm.canonical import Json, JsonObject, fingerprint
from tonearm.model import ChatRequest, Scored, Timing, Token


def drafts_item(prompt: Prompt, drafts: Sequence[Draft]) -> JsonObject:
    """Return the question how likely drafts are behind a prompt."""
    return {
        "prompt": prompt.bare,
        "drafts": [
            {
                "text": draft.completion,
                "tokens": list(draft.tokens) or None,
                "end": _native.end_of(draft.completion) if draft.ended else None,
            }
            for draft in drafts
        ],
    }


def sample_item(prompt: Prompt, request: ChatRequest) -> JsonObject:
    """Return the question what the model writes behind a prompt, with Ollama's defaults."""
    options = request.options
    limit, seed = options.get("num_predict"), options.get("seed")
    if not isinstance(seed, int) or seed < 0:
        seed = int(fingerprint(request.body)[:8], 16)  # random to the user, the same every time
    return {
        "prompt": prompt.bare,
        "limit": limit if isinstance(limit, int) and limit > 0 else None,
        "temperature": float(options.get("temperature", 0.8)),
        "top_k": int(options.get("top_k", 40)),
        "top_p": float(options.get("top_p", 0.9)),
        "seed": seed,
    }


def scored(drafts: Sequence[Draft], replies: Sequence[JsonObject]) -> tuple[Scored, ...]:
    """Return what the reference thinks of each draft."""
    found = []
    for draft, reply in zip(drafts, replies, strict=True):
        tokens = _tokens(reply["tokens"])
        if draft.ended:
            tokens = (*tokens[:-1], _native.as_end(tokens[-1]))
        found.append(Scored(arm=draft.arm, tokens=tokens, recut=reply["recut"]))
    return tuple(found)


def generated(reply: JsonObject, wall_s: float) -> Generated:
    """Return what the sampler wrote."""
    tokens = _tokens(reply["tokens"])
    ended = bool(tokens) and tokens[-1].text in _native.ENDS
    end = tokens[-1].text if ended else ""
    return Generated(
        completion=str(reply["text"]).removesuffix(end),
        tokens=tokens[:-1] if ended else tokens,
        eval_count=len(tokens),
        ended=ended,
        timing=Timing(wall_s=round(wall_s, 6)),
    )


def _tokens(entries: Sequence[Json]) -> tuple[Token, ...]:
    return tuple(
        Token(text=text, logprob=logprob, rank=rank, top=tuple((t, p) for t, p in top))
        for text, logprob, rank, top in entries
    )
