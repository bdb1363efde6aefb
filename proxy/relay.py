"""Pass plain HTTP/1 from a client to the server and back as the very bytes that came.

mitmproxy takes every request through some twenty layers, tasks and hooks, and every piece of an
answer through five; a word of a model costs more there than everywhere else together. What is plain
needs none of this. A request that is not (TLS, HTTP/2, WebSocket, a head in parts, anything odd) is
handed to mitmproxy with its connection, before a byte of it was passed on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import h11
from mitmproxy import http
from mitmproxy.connection import Client, ConnectionState, Server
from mitmproxy.net.http import http1, url
from mitmproxy.proxy.mode_specs import ProxyMode

from tonearm.proxy.addon import Recorder
from tonearm.proxy.address import Address
from tonearm.proxy.gate import Gate
from tonearm.proxy.passage import Passage, read_request
from tonearm.proxy.refusal import own_answer

GONE = "Client disconnected."
HUNG_UP = "server closed connection"

LINGER_S = 2.0
"""How long a client that was answered in the server's place may take to notice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What all relays of one proxy have in common."""

    upstream: Address
    mode: ProxyMode
    recorder: Recorder
    gate: Gate
    enter: Callable[[Relay], None]
    leave: Callable[[Relay], None]
    hand_over: Callable[[asyncio.Transport, bytes], None]
    """Takes a connection and the bytes that came last on it."""

    @property
    def form(self) -> str:
        """How requests name what they ask for: by a path, or to a proxy by a whole URL."""
        return "relative" if self.gate.forwards_to is None else "absolute"


class Relay(asyncio.Protocol):
    """The connection of one client, and the one to the server that belongs to it."""

    def __init__(self, route: Route) -> None:
        self._route = route
        self._passage: Passage | None = None
        self._server: _ServerSide | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._early = b""
        self._lingering = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with a client."""
        self._transport = cast(asyncio.Transport, transport)
        self.client = Client(
            peername=transport.get_extra_info("peername"),
            sockname=transport.get_extra_info("sockname"),
            timestamp_start=time.time(),
            proxy_mode=self._route.mode,
            state=ConnectionState.OPEN,
        )
        self._route.enter(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the client."""
        if self._lingering:
            return
        if self._passage is None:
            self._early += data
            self._begin()
        elif self._passage.upload.ended:
            self._early += data  # of the next request, which has to wait
            self._transport.pause_reading()
        else:
            self._send(self._passage, data)

    def _begin(self) -> None:
        """Take the next request, where there is one."""
        if self._passage is not None or not self._early or self._transport.is_closing():
            return
        data, self._early = self._early, b""
        found = read_request(data)
        if found is None or found[0].first_line_format != self._route.form:
            self._hand_over(data)
            return
        request, end = found
        if refused := self._route.gate.refusal(request):
            self._answer(request, refused.status, refused.problem, reached=False)
            return
        head = self._address(request) or data[:end]
        upstream = self._route.upstream
        if self._server is None:
            self._server = _ServerSide(self, upstream)
            self._connecting = asyncio.create_task(self._connect(self._server))
        passage = Passage(self._route.recorder, self.client, self._server.connection, request)
        self._passage = passage
        self._send(passage, data[end:], head)

    def _address(self, request: http.Request) -> bytes | None:
        """Say in a request where it goes; return its head where that or the gate changed it."""
        gate, upstream = self._route.gate, self._route.upstream
        named = request.first_line_format == "absolute"
        if named:
            request.authority = ""
        else:
            request.data.host, request.data.port = upstream.host, upstream.port
            request.scheme = upstream.scheme
        if gate.guards_host:
            request.host_header = url.hostport(upstream.scheme, upstream.host, upstream.port)
        if named or gate.guards_host or gate.token is not None:
            return cast(bytes, http1.assemble_request_head(request))
        return None

    def _hand_over(self, data: bytes) -> None:
        self._part()
        self._route.leave(self)
        self._route.hand_over(self._transport, data)

    async def _connect(self, server: _ServerSide) -> None:
        self._transport.pause_reading()
        upstream = self._route.upstream
        try:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: server, upstream.host, upstream.port)
        except (OSError, UnicodeError) as err:  # the latter where the name can be none
            self._fail(str(err), reached=False)
        else:
            self._transport.resume_reading()

    def _send(self, passage: Passage, data: bytes, head: bytes = b"") -> None:
        assert self._server is not None
        try:
            passage.send(data)
        except h11.ProtocolError as err:
            self._fail(f"HTTP/1 protocol error: {err}", reached=True)
            return
        self._early = passage.upload.after
        self._server.write(head + data[: len(data) - len(self._early)])
        self._end(passage)

    def receive(self, data: bytes) -> None:
        """Take bytes from the server."""
        passage = self._passage
        if passage is None:  # nobody asked
            self._part()
            return
        try:
            if passage.answer is None:
                out, data = passage.begin_answer(data)
                self._transport.write(out)
            else:
                self._transport.write(data)
            if passage.answer is not None:
                passage.receive(data)
        except (ValueError, h11.ProtocolError) as err:
            self._fail(str(err), reached=True)
        else:
            self._end(passage)

    def lost_server(self, server: _ServerSide) -> None:
        """Take note that the server has closed its connection."""
        if server is not self._server:
            return
        self._server = None
        passage = self._passage
        if passage is None:
            return
        if passage.answer is None:
            self._fail(HUNG_UP, reached=True)
            return
        try:
            passage.close_answer()
        except h11.ProtocolError as err:
            self._fail(str(err), reached=True)
        else:
            self._transport.close()

    def _end(self, passage: Passage) -> None:
        """Make ready for the next request where this one has come to its end."""
        if not passage.ended:
            return
        self._passage = None
        assert passage.answer is not None
        if passage.last or passage.answer.after:
            self._part()
            self._transport.close()
        elif self._early:
            self._transport.resume_reading()
            asyncio.get_running_loop().call_soon(self._begin)

    def _fail(self, problem: str, *, reached: bool) -> None:
        """End a passage that cannot come to its end."""
        passage, self._passage = self._passage, None
        self._part()
        if passage is None:
            return
        passage.break_off(problem)
        if passage.answer is None:
            self._answer(passage.flow.request, 502, problem, reached=reached)
        else:
            self._transport.close()

    def _answer(self, request: http.Request, status: int, problem: str, *, reached: bool) -> None:
        """Answer in the server's place, and end.

        A client that is still sending would never see the answer if the connection was closed now.
        """
        upstream = self._route.upstream.url
        self._transport.write(
            own_answer(request.path, status, problem, upstream=upstream, reached=reached)
        )
        self._lingering = True
        self._transport.write_eof()
        self._transport.resume_reading()
        asyncio.get_running_loop().call_later(LINGER_S, self._transport.close)

    def eof_received(self) -> None:
        """End with a client who wants no more; asyncio closes the connection then."""
        self._lose()

    def connection_lost(self, exc: Exception | None) -> None:
        """End with a client."""
        self._lose()
        self._route.leave(self)

    def _lose(self) -> None:
        self.client.state = ConnectionState.CLOSED
        passage, self._passage = self._passage, None
        if passage is not None:
            passage.break_off(GONE)
        if self._connecting is not None:
            self._connecting.cancel()
        self._part()

    def _part(self) -> None:
        """End with the server."""
        server, self._server = self._server, None
        if server is not None:
            server.abort()

    def close(self) -> None:
        """Close the connection as soon as what was written to it is sent."""
        self._transport.close()

    def pause_writing(self) -> None:
        """Let the server wait for a slow client."""
        if self._server is not None:
            self._server.pause(True)

    def resume_writing(self) -> None:
        """Let the server go on."""
        if self._server is not None:
            self._server.pause(False)

    def pause(self, wait: bool) -> None:
        """Let the client wait for a slow server, or go on."""
        if wait:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()


