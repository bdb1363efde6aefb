"""A long run of an agent as it crosses the wire: real text, token by token, all sent again."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path

from tonearm.canonical import JsonObject
from tonearm.model import Chunk, Exchange, HttpRequest, HttpResponse

MODEL = "gemma4:26b"
_FILES = sorted(Path(json.__file__).parent.parent.glob("*.py"))
_CODE = "\n".join(file.read_text(encoding="utf-8", errors="replace") for file in _FILES)
_PROSE = " ".join(line.strip(" #") for line in _CODE.splitlines() if line.lstrip()[:1] == "#")
_TOKEN_S = 0.02


def exchanges(turns: int, *, tokens: int, seed: int = 1) -> Iterator[Exchange]:
    """Yield the exchanges of an agent that thinks, reads a file, and sends all again each time.

    What it thinks are comments of Python's standard library, what it reads is the code.

    Args:
        turns: How many.
        tokens: How many pieces an answer comes in, on average.
        seed: Other seeds give other texts.
    """
    rng = random.Random(seed)
    messages: list[JsonObject] = [{"role": "user", "content": _cut(rng, _PROSE, 2_000)}]
    now = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    for _ in range(turns):
        words = _cut(rng, _PROSE, 12 * tokens).split(" ")[: round(rng.gauss(tokens, tokens / 4))]
        call = {"name": "read_file", "arguments": {"path": rng.choice(_FILES).name}}
        said = [{"content": "", "thinking": f"{word} "} for word in words]
        lines, times = _stream(
            rng, now, [*said, {"content": "", "tool_calls": [{"function": call}]}]
        )
        yield _exchange(messages, now, lines, times)
        now += timedelta(seconds=times[-1] + 1)
        thought = "".join(f"{word} " for word in words)
        messages += [
            {"role": "assistant", "thinking": thought, "tool_calls": [{"function": call}]},
            {"role": "tool", "tool_name": "read_file", "content": _cut(rng, _CODE, 1_500)},
        ]


def _cut(rng: random.Random, text: str, size: int) -> str:
    at = rng.randrange(len(text) - 2 * size)
    return text[at : at + rng.randint(size // 2, size * 3 // 2)]


def _stream(
    rng: random.Random, start: datetime, messages: list[JsonObject]
) -> tuple[list[bytes], list[float]]:
    """Return the lines of an answer and when they came, as Ollama writes them."""
    times = list(accumulate(max(0.001, rng.gauss(_TOKEN_S, _TOKEN_S / 7)) for _ in messages))
    lines = []
    for n, (at_s, message) in enumerate(zip(times, messages, strict=True), 1):
        stamp = (start + timedelta(seconds=at_s)).strftime("%Y-%m-%dT%H:%M:%S.%f")
        value: JsonObject = {"model": MODEL, "created_at": f"{stamp}{rng.randrange(1000):03}Z"}
        value |= {"message": {"role": "assistant", **message}, "done": n == len(messages)}
        if value["done"]:
            value |= {"done_reason": "stop", "total_duration": rng.randrange(10**11)}
            value |= {"prompt_eval_count": rng.randrange(10**5), "eval_count": n}
        lines.append(json.dumps(value, separators=(",", ":")).encode() + b"\n")
    return lines, times


def _exchange(
    messages: list[JsonObject], start: datetime, lines: list[bytes], times: list[float]
) -> Exchange:
    body = {"model": MODEL, "messages": messages, "stream": True, "options": {"num_ctx": 131072}}
    ends = accumulate(map(len, lines))
    return Exchange(
        request=HttpRequest(
            method="POST",
            uri="http://127.0.0.1:11434/api/chat",
            headers=(("Content-Type", "application/json"),),
            body=json.dumps(body).encode(),
        ),
        response=HttpResponse(
            status=200, headers=(("Content-Type", "application/x-ndjson"),), body=b"".join(lines)
        ),
        started_at=start.isoformat(),
        duration_s=times[-1],
        chunks=tuple(Chunk(end, at_s) for end, at_s in zip(ends, times, strict=True)),
    )
