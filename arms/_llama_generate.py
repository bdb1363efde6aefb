"""Let llama.cpp continue a prompt with the options of an Ollama request."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

from tonearm.arms import _native
from tonearm.arms._llama_client import LlamaClient
from tonearm.arms._llama_schema import bound
from tonearm.arms._native import Generated
from tonearm.arms._options import DEFAULTS
from tonearm.arms.base import Prompt
from tonearm.arms.engine import End, Passage, Piece
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


async def write_on(server: LlamaClient, passage: Passage) -> AsyncGenerator[Piece]:
    """Continue a passage piece by piece.

    Raises:
        EngineRefused: The engine does not take the passage.
        ArmError: The engine fails.
    """
    fields = _sampling(passage.options, passage.markers)
    fields |= {"n_probs": passage.top, "cache_prompt": True}
    fields["n_keep"] = passage.options.get("num_keep", DEFAULTS["num_keep"])
    if passage.grammar is not None:
        fields["grammar"] = passage.grammar
    if passage.schema is not None:
        fields["json_schema"] = bound(passage.schema, server.arm)
    async with aclosing(server.stream(passage.ids, fields)) as events:
        async for event in events:
            tokens = tuple(_token(e) for e in event.get("completion_probabilities") or [])
            end = _end(event) if event["stop"] else None
            yield Piece(text=str(event["content"]), tokens=tokens, end=end)


def _end(event: JsonObject) -> End:
    times = event["timings"]
    return End(
        limited=event["stop_type"] == "limit",
        prompt_tokens=times["cache_n"] + times["prompt_n"],
        tokens=times["predicted_n"],
        prompt_s=times["prompt_ms"] / 1000,
        decode_s=times["predicted_ms"] / 1000,
    )


def _fields(request: ChatRequest, markers: Sequence[str]) -> JsonObject:
    """Return a completion request with Ollama's options and defaults in llama.cpp's names."""
    fields = _sampling(request.options, markers) | {"n_probs": TOP}
    match request.body.get("format"):
        case "json":
            fields["json_schema"] = {"type": "object"}
        case dict() as schema:
            fields["json_schema"] = schema
    return fields


def _sampling(options: Mapping[str, Json], markers: Sequence[str]) -> JsonObject:
    fields: JsonObject = {name: options.get(name, DEFAULTS[name]) for name in SAMPLING}
    return fields | {
        "n_predict": options.get("num_predict", -1),
        "stop": options.get("stop") or [],
        "preserved_tokens": list(markers),
    }


def _token(entry: JsonObject) -> Token:
    top = [(str(other["token"]), other["logprob"]) for other in entry["top_logprobs"]]
    return Token(text=str(entry["token"]), logprob=entry["logprob"], top=tuple(top))


def _seconds(milliseconds: Json) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
