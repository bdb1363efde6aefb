"""Continue a finished prompt with the llama-server behind an Ollama, asked directly.

Ollama stays in charge of loading: it is told to load the model with the request's options, so that
the engine runs with the context that arm A would have.
"""

from __future__ import annotations

from dataclasses import replace

from tonearm import wire
from tonearm.arms import _native, _ollama_engine
from tonearm.arms._llama_client import LlamaClient
from tonearm.arms._llama_generate import generate
from tonearm.arms._ollama_http import OllamaServer
from tonearm.arms.base import Prompt
from tonearm.canonical import JsonObject
from tonearm.errors import ArmError, ArmUnavailable
from tonearm.model import ChatRequest, Take

FOUND = "found"
"""Stands for the engine that is found among this machine's processes."""


class RawEngine:
    """The engine beneath an Ollama."""

    def __init__(self, arm: str, server: OllamaServer, where: str, *, timeout_s: float) -> None:
        self._arm = arm
        self._server = server
        self._where = where
        self._timeout_s = timeout_s
        self._clients: dict[str, LlamaClient] = {}

    async def open(self, model: str) -> None:
        """See that the engine is there.

        Raises:
            ArmUnavailable: It is not found.
        """
        if self._where == FOUND and not _ollama_engine.is_local(self._server.url):
            raise ArmUnavailable(
                self._arm,
                f"{self._server.url} is not on this machine, so its engine cannot be found",
                fix="give the engine's address: --arm ollama-native,engine=http://HOST:PORT",
            )
        await self._load(model, {})
        self._client(model)

    async def play(self, request: ChatRequest, model: str, prompt: Prompt) -> Take:
        """Return the take of what the engine writes behind the prompt.

        Raises:
            ArmError: The engine cannot be asked.
        """
        await self._load(model, request.options)
        pin = await self._server.pin(model, request.options)
        client = self._client(model)
        asked = replace(request, body={**request.body, "options": pin.options})
        ids = [token for token, _ in await client.tokenize(prompt.text)]
        generated = await generate(client, prompt, ids, asked)
        pin = replace(pin, runtime="llama-server behind Ollama")
        return _native.take(self._arm, request, prompt, ids, generated, pin)

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.close()
        self._clients.clear()

    async def _load(self, model: str, options: JsonObject) -> None:
        """Have Ollama load the model; the engine is a new process where the options need it."""
        body = {"model": model, "options": options, "stream": False}
        _, reply = await self._server.ask(wire.GENERATE, body)
        if reply.error:
            raise ArmError(self._arm, f"{model} cannot be loaded: {reply.error}")

    def _client(self, model: str) -> LlamaClient:
        url = self._url(model)
        if url not in self._clients:
            self._clients[url] = LlamaClient(self._arm, url, timeout_s=self._timeout_s)
        return self._clients[url]

    def _url(self, model: str) -> str:
        if self._where != FOUND:
            return self._where
        url = _ollama_engine.find(self._server.blob(model) or "")
        if url is None:
            raise ArmUnavailable(
                self._arm,
                f"no llama-server of {model} among this machine's processes",
                fix="Ollama starts one from 0.30 on; before that ollama-native needs no engine=",
            )
        return url
