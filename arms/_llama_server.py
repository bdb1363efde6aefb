"""llama.cpp in this process: load a GGUF file and serve it.

The library's server listens on a free loopback port behind a key of its own, so that nobody else
on the machine can use it.
"""

from __future__ import annotations

import asyncio
import importlib
import secrets
from pathlib import Path
from typing import Any

from tonearm.arms._llama_client import LlamaClient
from tonearm.canonical import JsonObject
from tonearm.errors import ArmUnavailable

INSTALL = 'install it: pip install "tonearm[llama]"'

SMALL_BYTES = 64 << 20
"""Models below this size get one thread: llama.cpp's threads wait for one another in busy loops,
and were 20 times slower beside other busy processes."""


class LlamaServer:
    """One loaded model."""

    def __init__(
        self,
        arm: str,
        path: Path,
        *,
        num_ctx: int,
        kv: str,
        timeout_s: float,
        shift: bool = False,
    ) -> None:
        self.asked = (num_ctx, shift)
        """What it was made for: the context, and whether old tokens make room when it is full."""
        self.num_ctx = num_ctx
        """The context, tokens; the engine may round it up."""
        self._arm = arm
        self._path = path
        self._kv = kv
        self._timeout_s = timeout_s
        self._key = secrets.token_urlsafe(16)
        self._server: Any = None
        self._client: LlamaClient | None = None
        self.facts: JsonObject = {}
        """What the engine says of the model: ``n_params``, ``ftype`` and others."""

    async def open(self) -> None:
        """Load the model.

        Raises:
            ArmUnavailable: The library is missing, or cannot read the file.
        """
        opening = asyncio.ensure_future(self._open())
        try:
            await asyncio.shield(opening)
        except BaseException:
            # Whoever is cancelled waits as well: the library hangs for ever when it is to end an
            # engine whose thread has not begun to work.
            await asyncio.wait([opening])
            await self.close()
            raise

    async def _open(self) -> None:
        self._server = await asyncio.to_thread(self._load)
        self._client = LlamaClient(
            self._arm,
            self._server.listening_address,
            timeout_s=self._timeout_s,
            headers={"Authorization": f"Bearer {self._key}"},
        )
        await self._client.ready()
        self.facts = await self._client.facts()
        self.num_ctx = self.facts["n_ctx"]

    async def close(self) -> None:
        """Let go of the model; its memory is free when this returns."""
        if self._client is not None:
            await self._client.close()
            self._client = None
        server, self._server = self._server, None
        await asyncio.to_thread(_drop, [server])

    @property
    def client(self) -> LlamaClient:
        """The connection to the loaded model."""
        assert self._client is not None, "open() comes first"
        return self._client

    def _load(self) -> Any:
        try:
            library = importlib.import_module("xllamacpp")
        except ImportError as err:
            raise ArmUnavailable(self._arm, f"cannot import {err.name}", fix=INSTALL) from err
        try:
            return library.Server(self._parameters(library))
        except RuntimeError as err:
            raise ArmUnavailable(
                self._arm,
                f"llama.cpp cannot load {self._path}",
                fix="check that the file is whole, its architecture known and the memory enough",
            ) from err

    def _parameters(self, library: Any) -> Any:
        p = library.CommonParams()
        p.model.path = str(self._path)
        p.n_ctx = self.num_ctx
        p.ctx_shift = self.asked[1]
        p.n_parallel = 1
        p.hostnames = ["127.0.0.1"]
        p.port = 0
        p.api_keys = [self._key]
        p.cors_origins = ""
        p.ui = False
        p.endpoint_slots = False
        p.warmup = False
        p.verbosity = 0
        p.cache_ram_mib = 0  # otherwise up to 8 GiB of earlier prompts are kept
        if self._path.stat().st_size < SMALL_BYTES:
            p.cpuparams.n_threads = p.cpuparams_batch.n_threads = 1
        if self._kv == "f32":
            p.cache_type_k = p.cache_type_v = library.ggml_type.GGML_TYPE_F32
            # The fused attention computes in f16.
            off = library.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
            p.flash_attn_type = off
        return p


def _drop(held: list[Any]) -> None:
    """Let go of the last reference where waiting for the engine's end blocks nobody."""
    held.clear()
