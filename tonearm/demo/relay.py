"""A server in front of another, which changes some of what passes: a fault that is made on purpose.

Only ``/api/chat`` is touched, and only as the fault says; all else passes as it came.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiohttp import ClientSession, ClientTimeout, web

from tonearm.canonical import JsonObject

CHAT = "/api/chat"
LINE_LIMIT_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What a relay does to the traffic; each function gets one JSON object and returns another."""

    request: Callable[[JsonObject], JsonObject] = lambda body: body
    reply: Callable[[JsonObject], JsonObject | None] = lambda line: line
    """Of one line of an answer; ``None`` keeps it back."""


class Relay:
    """A block in which the relay listens on a free port of loopback."""

    def __init__(self, upstream: str, fault: Fault) -> None:
        self._upstream = upstream
        self._fault = fault
        self.url = ""
        """Where it listens."""

    async def __aenter__(self) -> Self:
        self._client = ClientSession(
            timeout=ClientTimeout(total=None), read_bufsize=LINE_LIMIT_BYTES
        )
        app = web.Application(client_max_size=LINE_LIMIT_BYTES)
        app.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
        try:
            await self._runner.setup()
            site = web.TCPSite(self._runner, "127.0.0.1", 0)
            await site.start()
        except BaseException:
            await self._close()
            raise
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        await self._runner.cleanup()
        await self._client.close()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        chat = request.path == CHAT
        if chat:
            body = json.dumps(self._fault.request(json.loads(body))).encode()
        url = f"{self._upstream}{request.raw_path}"
        async with self._client.request(request.method, url, data=body or None) as answer:
            kind = {"Content-Type": answer.headers.get("Content-Type", "")}
            response = web.StreamResponse(status=answer.status, headers=kind)
            await response.prepare(request)
            async for line in answer.content:
                await response.write(self._changed(line) if chat else line)
            await response.write_eof()
        return response

    def _changed(self, line: bytes) -> bytes:
        if not line.strip():
            return line
        value = self._fault.reply(json.loads(line))
        return b"" if value is None else json.dumps(value).encode() + b"\n"
