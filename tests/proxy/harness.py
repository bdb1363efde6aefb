"""An honest HTTP server that does what a test tells it, and the recorder in front of it.

Everything runs on the event loop of the test, so that tests can say what happens before what
instead of waiting.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import httpx

from tonearm.proxy.addon import Recorder
from tonearm.proxy.address import Address, parse_listen
from tonearm.proxy.capture import Capture
from tonearm.proxy.gate import Gate
from tonearm.proxy.launch import Proxy
from tonearm.proxy.tally import Tally

LIMIT_S = 60.0
RELAYING = True
"""Whether recorders of tests let plain traffic go past mitmproxy."""
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def run[T](scenario: Coroutine[Any, Any, T]) -> T:
    """Run a test's coroutine; one that hangs fails."""

    async def bounded() -> T:
        return await asyncio.wait_for(scenario, LIMIT_S)

    return asyncio.run(bounded())


async def true(condition: Callable[[], object]) -> None:
    """Let others run until a condition is true."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0)


def ndjson(*objects: object) -> bytes:
    """Return the objects as Ollama would stream them."""
    return b"".join(json.dumps(o).encode() + b"\n" for o in objects)


def said(text: str, *, done: bool = False) -> dict[str, object]:
    """Return one object of a chat answer."""
    return {"model": "m", "message": {"role": "assistant", "content": text}, "done": done}


@dataclass
class Exchange:
    """A request as the server sees it, and the means to answer."""

    method: str
    path: str
    headers: dict[str, str]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    body: bytes = b""

    async def start(self, status: str = "200 OK", kind: str = "application/x-ndjson") -> None:
        """Send the head of a chunked response."""
        head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.writer.write(head.encode())
        await self.writer.drain()

    async def chunk(self, data: bytes) -> None:
        """Send a piece of the body."""
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))
        await self.writer.drain()

    async def end(self) -> None:
        """End the body."""
        self.writer.write(b"0\r\n\r\n")
        await self.writer.drain()

    async def answer(self, *pieces: bytes, status: str = "200 OK") -> None:
        """Send a whole response."""
        await self.start(status)
        for piece in pieces:
            await self.chunk(piece)
        await self.end()

    def close(self) -> None:
        """Hang up, whatever was still to come."""
        self.writer.close()

    async def gone(self) -> None:
        """Wait until the other side has dropped the connection."""
        with suppress(OSError):
            while await self.reader.read(1024):
                pass


type Answer = Callable[[Exchange], Awaitable[None]]


async def hello(exchange: Exchange) -> None:
    """Answer as a model that greets."""
    await exchange.answer(ndjson(said("hel")), ndjson(said("lo")), ndjson(said("", done=True)))


class Upstream:
    """A server on a free port; each request is handled by ``answer``."""

    def __init__(self, answer: Answer = hello, *, read_body: bool = True) -> None:
        self._answer = answer
        self._read_body = read_body
        self.seen: list[Exchange] = []
        self._clients: list[asyncio.StreamWriter] = []

    @property
    def connections(self) -> int:
        """How often somebody has connected."""
        return len(self._clients)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = Address(host="127.0.0.1", port=self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, err: BaseException | None, _: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in self._clients:
            writer.close()
        await asyncio.gather(*(w.wait_closed() for w in self._clients), return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.append(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                exchange = await self._request(reader, writer)
                self.seen.append(exchange)
                await self._answer(exchange)
        writer.close()

    async def _request(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Exchange:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        method, path, _ = first.split(" ")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines)}
        exchange = Exchange(method, path, headers, reader, writer)
        if self._read_body:
            exchange.body = await reader.readexactly(int(headers.get("content-length", 0)))
        return exchange


@dataclass
class Recording:
    """A running recorder and what it has captured."""

    url: str
    address: Address
    proxy: Proxy
    recorder: Recorder
    tally: Tally
    captures: asyncio.Queue[Capture] = field(default_factory=asyncio.Queue)
    client: httpx.AsyncClient = field(init=False)


@asynccontextmanager
async def recording(
    upstream: Address,
    *,
    clock: Callable[[], float] | None = None,
    now: Callable[[], str] | None = None,
    sink: Callable[[Capture], None] | None = None,
    tally: Tally | None = None,
    gate: Mapping[str, Any] | None = None,
    **proxy_parts: Any,
) -> AsyncIterator[Recording]:
    """Run a recorder in front of a server, and a client that talks to the recorder."""
    captures: asyncio.Queue[Capture] = asyncio.Queue()
    tally = tally or Tally()
    faculties = {name: part for name, part in (("clock", clock), ("now", now)) if part}
    keeper = Gate(tally=tally, **(gate or {}))
    recorder = Recorder(sink or captures.put_nowait, tally, gate=keeper, **faculties)
    listen = parse_listen("127.0.0.1:0")
    parts = {"relaying": RELAYING} | proxy_parts
    proxy = Proxy(recorder, upstream=upstream, listen=listen, gate=keeper, **parts)
    address = await proxy.start()
    found = Recording(address.url, address, proxy, recorder, tally, captures)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(proxy.stop)
        client = httpx.AsyncClient(base_url=address.url, timeout=LIMIT_S, trust_env=False)
        found.client = await stack.enter_async_context(client)
        yield found


@dataclass
class RawClient:
    """A connection to the recorder that the test can drop at any moment."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def post(self, path: str, body: bytes = b"{}", *, host: str = "x") -> None:
        """Send a whole request."""
        head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
        await self.send(head.encode() + body)

    async def until(self, text: bytes) -> bytes:
        """Read up to and including a text."""
        return await self.reader.readuntil(text)

    async def close(self) -> None:
        """Go away, as a client that was interrupted."""
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()


@asynccontextmanager
async def connection(address: Address) -> AsyncIterator[RawClient]:
    """Connect to the recorder without any HTTP library."""
    client = RawClient(*await asyncio.open_connection(address.host, address.port))
    try:
        yield client
    finally:
        await client.close()
