"""The HTTP server: takes requests whole, asks a source, lets the reply write.

aiohttp reads requests and keeps connections; responses go past its own writing of heads, which
would add header fields, reorder them and frame bodies anew. Nothing here knows where answers come
from.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler

from tonearm.errors import UsageError
from tonearm.proxy.address import Address
from tonearm.replay.server.guard import Guard
from tonearm.replay.server.outlet import ClientOutlet
from tonearm.replay.server.problem import problem
from tonearm.replay.server.reply import Asked, Reply, Source, path_of

logger = logging.getLogger(__name__)

BODY_LIMIT_BYTES = 64 << 20
HEADER_LIMIT_BYTES = 1 << 20
BACKLOG = 4096
CUT_S = 0.1
"""How long an answer that is cut off may take to notice."""


class Front:
    """An Ollama to its clients, on one address."""

    def __init__(
        self,
        source: Source,
        *,
        guard: Guard | None = None,
        limit_bytes: int = BODY_LIMIT_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._guard = guard or Guard()
        self._limit_bytes = limit_bytes
        self._clock = clock
        self._busy = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def busy(self) -> int:
        """How many answers are under way."""
        return self._busy

    async def start(self, listen: Address) -> Address:
        """Listen, and return the address that was taken.

        Raises:
            UsageError: The address cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        self._web = web.Server(
            self._handle,
            request_factory=self._request,
            handler_cancellation=True,  # a client that leaves ends its answer
            access_log=None,
            logger=_http_logger,
            auto_decompress=False,
            max_line_size=HEADER_LIMIT_BYTES,
            max_field_size=HEADER_LIMIT_BYTES,
        )
        try:
            self._server = await loop.create_server(
                self._web, listen.host, listen.port, backlog=BACKLOG
            )
        except OSError as err:
            raise UsageError(
                f"cannot listen on {listen.authority}: {err.strerror or err}; "
                "choose another address with --listen"
            ) from err
        host, port, *_ = self._server.sockets[0].getsockname()
        return Address(host=host, port=port)

    async def stop(self, grace_s: float, cut: asyncio.Event | None = None) -> int:
        """Take no more requests; return how many answers had to be cut off.

        Answers under way may finish until the grace ends or ``cut`` is set.
        """
        self._server.close()
        self._web.pre_shutdown()
        ends = [asyncio.ensure_future(self._idle.wait())]
        if cut is not None:
            ends.append(asyncio.ensure_future(cut.wait()))
        await asyncio.wait(ends, timeout=grace_s, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        broken = self._busy
        transports = [connection.transport for connection in self._web.connections]
        await self._web.shutdown(CUT_S)
        for transport in transports:
            if transport is not None:
                transport.abort()  # asyncio would wait for a client that does not read
        return broken

    def _request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        """Make aiohttp's request, with our limit in place of its own."""
        loop = asyncio.get_running_loop()
        return web.BaseRequest(
            message, payload, protocol, writer, task, loop, client_max_size=self._limit_bytes
        )

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = request.headers
        entry = self._guard.check(request.method, headers.get("Host", ""), headers.get("Origin"))
        outlet = ClientOutlet(
            request.writer, extra=entry.fields, head_only=request.method == "HEAD"
        )
        self._busy += 1
        self._idle.clear()
        try:
            await self._serve(request, outlet, entry.refusal)
        except ConnectionError:
            outlet.hang_up()
        finally:
            self._busy -= 1
            if not self._busy:
                self._idle.set()
        # What is still to come of a body that was refused must not be taken for a request.
        kept = request.keep_alive and request.content.is_eof() and not outlet.closing
        return _KEPT if kept else _CLOSED

    async def _serve(
        self, request: web.BaseRequest, outlet: ClientOutlet, refusal: Reply | None
    ) -> None:
        try:
            reply = refusal or await self._answer(request)
            await reply.send(outlet)
        except ConnectionError:
            raise
        except Exception:
            path = path_of(request.raw_path)
            logger.exception("%s %s failed", request.method, path)
            if outlet.started:
                outlet.hang_up()
            else:
                text = "tonearm: this request made the server fail; its log says how"
                await problem(path, 500, text).send(outlet)

    async def _answer(self, request: web.BaseRequest) -> Reply:
        at_s = self._clock()
        path = path_of(request.raw_path)
        try:
            body = await self._body(request)
        except web.HTTPRequestEntityTooLarge:
            limit = self._limit_bytes >> 20
            return problem(path, 413, f"tonearm: the request body is over {limit} MiB")
        except web.RequestPayloadError as err:
            return problem(path, 400, f"tonearm: the request body broke off: {err}")
        return await self._source.answer(
            Asked(
                method=request.method,
                target=request.raw_path,
                path=path,
                fields=request.raw_headers,
                body=body,
                at_s=at_s,
                chunked=request.version >= HttpVersion11,
            )
        )

    async def _body(self, request: web.BaseRequest) -> bytes:
        if request.content.is_eof():  # it came with the head, as most bodies do
            return request.content.read_nowait()
        declared = request.content_length
        if declared is not None and declared > self._limit_bytes:
            raise web.HTTPRequestEntityTooLarge(self._limit_bytes, declared)
        if request.headers.get("Expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await request.read()


def _without_content(record: logging.LogRecord) -> bool:
    """Leave out of a complaint about bad HTTP what was sent: it may be somebody's prompt."""
    if record.exc_info and isinstance(record.exc_info[1], HttpProcessingError):
        record.msg, record.exc_info = f"{record.msg}: this is no HTTP", None
    return True


_http_logger = logging.getLogger(f"{__name__}.http")
_http_logger.addFilter(_without_content)


class _Sent(web.StreamResponse):
    """Tells aiohttp that a response has gone out, and whether the connection stays."""

    def __init__(self, *, kept: bool) -> None:
        super().__init__()
        self._kept = kept

    @property
    def keep_alive(self) -> bool | None:
        return self._kept

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        pass


_KEPT = _Sent(kept=True)
_CLOSED = _Sent(kept=False)