class _ServerSide(asyncio.Protocol):
    """The server's end of a relay; what is written before there is a connection waits for it."""

    def __init__(self, relay: Relay, address: Address) -> None:
        self._relay = relay
        self._transport: asyncio.Transport | None = None
        self._unsent: list[bytes] = []
        self._aborted = False
        self.connection = Server(address=(address.host, address.port))

    def write(self, data: bytes) -> None:
        """Send bytes, at once or as soon as there is a connection."""
        if self._transport is None:
            self._unsent.append(data)
        else:
            self._transport.write(data)

    def abort(self) -> None:
        """Drop the connection, so that the server stops at once."""
        self._aborted = True
        if self._transport is not None:
            self._transport.abort()

    def pause(self, wait: bool) -> None:
        """Read no more for now, or go on."""
        if self._transport is None:
            return
        if wait:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send what has waited."""
        self._transport = cast(asyncio.Transport, transport)
        if self._aborted:
            self._transport.abort()
            return
        self.connection.timestamp_tcp_setup = time.time()
        self.connection.state = ConnectionState.OPEN
        self._transport.write(b"".join(self._unsent))
        self._unsent.clear()

    def data_received(self, data: bytes) -> None:
        """Take bytes to the client."""
        self._relay.receive(data)

    def eof_received(self) -> None:
        """Tell the client's side; asyncio closes the connection then."""
        self._relay.lost_server(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the client's side."""
        self._relay.lost_server(self)

    def pause_writing(self) -> None:
        """Let the client wait."""
        self._relay.pause(True)

    def resume_writing(self) -> None:
        """Let the client go on."""
        self._relay.pause(False)
