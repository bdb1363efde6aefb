"""Ask a llama.cpp server: cut text into tokens, continue them.

Where the server runs is not this module's business; ``tonearm.arms._llama_server`` runs one in this
process, Ollama from 0.30 on runs one beside itself.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping, Sequence

import aiohttp

from tonearm.arms.engine import EngineRefused
from tonearm.canonical import JsonObject
from tonearm.errors import ArmError


class LlamaClient:
    """A connection to one loaded model."""

    def __init__(
        self, arm: str, url: str, *, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> None:
        self.arm = arm
        self._session = aiohttp.ClientSession(
            base_url=url,
            # The engine's server drops connections that rest, perhaps just as one is used again.
            connector=aiohttp.TCPConnector(force_close=True),
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

    async def ready(self) -> None:
        """Wait until the engine's own thread works; other questions are answered without it."""
        await self._ask("GET", "/lora-adapters")

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

    async def stream(self, ids: Sequence[int], body: JsonObject) -> AsyncGenerator[JsonObject]:
        """Continue token ids, and yield what the engine says as it says it.

        Closing the generator closes the connection, which ends the writing.

        Raises:
            EngineRefused: The engine answers with an error.
            ArmError: It fails, or breaks off.
        """
        fields = {"prompt": list(ids), "stream": True, "post_sampling_probs": False, **body}
        ended = False
        try:
            async with self._session.post("/completion", json=fields) as response:
                if response.status != 200:
                    raise self._refused(response.status, await response.read())
                async for text in _events(response.content):
                    event: JsonObject = json.loads(text)
                    if "error" in event:
                        raise self._refused(500, text.encode())
                    ended = event["stop"]
                    yield event
        except (aiohttp.ClientError, TimeoutError) as err:
            raise ArmError(self.arm, f"llama.cpp: {err or type(err).__name__}") from err
        if not ended:
            raise ArmError(self.arm, "llama.cpp: the answer breaks off")

    async def join(self, ids: Sequence[int]) -> str:
        """Return the text of token ids."""
        return str((await self._ask("POST", "/detokenize", {"tokens": list(ids)}))["content"])

    async def _ask(self, method: str, path: str, body: JsonObject | None = None) -> JsonObject:
        try:
            async with self._session.request(method, path, json=body) as response:
                data = await response.read()
        except (aiohttp.ClientError, TimeoutError) as err:
            raise ArmError(self.arm, f"llama.cpp: {err or type(err).__name__}") from err
        if response.status != 200:
            raise self._refused(response.status, data)
        reply: JsonObject = json.loads(_text(data))
        return reply

    def _refused(self, status: int, data: bytes) -> EngineRefused:
        text = _text(data)
        problem = (json.loads(text).get("error") or {}).get("message") or f"HTTP {status}"
        return EngineRefused(self.arm, f"llama.cpp: {problem}", status=status, body=text)


async def _events(lines: AsyncIterable[bytes]) -> AsyncIterator[str]:
    """Yield the data of server-sent events, each of which is one line."""
    async for line in lines:
        name, _, data = line.strip().partition(b": ")
        if name in (b"data", b"error"):
            yield _text(data)


def _text(data: bytes) -> str:
    """Return the text of an answer; bytes of a token that are no character yet come as they are."""
    return data.decode("utf-8", errors="replace")


def _piece(piece: str | list[int]) -> str:
    if isinstance(piece, str):
        return piece
    return "".join(f"<0x{byte:02X}>" for byte in piece)
