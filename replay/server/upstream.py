"""Ask a real Ollama what was not recorded, and keep what it answers if that is wanted.

The client gets the upstream's bytes as they come: status, header fields, pieces. What is kept is
the recorder's own kind of capture, so that the recorder's writer can take it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import aiohttp
from yarl import URL

from tonearm import wire
from tonearm.model import HttpRequest, Outcome
from tonearm.proxy.address import Address
from tonearm.proxy.capture import Capture
from tonearm.proxy.tee import Tee
from tonearm.replay.server.problem import problem
from tonearm.replay.server.reply import Asked, Outlet

CONNECT_S = 10.0

_HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"content-length",
        b"expect",
        b"host",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Request fields that belong to one connection; the client library writes its own."""

_NOT_OURS = frozenset({b"connection", b"keep-alive"})
"""Response fields that speak of the connection to the upstream."""


class Upstream:
    """A source that asks another server."""

    def __init__(
        self,
        address: Address,
        *,
        keep: Callable[[Capture], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take where to ask, and who takes the captures of inference requests."""
        self.url = address.url
        self.clock = clock
        self._keep = keep
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The connections to the upstream."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S),
                auto_decompress=False,
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            )
        return self._session

    async def answer(self, asked: Asked) -> Forwarded:
        """Return a reply that is still to be fetched."""
        return Forwarded(self, asked)

    def keep(self, capture: Capture) -> None:
        """Hand on the capture of an inference request; others are not recorded."""
        request = HttpRequest(method=capture.method, uri=capture.uri)
        if self._keep is not None and wire.endpoint(request) is not None:
            self._keep(capture)

    async def close(self) -> None:
        """Close the connections to the upstream."""
        if self._session is not None:
            await self._session.close()


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The upstream's answer to one request."""

    upstream: Upstream
    asked: Asked

    async def send(self, outlet: Outlet) -> None:
        """Ask, and write what comes, while it comes."""
        capture = self._capture()
        try:
            response = await self._ask()
        except (aiohttp.ClientError, OSError, TimeoutError) as err:
            await self._unreachable(err, capture, outlet)
        else:
            async with response:
                await self._relay(response, capture, outlet)
        finally:
            capture.ended_s = self.upstream.clock()
            capture.stop()
            self.upstream.keep(capture)

    def _capture(self) -> Capture:
        asked = self.asked
        return Capture(
            method=asked.method,
            uri=f"{self.upstream.url}{asked.target}",
            started_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            started_s=asked.at_s,
            request_fields=asked.fields,
            request_body=asked.body,
            outcome=Outcome.CLIENT_ABORTED,
            error="the client went away, or the server was stopped",
        )

    async def _ask(self) -> aiohttp.ClientResponse:
        asked = self.asked
        headers = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in asked.fields
            if name.lower() not in _HOP_BY_HOP
        ]
        url = URL(f"{self.upstream.url}{asked.target}", encoded=True)
        data = asked.body or None
        return await self.upstream.session.request(
            asked.method, url, headers=headers, data=data, allow_redirects=False
        )

    async def _unreachable(self, err: Exception, capture: Capture, outlet: Outlet) -> None:
        why = str(err) or type(err).__name__
        reply = problem(
            self.asked.path, 502, f"tonearm: cannot reach Ollama at {self.upstream.url}: {why}"
        )
        capture.outcome, capture.error = Outcome.UPSTREAM_ERROR, why
        capture.status, capture.reason = reply.status, "Bad Gateway"
        capture.response_fields = ((b"Content-Type", b"application/json"),)
        capture.own_body = reply.body
        await reply.send(outlet)

    async def _relay(
        self, response: aiohttp.ClientResponse, capture: Capture, outlet: Outlet
    ) -> None:
        capture.status, capture.reason = response.status, response.reason or ""
        capture.response_fields = response.raw_headers
        capture.tee = Tee(clock=self.upstream.clock)
        coded = self.asked.chunked and "chunked" in response.headers.get("Transfer-Encoding", "")
        await outlet.write(_head(response, coded=coded))
        if not coded and "Content-Length" not in response.headers:
            outlet.hang_up()
        try:
            async for piece in _pieces(response):
                capture.tee(piece)
                await outlet.write(b"%x\r\n%b\r\n" % (len(piece), piece) if coded else piece)
        except _BrokeOff as err:
            capture.outcome, capture.error = Outcome.UPSTREAM_ABORTED, str(err)
            outlet.hang_up()
            return
        if coded:
            await outlet.write(b"0\r\n\r\n")
        capture.outcome, capture.error = Outcome.COMPLETE, None


class _BrokeOff(Exception):
    """The upstream did not finish its answer."""


async def _pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield the pieces of a body as they come; errors of the client's side do not pass here."""
    try:
        async for piece, _ in response.content.iter_chunks():
            if piece:
                yield piece
    except (aiohttp.ClientError, OSError) as err:
        raise _BrokeOff(str(err) or type(err).__name__) from err


def _head(response: aiohttp.ClientResponse, *, coded: bool) -> bytes:
    unwanted = _NOT_OURS if coded else _NOT_OURS | {b"transfer-encoding"}
    status = f"HTTP/1.1 {response.status} {response.reason or ''}\r\n".encode("latin-1")
    fields = (
        b"%b: %b\r\n" % field for field in response.raw_headers if field[0].lower() not in unwanted
    )
    return b"".join((status, *fields, b"\r\n"))
