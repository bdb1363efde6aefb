"""Recordings as an agent and Ollama make them, and a server of them on the test's event loop."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path

import httpx

from tests.proxy.harness import LIMIT_S, RawClient, connection
from tonearm.canonical import JsonObject
from tonearm.cassette import CassetteWriter
from tonearm.model import Chunk, Exchange, Headers, HttpRequest, HttpResponse, Outcome, Pin
from tonearm.proxy.address import Address
from tonearm.replay.server.front import BODY_LIMIT_BYTES, Front
from tonearm.replay.server.loading import load_stock
from tonearm.replay.server.playback import Pace
from tonearm.replay.server.recordings import Recordings

MODEL = "gemma4:e2b"
DATE = "Sat, 21 Nov 2026 11:18:28 GMT"
HOST = "http://127.0.0.1:11434"
ANYWHERE = Address(host="127.0.0.1", port=0)

PIN = Pin(
    model=MODEL,
    server_version="0.24.0",
    digest="b862c9ed32eb" + "0" * 52,
    family="gemma4",
    parameter_size="1.54M",
    renderer="gemma4",
    parser="gemma4",
    parameters='num_thread                     1\nstop                           "<turn|>"',
    capabilities=("completion", "tools", "thinking"),
    num_ctx=4096,
)


def asks(text: str, **more: object) -> JsonObject:
    """Return the body of a chat request."""
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **more}


def line(text: str, **more: object) -> bytes:
    """Return one line of a streamed chat answer, as Go writes it."""
    said = {"role": "assistant", "content": text}
    body = {"model": MODEL, "created_at": "2026-11-21T11:18:28.6Z", "message": said, "done": False}
    return json.dumps(body | more, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def last(**more: object) -> bytes:
    """Return the line that ends a streamed chat answer."""
    return line("", done=True, done_reason="stop", prompt_eval_count=17, eval_count=3, **more)


def streamed(
    body: JsonObject,
    *lines: bytes,
    outcome: Outcome = Outcome.COMPLETE,
    times: Sequence[float] = (),
    path: str = "/api/chat",
) -> Exchange:
    """Return a streamed answer; each line is a chunk, 20 ms apart unless ``times`` says else."""
    pieces = lines or (line("hel"), line("lo"), last())
    at = times or [0.2 + 0.02 * n for n in range(len(pieces))]
    headers = (
        ("Content-Type", "application/x-ndjson"),
        ("Date", DATE),
        ("Transfer-Encoding", "chunked"),
    )
    return answered(
        body,
        200,
        headers,
        b"".join(pieces),
        outcome=outcome,
        path=path,
        chunks=tuple(map(Chunk, accumulate(map(len, pieces)), at)),
        duration_s=at[-1] + 0.01 if pieces else 0.5,
    )


def whole(body: JsonObject, reply: JsonObject | None = None, *, status: int = 200) -> Exchange:
    """Return an answer in one piece; the usual one says hello."""
    if reply is None:
        reply = json.loads(last()) | {"message": {"role": "assistant", "content": "hello"}}
    text = json.dumps(reply, separators=(",", ":")).encode()
    headers = (
        ("Content-Type", "application/json; charset=utf-8"),
        ("Date", DATE),
        ("Content-Length", str(len(text))),
    )
    return answered(body, status, headers, text, chunks=(Chunk(len(text), 0.3),), duration_s=0.3)


def answered(
    body: JsonObject | bytes,
    status: int,
    headers: Headers,
    text: bytes,
    *,
    path: str = "/api/chat",
    method: str = "POST",
    **more: object,
) -> Exchange:
    """Return an exchange, put together part by part."""
    reasons = {200: "OK", 400: "Bad Request", 404: "Not Found", 500: "Internal Server Error"}
    return Exchange(
        request=HttpRequest(
            method=method,
            uri=HOST + path,
            headers=(("Host", "127.0.0.1:11434"), ("Content-Type", "application/json")),
            body=body if isinstance(body, bytes) else json.dumps(body).encode(),
        ),
        response=HttpResponse(
            status=status, reason=reasons.get(status, ""), headers=headers, body=text
        ),
        started_at="2026-11-21T11:18:28.000+00:00",
        pin=PIN if status == 200 else None,
        **more,
    )


def without_pin(exchange: Exchange) -> Exchange:
    """Return an exchange of which it is not known what answered."""
    return replace(exchange, pin=None)


def write(path: Path, exchanges: Iterable[Exchange]) -> Path:
    """Write a cassette."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with CassetteWriter(path) as writer:
        for exchange in exchanges:
            writer.append(exchange)
    return path


@dataclass
class Serving:
    """A running server."""

    address: Address
    source: Recordings
    front: Front

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.address.url


@asynccontextmanager
async def wired(
    folder: Path, *exchanges: Exchange, **options: object
) -> AsyncIterator[tuple[Serving, RawClient]]:
    """Serve exchanges, and connect to the server without any HTTP library."""
    async with (
        serving(folder, *exchanges, **options) as server,
        connection(server.address) as client,
    ):
        yield server, client


@asynccontextmanager
async def visited(
    folder: Path, *exchanges: Exchange, **options: object
) -> AsyncIterator[tuple[Serving, httpx.AsyncClient]]:
    """Serve exchanges to an ordinary client."""
    async with (
        serving(folder, *exchanges, **options) as server,
        httpx.AsyncClient(base_url=server.url, timeout=LIMIT_S, trust_env=False) as client,
    ):
        yield server, client


@asynccontextmanager
async def serving(
    folder: Path,
    *exchanges: Exchange,
    stock: dict[str, object] | None = None,
    pace: Pace | None = None,
    limit_bytes: int = BODY_LIMIT_BYTES,
    **options: object,
) -> AsyncIterator[Serving]:
    """Serve exchanges by way of a cassette; ``options`` are those of the source."""
    pace = pace or Pace()
    paths = [write(folder / "a.yaml", exchanges)] if exchanges else []
    loaded = load_stock(paths, **(stock or {}))
    source = Recordings(loaded, pace=pace, **options)
    front = Front(source, limit_bytes=limit_bytes, clock=pace.clock)
    address = await front.start(ANYWHERE)
    try:
        yield Serving(address, source, front)
    finally:
        await front.stop(0.0)
