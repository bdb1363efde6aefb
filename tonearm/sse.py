"""Server-sent events: how OpenAI's and Anthropic's protocols stream.

Only what both of them use: the ``data`` of each event. The name of an event stands in its data too.
"""

from __future__ import annotations

DONE = b"[DONE]"
"""What ends a stream of OpenAI's kind in place of a JSON text."""


def is_stream(body: bytes) -> bool:
    """Return whether a body is a stream of events rather than one JSON text."""
    return body.lstrip()[:1] in (b"d", b"e", b":", b"i", b"r")


def data(body: bytes) -> list[bytes]:
    """Return the data of every event that came to its end, in order.

    An event ends with an empty line. What follows the last of these was cut off, and is left out
    as a browser would leave it out.
    """
    whole, _, _ = body.replace(b"\r\n", b"\n").rpartition(b"\n\n")
    found = []
    for event in whole.split(b"\n\n"):
        fields = [line.partition(b":") for line in event.split(b"\n")]
        values = [value.removeprefix(b" ") for name, _, value in fields if name == b"data"]
        if values:
            found.append(b"\n".join(values))
    return found
