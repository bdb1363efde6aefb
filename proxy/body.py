"""Find the pieces of a body, and its end, in the bytes of an HTTP/1 connection.

Nothing is taken away and nothing changed: whoever passes the bytes on passes all of them on. Whole
chunks, which is how a model's words come, are found here; chunks that are cut, and the end of a
body, are left to h11, as mitmproxy leaves them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import h11
from h11._readers import ChunkedReader
from h11._receivebuffer import ReceiveBuffer

CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
UNTIL_CLOSED = -1
"""The size of a body that ends with its connection."""


def whole_chunks(data: bytes) -> tuple[list[bytes], int]:
    """Return what the whole chunks at the beginning of some data hold, and where these end."""
    found = []
    start = 0
    while head := CHUNK.match(data, start):
        last = head.end() + int(head[1], 16)
        if last == head.end() or data[last : last + 2] != b"\r\n":
            break
        found.append(data[head.end() : last])
        start = last + 2
    return found, start


class Body:
    """One body, whose bytes come in portions of any size."""

    def __init__(self, size: int | None) -> None:
        """Begin a body.

        Args:
            size: In bytes, ``None`` for chunks, or ``UNTIL_CLOSED``, as mitmproxy counts it.
        """
        self._left = size
        self._chunks = ChunkedReader()
        self._buffer = ReceiveBuffer()
        self.ended = size == 0
        self.after = b""
        """What came after the end."""

    @property
    def until_closed(self) -> bool:
        """Whether nothing but the end of the connection ends the body."""
        return self._left == UNTIL_CLOSED

    def take(self, data: bytes) -> Iterator[bytes]:
        """Take bytes and yield the pieces of the body in them.

        Raises:
            h11.ProtocolError: These are no chunks.
        """
        if self.ended:
            self.after += data
        elif not data:
            return
        elif self._left is None:
            yield from self._take_chunks(data)
        elif self.until_closed:
            yield data
        else:
            piece = data if len(data) <= self._left else data[: self._left]
            self.after = data[len(piece) :]
            self._left -= len(piece)
            self.ended = not self._left
            yield piece

    def close(self) -> None:
        """End the body, for its connection has ended.

        Raises:
            h11.ProtocolError: More should have come.
        """
        if self.ended:
            return
        if not self.until_closed:
            raise h11.RemoteProtocolError("the connection was closed before the end of the body")
        self.ended = True

    def _take_chunks(self, data: bytes) -> Iterator[bytes]:
        if self._between_chunks:
            found, end = whole_chunks(data)
            yield from found
            data = data[end:]
        if not data:
            return
        self._buffer += data
        while event := self._chunks(self._buffer):
            if isinstance(event, h11.EndOfMessage):
                self.ended = True
                self.after = bytes(self._buffer)
                return
            yield bytes(event.data)

    @property
    def _between_chunks(self) -> bool:
        reader = self._chunks
        inside = reader._bytes_in_chunk or reader._bytes_to_discard or reader._reading_trailer
        return not inside and not self._buffer
