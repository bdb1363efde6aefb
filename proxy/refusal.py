"""Answer in Ollama's way where the proxy has to answer in Ollama's place.

mitmproxy puts its own errors into an HTML page, which Ollama's clients show to the user as it is.
They understand ``{"error": "..."}``. The connection to the client is handed to mitmproxy's HTTP
layer ready made, as its client playback does, so nothing of mitmproxy is patched.
"""

from __future__ import annotations

import json

from mitmproxy import http
from mitmproxy.connection import ConnectionState
from mitmproxy.net.http import http1
from mitmproxy.net.tls import starts_like_tls_record
from mitmproxy.proxy import commands, layers
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layer import CommandGenerator, NextLayer
from mitmproxy.proxy.layers.http import HTTPMode
from mitmproxy.proxy.layers.http._events import ErrorCode, HttpEvent, ResponseProtocolError
from mitmproxy.proxy.layers.http._http1 import Http1Server
from mitmproxy.proxy.layers.modes import ReverseProxy
from mitmproxy.proxy.mode_specs import ReverseMode

from tonearm.proxy.address import Address


def refusal(status: int, problem: str, *, upstream: str, reached: bool) -> bytes:
    """Return the body that tells a client why it gets no answer.

    Args:
        status: Of the response that carries it.
        problem: mitmproxy's words for it.
        upstream: URL of the server that should have answered.
        reached: Whether there was a connection to that server.
    """
    if status < 500:
        text = f"tonearm: refused this request: {problem}"
    elif reached:
        text = f"tonearm: no answer from Ollama at {upstream}: {problem}"
    else:
        text = f"tonearm: cannot reach Ollama at {upstream}: {problem}"
    return json.dumps({"error": text}).encode()


def upstream_url(context: Context) -> str:
    """Return the URL to which a connection's requests go."""
    mode = context.client.proxy_mode
    if isinstance(mode, ReverseMode):
        host, port = mode.address
        return Address(scheme=mode.scheme, host=host, port=port).url
    return "its address"


class JsonErrors(Http1Server):
    """The client's side of a connection, with JSON where mitmproxy would send HTML."""

    def send(self, event: HttpEvent) -> CommandGenerator[None]:
        """Send one part of a response."""
        status = self._own_status(event)
        if status is None:
            yield from super().send(event)
            return
        assert isinstance(event, ResponseProtocolError)
        body = refusal(
            status,
            event.message,
            upstream=upstream_url(self.context),
            reached=event.code is not ErrorCode.CONNECT_FAILED,
        )
        headers = http.Headers(content_type="application/json", connection="close")
        response = http.Response.make(status, body, headers)
        yield commands.SendData(self.conn, http1.assemble_response(response))
        yield commands.CloseConnection(self.conn)

    def _own_status(self, event: HttpEvent) -> int | None:
        """Return the status to answer with, ``None`` where the answer is not ours to write."""
        if not isinstance(event, ResponseProtocolError) or self.response is not None:
            return None
        if not self.conn.state & ConnectionState.CAN_WRITE:
            return None
        return event.code.http_status_code()


def http_layer(asking: NextLayer) -> layers.HttpLayer | layers.ServerTLSLayer | None:
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
    layer.connections[context.client] = JsonErrors(context.fork())
    if tls is None:
        return layer
    tls.child_layer = layer
    return tls
