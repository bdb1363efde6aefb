"""Ask a llama.cpp server: cut text into tokens, continue them.

Where the server runs is not this module's business; ``tonearm.arms._llama_server`` runs one in this
process, Ollama from 0.30 on runs one beside itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import aiohttp

from tonearm.canonical import JsonObject
from tonearm.errors import ArmError


class LlamaClient:
    """A connection to one loaded model."""

    def __init__(
        self, arm: str, url: str, *, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> None:
        self._arm = arm
        self._session = aiohttp.ClientSession(
            base_url=url,
            headers=dict(headers or {}),
            timeout=aiohttp.ClientTimeout(total=None, sock_read=timeout_s),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def facts(self) -> JsonObject:
        """Return what the engine says of its model: ``n_params``, ``ftype``, ``n_ctx``, ..."""
        listing = await self._ask("GET", "/v1/models")
        facts: JsonObject = listing["data"][0]["meta"]
        return facts

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


def _piece(piece: str | list[int]) -> str:
    if isinstance(piece, str):
        return piece
    return "".join(f"<0x{byte:02X}>" for byte in piece)
