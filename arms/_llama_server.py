"""llama.cpp in this process: load a GGUF file, cut text into tokens, continue them.

The library's server listens on a free loopback port behind a key of its own, so that nobody else
on the machine can use it.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp

from tonearm.canonical import JsonObject
from tonearm.errors import ArmError, ArmUnavailable

INSTALL = 'install it: pip install "tonearm[llama]"'


class LlamaServer:
    """One loaded model."""

    def __init__(self, arm: str, path: Path, *, num_ctx: int, kv: str, timeout_s: float) -> None:
        self.num_ctx = num_ctx
        """The context, tokens; the engine may round it up."""
        self._arm = arm
        self._path = path
        self._kv = kv
        self._timeout_s = timeout_s
        self._key = secrets.token_urlsafe(16)
        self._server: Any = None
        self._session: aiohttp.ClientSession | None = None
        self.facts: JsonObject = {}
        """What the engine says of the model: ``n_params``, ``ftype`` and others."""

    async def open(self) -> None:
        """Load the model.

        Raises:
            ArmUnavailable: The library is missing, or cannot read the file.
        """
        self._server = await asyncio.to_thread(self._load)
        self._session = aiohttp.ClientSession(
            base_url=self._server.listening_address,
            headers={"Authorization": f"Bearer {self._key}"},
            timeout=aiohttp.ClientTimeout(total=None, sock_read=self._timeout_s),
        )
        self.facts = (await self._ask("GET", "/v1/models"))["data"][0]["meta"]
        self.num_ctx = self.facts["n_ctx"]

    async def close(self) -> None:
        """Let go of the model; its memory is free when this returns."""
        if self._session is not None:
            await self._session.close()
            self._session = None
        server, self._server = self._server, None
        await asyncio.to_thread(_drop, [server])

    async def tokenize(self, text: str) -> list[tuple[int, str]]:
        """Return the token ids of a text and the text of each; nothing is added.

        Markers are tokens. The text of a token that is a part of a character is ``<0x..>``.
        """
        body = {"content": text, "add_special": False, "parse_special": True, "with_pieces": True}
        entries = (await self._ask("POST", "/tokenize", body))["tokens"]
        return [(entry["id"], _piece(entry["piece"])) for entry in entries]

    async def complete(self, ids: Sequence[int], body: JsonObject) -> JsonObject:
        """Continue token ids; the fields are those of llama-server's ``/completion``."""
        fields = {"return_tokens": True, "post_sampling_probs": False, **body}
        return await self._ask("POST", "/completion", {"prompt": list(ids), **fields})

    async def _ask(self, method: str, path: str, body: JsonObject | None = None) -> JsonObject:
        assert self._session is not None, "open() comes first"
        try:
            async with self._session.request(method, path, json=body) as response:
                # Bytes of a token that are no character yet come as they are.
                text = (await response.read()).decode("utf-8", errors="replace")
        except (aiohttp.ClientError, TimeoutError) as err:
            raise ArmError(self._arm, f"llama.cpp: {err or type(err).__name__}") from err
        reply: JsonObject = json.loads(text)
        if response.status != 200:
            problem = (reply.get("error") or {}).get("message") or f"HTTP {response.status}"
            raise ArmError(self._arm, f"llama.cpp: {problem}")
        return reply

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
        if self._kv == "f32":
            p.cache_type_k = p.cache_type_v = library.ggml_type.GGML_TYPE_F32
            # The fused attention computes in f16.
            off = library.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
            p.flash_attn_type = off
        return p


def _piece(piece: str | list[int]) -> str:
    if isinstance(piece, str):
        return piece
    return "".join(f"<0x{byte:02X}>" for byte in piece)


def _drop(held: list[Any]) -> None:
    """Let go of the last reference where waiting for the engine's end blocks nobody."""
    held.clear()
