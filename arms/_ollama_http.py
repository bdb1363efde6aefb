"""One connection pool to one Ollama server.

Bodies are read to the end and kept as bytes; what they mean is ``tonearm.wire``'s business.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import aiohttp

from tonearm import wire
from tonearm.arms._options import effective
from tonearm.arms.base import ArmOptions
from tonearm.canonical import JsonObject
from tonearm.errors import ArmError, ArmUnavailable, WireError
from tonearm.model import Pin


@dataclass(frozen=True, slots=True, kw_only=True)
class RawReply:
    """A response as it came."""

    status: int
    body: bytes
    wall_s: float


class OllamaServer:
    """An Ollama server, asked on behalf of one arm."""

    def __init__(self, arm: str, options: ArmOptions) -> None:
        self.arm = arm
        self.url = (options.target or options.url).rstrip("/")
        self._timeout_s = options.timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._pins: dict[str, Pin] = {}
        self._blobs: dict[str, str | None] = {}

    async def open(self, models: Sequence[str]) -> None:
        """Connect, and see that the server has the models.

        Raises:
            ArmUnavailable: No server answers there, or a model is missing.
        """
        timeout = aiohttp.ClientTimeout(total=None, connect=10, sock_read=self._timeout_s)
        self._session = aiohttp.ClientSession(timeout=timeout)
        try:
            version = await self._get("/api/version")
            tags = await self._get("/api/tags")
            for model in models:
                await self._look_up(model, version, tags)
        except BaseException:  # a cancellation too
            await self.close()
            raise

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(self, path: str, body: JsonObject) -> RawReply:
        """Send a JSON body and return the whole response.

        Raises:
            ArmError: The server cannot be reached, stays silent, or breaks off.
        """
        assert self._session is not None, "open() comes first"
        started = time.monotonic()
        data = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        try:
            async with self._session.post(self.url + path, data=data, headers=headers) as response:
                content = await response.read()
        except (aiohttp.ClientError, TimeoutError) as err:
            raise ArmError(self.arm, f"{self.url}{path}: {_reason(err)}") from err
        return RawReply(
            status=response.status, body=content, wall_s=round(time.monotonic() - started, 6)
        )

    async def ask(self, path: str, body: JsonObject) -> tuple[RawReply, wire.Reply]:
        """Send a JSON body and return the response, raw and read.

        Raises:
            ArmError: There is no response, or it is not Ollama's.
        """
        raw = await self.post(path, body)
        try:
            return raw, wire.read_reply(raw.status, raw.body)
        except WireError as err:
            raise ArmError(self.arm, f"{self.url}{path}: HTTP {raw.status}, {err}") from err

    async def pin(self, model: str, options: JsonObject) -> Pin:
        """Return what identifies the engine, once a request has loaded the model."""
        known = self._pins[model]
        if known.num_ctx is None:
            loaded = wire.pin(model, ps=await self._get("/api/ps"))
            known = replace(known, num_ctx=loaded.num_ctx)
            self._pins[model] = known
        return replace(known, options=effective(options, known))

    def known(self, model: str) -> Pin:
        """Return what ``open`` learned about a model."""
        return self._pins[model]

    def blob(self, model: str) -> str | None:
        """Return the name of a model's file among Ollama's blobs."""
        return self._blobs[model]

    async def _look_up(self, model: str, version: JsonObject, tags: JsonObject) -> None:
        raw = await self.post("/api/show", {"model": model})
        if raw.status != 200:
            names = [str(m.get("name")) for m in tags.get("models") or []]
            there = f"it has {', '.join(sorted(names))}" if names else "it has none"
            raise ArmUnavailable(
                self.arm,
                f"{self.url} has no model {model!r} ({there})",
                fix=f"run `ollama pull {model}` or choose another with --model",
            )
        show = self._object("/api/show", raw)
        self._blobs[model] = wire.blob(show)
        self._pins[model] = wire.pin(model, version=version, show=show, tags=tags)

    async def _get(self, path: str) -> JsonObject:
        assert self._session is not None, "open() comes first"
        try:
            async with self._session.get(self.url + path) as response:
                raw = RawReply(status=response.status, body=await response.read(), wall_s=0.0)
        except (aiohttp.ClientError, TimeoutError, asyncio.IncompleteReadError) as err:
            raise ArmUnavailable(
                self.arm,
                f"cannot reach Ollama at {self.url} ({_reason(err)})",
                fix="start it with `ollama serve` or name another address: --arm NAME=URL",
            ) from err
        return self._object(path, raw)

    def _object(self, path: str, raw: RawReply) -> JsonObject:
        try:
            return wire.parse_object(raw.body, f"{self.url}{path}")
        except WireError as err:
            raise ArmUnavailable(
                self.arm, str(err), fix="check that an Ollama server listens there"
            ) from err


def _reason(err: BaseException) -> str:
    return str(err) or type(err).__name__
