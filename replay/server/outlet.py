"""The client's end of an answer, as the HTTP front has it."""

from __future__ import annotations

from aiohttp.abc import AbstractStreamWriter

_HEAD_END = b"\r\n\r\n"


class ClientOutlet:
    """Passes on what a reply writes, with two changes that HTTP asks for.

    Pages of another origin get the header lines that let them read it, and HEAD gets no body.
    """

    __slots__ = ("_extra", "_head_only", "_writer", "closing", "started")

    def __init__(
        self, writer: AbstractStreamWriter, *, extra: bytes = b"", head_only: bool = False
    ) -> None:
        self._writer = writer
        self._extra = extra
        self._head_only = head_only
        self.started = False
        self.closing = False
        """Whether the connection ends with this answer."""

    async def write(self, data: bytes | memoryview) -> None:
        """Send bytes as they are; wait while the client does not read.

        Raises:
            ConnectionError: The client has gone.
        """
        if self._extra or self._head_only:
            data = self._fitted(bytes(data))
        self.started = True
        await self._writer.write(data)

    def hang_up(self) -> None:
        """Close the connection behind what was written."""
        self.closing = True

    def _fitted(self, data: bytes) -> bytes:
        """Return what is to be sent of bytes; those written first begin with a whole head."""
        if self.started:
            return b"" if self._head_only else data
        first = data.index(b"\r\n") + 2
        end = data.index(_HEAD_END) + len(_HEAD_END) if self._head_only else None
        return data[:first] + self._extra + data[first:end]
