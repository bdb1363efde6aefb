"""What passes between the HTTP front and a source of answers.

A source sees a request whole and returns a reply; the reply writes its own bytes, status line
included, so that a recording goes out as it came in and nothing is added on the way.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Protocol
from urllib.parse import unquote, urlsplit

from tonearm.canonical import Json

JSON = "application/json; charset=utf-8"
UNCODED = "application/json"
"""What Ollama calls most of its JSON under ``/v1``."""
NDJSON = "application/x-ndjson"
TEXT = "text/plain"

UNCHUNKED_BYTES = 2048
"""Up to here Go keeps an answer to count it (golang:net/http/server.go)."""

type Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as the front took it."""

    method: str
    target: str
    """As it stood in the request line."""
    path: str
    """Of the target, without its query, percent signs resolved."""
    fields: tuple[tuple[bytes, bytes], ...] = ()
    """Header fields as they came."""
    body: bytes = b""
    at_s: float = 0.0
    """When it came, on the clock of ``time.monotonic``."""
    chunked: bool = True
    """Whether the client understands chunked transfer coding: HTTP/1.0 does not."""


@lru_cache(maxsize=1024)
def path_of(target: str) -> str:
    """Return the path in a request's target, without its query, percent signs resolved."""
    try:
        return unquote(urlsplit(target).path) or "/"
    except ValueError:
        return target


class Outlet(Protocol):
    """The client's end of one answer."""

    async def write(self, data: bytes | memoryview) -> None:
        """Send bytes as they are; wait while the client does not read.

        Raises:
            ConnectionError: The client has gone.
        """

    def hang_up(self) -> None:
        """Close the connection behind what was written."""


class Reply(Protocol):
    """An answer that is ready to go out."""

    async def send(self, outlet: Outlet) -> None:
        """Write the whole response."""


class Source(Protocol):
    """Something that answers requests: recordings, or an arm."""

    async def answer(self, asked: Asked) -> Reply:
        """Return the reply to a request; a source has one for every request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """An answer of our own, in one piece, with the header fields that Go would send."""

    status: int
    body: bytes = b""
    fields: Fields = ()
    chunkable: bool = False
    """Whether a long body goes out in chunks, as it does from Go where the client understands."""
    coded: bool = False
    """Whether every body does."""

    async def send(self, outlet: Outlet) -> None:
        """Write the whole response."""
        phrase = HTTPStatus(self.status).phrase
        fields = [*self.fields, ("Date", formatdate(usegmt=True))]
        body = self.body
        if self.coded or (self.chunkable and len(body) > UNCHUNKED_BYTES):
            fields.append(("Transfer-Encoding", "chunked"))
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        elif self.status != HTTPStatus.NO_CONTENT:
            fields.append(("Content-Length", str(len(body))))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields)
        lines = f"HTTP/1.1 {self.status} {phrase}\r\n{head}\r\n"
        await outlet.write(lines.encode("latin-1") + body)


def json_reply(
    value: Json, status: int = 200, *, fields: Fields = (), kind: str = JSON, end: bytes = b""
) -> Plain:
    """Return a JSON answer; every character outside ASCII is escaped.

    U+0085 and U+2028 as they are would break clients that take them for line ends.
    """
    body = json.dumps(value, separators=(",", ":")).encode("ascii") + end
    return Plain(status=status, body=body, fields=(("Content-Type", kind), *fields))


def text_reply(text: str, status: int = 200, *, fields: Fields = (), kind: str = TEXT) -> Plain:
    """Return a plain text answer."""
    return Plain(status=status, body=text.encode(), fields=(*fields, ("Content-Type", kind)))
