"""Ask the server that answered what it is, so that every record names the engine behind it.

Only the writer thread asks, after the exchange, so no client ever waits for it. A server that does
not answer in time costs the pin, not the record.
"""

from __future__ import annotations

import http.client
import json
import logging
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import urlsplit

from tonearm import wire
from tonearm.canonical import JsonObject
from tonearm.errors import WireError
from tonearm.model import Exchange, Pin

logger = logging.getLogger(__name__)

TIMEOUT_S = 2.0
LIMIT_BYTES = 16 << 20

type Ask = Callable[[str, str, JsonObject | None], JsonObject]
"""Takes the server's URL, a path and the body to post, ``None`` for a GET; returns the answer."""


def ask(server: str, path: str, body: JsonObject | None = None) -> JsonObject:
    """Return what a server answers.

    Raises:
        OSError: The server cannot be reached or takes too long.
        WireError: The answer is an error or no JSON object.
    """
    parts = urlsplit(server)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    data = None if body is None else json.dumps(body).encode()
    try:
        connection.request("GET" if data is None else "POST", path, data)
        answer = connection.getresponse()
        text = answer.read(LIMIT_BYTES)
    except http.client.HTTPException as err:
        raise WireError(f"{path} broke off: {err!r}") from err
    finally:
        connection.close()
    if answer.status != 200:
        raise WireError(f"{path} answered with HTTP {answer.status}")
    return wire.parse_object(text, path)


class PinBook:
    """What each server said of each model when it was last asked."""

    def __init__(self, ask: Ask = ask) -> None:
        self._ask = ask
        self._pins: dict[tuple[str, str], Pin | None] = {}

    def pin(self, exchange: Exchange, body: JsonObject, *, starts: bool) -> Pin | None:
        """Return the pin of an answered exchange, ``None`` where there is none.

        Args:
            exchange: What was answered.
            body: Its request, parsed.
            starts: Whether it begins a conversation; then the server is asked again, for it may
                have been upgraded or have loaded the model with another context length.
        """
        model = str(body.get("model") or "")
        if exchange.response.status != 200 or not model:
            return None
        parts = urlsplit(exchange.request.uri)
        key = (f"{parts.scheme}://{parts.netloc}", model)
        if starts or key not in self._pins:
            self._pins[key] = self._fresh(*key)
        pin = self._pins[key]
        return pin and replace(pin, options=body.get("options") or {})

    def _fresh(self, server: str, model: str) -> Pin | None:
        try:
            return self._asked(server, model)
        except (OSError, WireError) as err:
            logger.warning("no pin for model %s: %s", model, err)
            return None

    def _asked(self, server: str, model: str) -> Pin:
        """Return the pin of a model; its slower half is asked for only when it may have changed."""
        version = self._ask(server, "/api/version", None)
        loaded = self._ask(server, "/api/ps", None)
        now = wire.pin(model, version=version, ps=loaded)
        known = self._pins.get((server, model))
        if known and now.digest == known.digest and now.server_version == known.server_version:
            return replace(known, num_ctx=now.num_ctx)
        show = self._ask(server, "/api/show", {"model": model})
        tags = self._ask(server, "/api/tags", None)
        return wire.pin(model, version=version, show=show, tags=tags, ps=loaded)
