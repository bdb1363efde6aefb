"""Let llama.cpp continue a prompt with the options of an Ollama request."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tonearm.arms import _native
from tonearm.arms._llama_client import LlamaClient
from tonearm.arms._native import Generated, Prompt
from tonearm.arms._options import DEFAULTS
from tonearm.canonical import Json, JsonObject
from tonearm.model import ChatRequest, Timing, Token

TOP = 5
"""How many of the likeliest tokens a take shows at each place."""

SAMPLING = tuple(name for name in DEFAULTS if name not in {"num_keep", "num_predict"})
"""Options that have the same name here."""


async def generate(
    server: LlamaClient, prompt: Prompt, ids: Sequence[int], request: ChatRequest
) -> Generated:
    """Return what the engine writes behind a prompt.

    Raises:
        ArmError: The engine fails, or the prompt does not fit into its context.
    """
    started = time.monotonic()
    reply = await server.complete(ids, _fields(request, prompt.format.markers))
    times = reply.get("timings") or {}
    tokens = [_token(e) for e in reply.get("completion_probabilities") or []]
    completion = str(reply["content"])
    ended = reply["stop_type"] != "limit"
    if ended and tokens and (tokens[-1].text in _native.ENDS or not tokens[-1].text):
        # Engines print the token that ends the turn or not, depending on its type in the file.
        completion = completion.removesuffix(tokens.pop().text)
    return Generated(
        completion=completion,
        tokens=tuple(tokens),
        eval_count=reply["tokens_predicted"],
        ended=ended,
        timing=Timing(
            wall_s=round(time.monotonic() - started, 6),
            prompt_s=_seconds(times.get("prompt_ms")),
            decode_s=_seconds(times.get("predicted_ms")),
        ),
    )


def _fields(request: ChatRequest, markers: Sequence[str]) -> JsonObject:
    """Return a completion request with Ollama's options and defaults in llama.cpp's names."""
    options = request.options
    fields: JsonObject = {name: options.get(name, DEFAULTS[name]) for name in SAMPLING}
    fields |= {
        "n_predict": options.get("num_predict", -1),
        "stop": options.get("stop") or [],
        "n_probs": TOP,
        "preserved_tokens": list(markers),
    }
    match request.body.get("format"):
        case "json":
            fields["json_schema"] = {"type": "object"}
        case dict() as schema:
            fields["json_schema"] = schema
    return fields


def _token(entry: JsonObject) -> Token:
    top = [(str(other["token"]), other["logprob"]) for other in entry["top_logprobs"]]
    return Token(text=str(entry["token"]), logprob=entry["logprob"], top=tuple(top))


def _seconds(milliseconds: Json) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
