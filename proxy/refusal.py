"""Let requests in or not, and answer in Ollama's way where the proxy answers in Ollama's place.

mitmproxy puts its own errors into an HTML page, which Ollama's clients show to the user as it is.
They understand ``{"error": "..."}``. The connection to the client is handed to mitmproxy's HTTP
layer ready made, as its client playback does, so nothing of mitmproxy is patched.
"""

from __future__ import annotations

from typing import cast

from mitmproxy import http
from mitmproxy.connection import ConnectionState
from mitmproxy.net.http import http1
from mitmproxy.net.tls import starts_like_tls_record
from mitmproxy.proxy import commands, layers
from mitmproxy.proxy.commands import Command
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.events import ConnectionClosed, ConnectionEvent
from mitmproxy.proxy.layer import CommandGenerator, Layer, NextLayer
from mitmproxy.proxy.layers.http import HTTPMode
from mitmproxy.proxy.layers.http._base import ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    ErrorCode,
    HttpEvent,
    RequestHeaders,
    ResponseProtocolError,
)
from mitmproxy.proxy.layers.http._http1 import Http1Server
from mitmproxy.proxy.layers.modes import ReverseProxy
from mitmproxy.proxy.mode_specs import ReverseMode

from tonearm.proxy.address import Address
from tonearm.proxy.gate import Gate, Refusal, error_body


def refusal(path: str, status: int, problem: str, *, upstream: str, reached: bool) -> bytes:
    """Return the body that tells a client why it gets no answer.

    Args:
        path: What the client asked for, which tells the protocol that it understands.
        status: Of the response that carries it.
        problem: What is wrong, in mitmproxy's words or ours.
        upstream: URL of the server that should have answered.
        reached: Whether there was a connection to that server.
    """
    if status < 500:
        text = f"tonearm: refused this request: {problem}"
    elif reached:
        text = f"tonearm: no answer from Ollama at {upstream}: {problem}"
    else:
        text = f"tonearm: cannot reach Ollama at {upstream}: {problem}"
    return error_body(path, status, text)


def own_answer(path: str, status: int, problem: str, *, upstream: str, reached: bool) -> bytes:
    """Return a whole response that stands in for the server's, for a connection that ends then."""
    body = refusal(path, status, problem, upstream=upstream, reached=reached)
    headers = http.Headers(content_type="application/json", connection="close")
    response = http.Response.make(status, body, headers)
    return cast(bytes, http1.assemble_response(response))


def upstream_url(context: Context) -> str:
    """Return the URL to which a connection's requests go."""
    mode = context.client.proxy_mode
    if isinstance(mode, ReverseMode):
        host, port = mode.address
        return Address(scheme=mode.scheme, host=host, port=port).url
    return "its address"


class Door(Http1Server):
    """The client's side of a connection: asks the gate, and answers in JSON where we answer."""

    def __init__(self, context: Context, gate: Gate) -> None:
        super().__init__(context)
        self._gate = gate

    def read_headers(self, event: ConnectionEvent) -> CommandGenerator[None]:
        """Read the head of a request and let it in, or refuse it."""
        for command in super().read_headers(event):
            refused = self._refused(command)
            if refused is not None:
                yield from self._refuse(refused)
                return
            yield command
        if self.state == self.read_headers:
            yield from self._wait_for_head(event)

    def _refused(self, command: Command) -> Refusal | None:
        if isinstance(command, commands.SendData):  # mitmproxy's page for what is not HTTP
            return self._gate.invalid()
        if not isinstance(command, ReceiveHttp) or not isinstance(command.event, RequestHeaders):
            return None
        self._gate.read(self.conn.id)
        return self._gate.refusal(command.event.request)

    def _wait_for_head(self, event: ConnectionEvent) -> CommandGenerator[None]:
        """Note that a head is on its way, unless it is too long already."""
        if not self.buf or isinstance(event, ConnectionClosed):
            self._gate.read(self.conn.id)
        elif len(self.buf) > self._gate.max_head_bytes:
            self._gate.read(self.conn.id)
            yield from self._refuse(self._gate.too_long())
        else:
            self._gate.reading(self.conn.id)

    def _refuse(self, refused: Refusal) -> CommandGenerator[None]:
        yield from self._answer(refused.status, refused.problem, reached=False)
        self.state = self.done

    def send(self, event: HttpEvent) -> CommandGenerator[None]:
        """Send one part of a response."""
        status = self._own_status(event)
        if status is None:
            yield from super().send(event)
            return
        assert isinstance(event, ResponseProtocolError)
        reached = event.code is not ErrorCode.CONNECT_FAILED
        yield from self._answer(status, event.message, reached=reached)

    def _answer(self, status: int, problem: str, *, reached: bool) -> CommandGenerator[None]:
        path = self.request.path if self.request else ""
        upstream = upstream_url(self.context)
        answer = own_answer(path, status, problem, upstream=upstream, reached=reached)
        yield commands.SendData(self.conn, answer)
        yield commands.CloseConnection(self.conn)

    def _own_status(self, event: HttpEvent) -> int | None:
        """Return the status to answer with, ``None`` where the answer is not ours to write."""
        if not isinstance(event, ResponseProtocolError) or self.response is not None:
            return None
        if not self.conn.state & ConnectionState.CAN_WRITE:
            return None
        return event.code.http_status_code()


def fit(layer: Layer | None, context: Context, gate: Gate) -> None:
    """Put the door into an HTTP layer that somebody else has chosen."""
    if isinstance(layer, layers.HttpLayer) and context.client.alpn != b"h2":
        layer.connections.setdefault(context.client, Door(context.fork(), gate))


def http_layer(asking: NextLayer, gate: Gate) -> layers.HttpLayer | layers.ServerTLSLayer | None:
    """Return the layer for a plain HTTP connection to the reverse proxy, ``None`` for any other."""
    context = asking.context
    mode = context.client.proxy_mode
    fresh = len(context.layers) == 1 and isinstance(context.layers[0], ReverseProxy)
    if not fresh or not isinstance(mode, ReverseMode) or mode.scheme not in {"http", "https"}:
        return None
    if starts_like_tls_record(asking.data_client()):
        return None
    tls = layers.ServerTLSLayer(context) if mode.scheme == "https" else None
    layer = layers.HttpLayer(context, HTTPMode.transparent)
    fit(layer, context, gate)
    if tls is None:
        return layer
    tls.child_layer = layer
    return tls
