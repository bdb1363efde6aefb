"""Hand whole pieces of an answer straight from the server's socket to the client's.

mitmproxy takes every piece through five layers and two tasks, which costs more than all the rest of
a stream. A piece that comes as whole HTTP chunks changes nothing in any of these layers, so it may
go past them. Whatever is not that, the head, a part of a chunk, the end, takes mitmproxy's own way,
and so does everything as long as anything is waiting there: no byte can overtake another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from h11._readers import ChunkedReader
from mitmproxy import http
from mitmproxy.proxy.layers.http import HttpLayer, HttpStream
from mitmproxy.proxy.layers.http._http1 import Http1Client
from mitmproxy.proxy.server import ConnectionHandler

MAX_DIGITS = 8


def payloads(data: bytes) -> list[bytes] | None:
    """Return what the chunks of some data hold, ``None`` where it is not whole chunks of a body."""
    found = []
    start = 0
    while start < len(data):
        end = data.find(b"\r\n", start, start + MAX_DIGITS + 2)
        digits = data[start:end]
        if end < 0 or not digits.isalnum():
            return None
        size = int(digits, 16)
        last = end + 2 + size
        if size == 0 or data[last : last + 2] != b"\r\n":
            return None
        found.append(data[end + 2 : last])
        start = last + 2
    return found


class Relay(asyncio.Protocol):
    """Stands before the protocol of one connection to the server."""

    def __init__(self, inner: asyncio.StreamReaderProtocol, reader: asyncio.StreamReader) -> None:
        self._inner = inner
        self._reader = reader
        self._stream: HttpStream | None = None

    def follow(self, handler: ConnectionHandler, layer: HttpLayer, flow: http.HTTPFlow) -> None:
        """Relay the answer of a flow from now on, wherever that is possible."""
        self._stream = next((s for s in layer.streams.values() if s.flow is flow), None)
        server = layer.connections[flow.server_conn].context.layers[-1]
        client = handler.transports[flow.client_conn].writer
        if not isinstance(server, Http1Client) or not isinstance(client, asyncio.StreamWriter):
            self._stream = None
            return
        self._server = server
        self._layers = (handler.layer, *handler.layer.context.layers, *server.context.layers)
        self._client: asyncio.WriteTransport = client.transport
        self._active: Callable[[], None] = handler.timeout_watchdog.register_activity

    def data_received(self, data: bytes) -> None:
        """Pass data on, past mitmproxy or through it."""
        if self._stream is None or not self._relay(self._stream, data):
            self._inner.data_received(data)

    def _relay(self, stream: HttpStream, data: bytes) -> bool:
        try:
            found = payloads(data) if self._idle(stream) else None
            self._active()
        except Exception:  # whatever it is, mitmproxy's own way is still open
            return False
        if not found or stream.flow.response is None:
            return False
        tee = stream.flow.response.stream
        if callable(tee):
            for piece in found:
                tee(piece)
        self._client.write(data)
        return True

    def _idle(self, stream: HttpStream) -> bool:
        """Return whether mitmproxy has sent all it got, and waits for the next chunk."""
        body = self._server.body_reader
        return (
            stream.server_state == stream.state_stream_response_body
            and self._server.state == self._server.read_body
            and not self._server.buf
            and isinstance(body, ChunkedReader)
            and not (body._bytes_in_chunk or body._bytes_to_discard or body._reading_trailer)
            and not self._reader._buffer  # type: ignore[attr-defined]
            and not any(layer._paused for layer in (stream, *self._layers))
            and not self._client.is_closing()
            and not self._client.get_write_buffer_size()
        )

    def eof_received(self) -> bool | None:
        """Tell mitmproxy."""
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell mitmproxy."""
        self._stream = None
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Tell mitmproxy."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Tell mitmproxy."""
        self._inner.resume_writing()


def relay(handler: ConnectionHandler, flow: http.HTTPFlow) -> None:
    """Let the answer of a flow go past mitmproxy where it is plain HTTP/1 in chunks."""
    if flow.response is None or "chunked" not in flow.response.headers.get("transfer-encoding", ""):
        return
    if flow.client_conn.tls or flow.server_conn.tls:
        return
    layers = handler.layer.context.layers
    layer = next((layer for layer in layers if isinstance(layer, HttpLayer)), None)
    server = handler.transports.get(flow.server_conn)
    if layer is None or server is None or not isinstance(server.reader, asyncio.StreamReader):
        return
    assert isinstance(server.writer, asyncio.StreamWriter)
    transport = server.writer.transport
    protocol = transport.get_protocol()
    if isinstance(protocol, asyncio.StreamReaderProtocol):
        protocol = Relay(protocol, server.reader)
        transport.set_protocol(protocol)
    if isinstance(protocol, Relay):
        protocol.follow(handler, layer, flow)
