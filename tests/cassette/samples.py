"""Exchanges as they look between an agent and Ollama, for the tests of this room."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import accumulate

from tonearm.model import Chunk, Exchange, Headers, HttpRequest, HttpResponse, Pin

URI = "http://127.0.0.1:11434/api/chat"
MODEL = "gemma4:e2b"

QUESTION = {
    "model": MODEL,
    "messages": [
        {"role": "system", "content": "You plan film evenings. Answer briefly – „kurz“, 短く."},
        {"role": "user", "content": 'Is "Amélie" on tonight?\nUse the tools. 🎬'},
    ],
    "tools": [
        {
            "type": "function",
            "function": {
                "name": "find_showings",
                "description": "Find where a film is shown.",
                "parameters": {
                    "type": "object",
                    "properties": {"title": {"type": "string"}, "day": {"type": "string"}},
                    "required": ["title"],
                },
            },
        }
    ],
    "options": {"temperature": 0, "seed": 7, "num_ctx": 4096},
}

CALL = {
    "id": "call_k2x8",
    "function": {
        "index": 0,
        "name": "find_showings",
        "arguments": {"title": "Amélie", "day": "今日"},
    },
}

PIECES = (
    {"content": "", "thinking": "The user asks for a showing"},
    {"content": "", "thinking": " – a tool knows that."},
    {"content": "Let me look"},
    {"content": " that up\u2028for you 🎬\x7f\ufeff"},
    {"content": "", "tool_calls": [CALL]},
)

COUNTS = {
    "done_reason": "stop",
    "total_duration": 812345678,
    "load_duration": 51234567,
    "prompt_eval_count": 152,
    "prompt_eval_duration": 212345678,
    "eval_count": 41,
    "eval_duration": 541234567,
}

WHOLE_MESSAGE = {
    "role": "assistant",
    "content": "Let me look that up\u2028for you 🎬\x7f\ufeff",
    "thinking": "The user asks for a showing – a tool knows that.",
    "tool_calls": [CALL],
}


def _line(**fields: object) -> bytes:
    """Return a line as Go writes it, which escapes U+2028 but leaves U+007F and U+FEFF alone."""
    created = {"model": MODEL, "created_at": "2026-11-20T09:30:00.123456789Z"}
    text = json.dumps(created | fields, ensure_ascii=False, separators=(",", ":"))
    return text.replace("\u2028", r"\u2028").encode() + b"\n"


def _request(*, stream: bool) -> HttpRequest:
    return HttpRequest(
        method="POST",
        uri=URI,
        headers=(
            ("Host", "127.0.0.1:11434"),
            ("Accept-Encoding", "gzip, deflate"),
            ("Content-Type", "application/json"),
            ("User-Agent", "ollama-python/0.6.3 (x86_64 linux) Python/3.12.1"),
        ),
        body=json.dumps(QUESTION | {"stream": stream}, ensure_ascii=False).encode(),
    )


PIN = Pin(
    model=MODEL,
    server_version="0.24.0",
    digest="7f" * 32,
    family="gemma4",
    parameters="temperature 1\ntop_k 64",
    capabilities=("completion", "tools", "thinking"),
    num_ctx=4096,
    options={"temperature": 0, "seed": 7, "num_ctx": 4096, "min_p": 0.05},
)


def streamed() -> Exchange:
    """Return a streamed answer: thinking, content, a tool call, the final object."""
    lines = [_line(message={"role": "assistant", **piece}, done=False) for piece in PIECES]
    lines.append(_line(message={"role": "assistant", "content": ""}, done=True, **COUNTS))
    ends = list(accumulate(map(len, lines)))
    return Exchange(
        request=_request(stream=True),
        response=HttpResponse(
            status=200,
            reason="OK",
            headers=(
                ("Content-Type", "application/x-ndjson"),
                ("Date", "Fri, 20 Nov 2026 09:30:00 GMT"),
                ("Transfer-Encoding", "chunked"),
            ),
            body=b"".join(lines),
        ),
        started_at="2026-11-20T09:30:00.000123+00:00",
        duration_s=0.812346,
        chunks=tuple(Chunk(end, (271_000 + 20_123 * n) / 1e6) for n, end in enumerate(ends)),
        pin=PIN,
    )


def whole() -> Exchange:
    """Return the same answer in one piece, with a length that is not the body's."""
    body = _line(message=WHOLE_MESSAGE, done=True, **COUNTS)
    return Exchange(
        request=_request(stream=False),
        response=HttpResponse(
            status=200,
            reason="OK",
            headers=(
                ("Content-Type", "application/json; charset=utf-8"),
                ("Content-Length", "7"),
            ),
            body=body,
        ),
        sequence=1,
        started_at="2026-11-20T09:30:02.5+00:00",
        duration_s=0.75,
        chunks=(Chunk(len(body), 0.75),),
        pin=PIN,
    )


def by_name(exchange: Exchange) -> Exchange:
    """Return the exchange with its headers in the order of their names, as vcrpy saves them."""
    request, response = exchange.request, exchange.response
    return replace(
        exchange,
        request=replace(request, headers=_sorted(request.headers)),
        response=replace(response, headers=_sorted(response.headers)),
    )


def _sorted(headers: Headers) -> Headers:
    return tuple(sorted(headers, key=lambda field: field[0]))
