"""One exchange as one line of a cassette, and back.

A line is JSON and a YAML list item at once: orjson reads it here, a YAML parser reads it for vcrpy.
Whoever changes the writer must keep the two readings equal; the rules and the reader that forces
each of them are in ``docs/cassette-format.md``.
"""

from __future__ import annotations

import base64
import re

import orjson

from tonearm.canonical import Json
from tonearm.cassette.interaction import to_exchange, to_interaction
from tonearm.cassette.shape import NotJson
from tonearm.model import Exchange

HEADER = b"version: 1\ninteractions:\n"
"""The first bytes of a file; written with the first line, for vcrpy refuses a file without any."""

ITEM = b"- "

_REFUSED = re.compile(rb"\x7f|\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]|\xef\xbb\xbf|\xef\xbf[\xbe\xbf]")
"""The UTF-8 of what YAML refuses or takes for a line break, and JSON leaves alone."""

_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|!!binary ("[A-Za-z0-9+/=]*+")')
"""A JSON text, or a tagged one; texts must match first, for one may hold the tag.

A text without an end matches too: to look for one from every quote again takes quadratic time.
"""


def to_line(exchange: Exchange) -> bytes:
    """Return the line of an exchange, line end included."""
    line = orjson.dumps(to_interaction(exchange, _write_body))
    return b"%b%b\n" % (ITEM, _escape(line))


def _write_body(body: bytes) -> str | orjson.Fragment:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return orjson.Fragment(b'!!binary "%b"' % base64.b64encode(body))


def _escape(line: bytes) -> bytes:
    if line.isascii() and b"\x7f" not in line:
        return line
    return _REFUSED.sub(lambda found: b"\\u%04x" % ord(found[0].decode()), line)


def from_line(line: bytes | memoryview, position: int) -> Exchange:
    """Return the exchange of a line; ``position`` numbers it where it has no sequence of its own.

    Raises:
        NotJson: The line is not whole.
        ShapeError: It is JSON, but no exchange.
        NewerFormat: A later tonearm wrote it.
    """
    return to_exchange(parse(line), position)


def parse(line: bytes | memoryview) -> Json:
    """Return the JSON value of a line.

    Raises:
        NotJson: The line is no list item, or its JSON text is not whole.
    """
    if line[: len(ITEM)] != ITEM:
        raise NotJson('does not begin with "- "')
    text = line[len(ITEM) :]
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as err:
        if b"!!binary" not in bytes(text):
            raise NotJson(f"is not JSON: {err}") from err
    try:
        return orjson.loads(_TOKEN.sub(_untag, text))
    except orjson.JSONDecodeError as err:
        raise NotJson(f"is not JSON: {err}") from err


def _untag(token: re.Match[bytes]) -> bytes:
    return b'{"!!binary":%b}' % token[1] if token[1] else token[0]
