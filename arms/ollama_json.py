"""Arm A: Ollama's own path, ``/api/chat`` with JSON tools.

The request goes out as it was recorded. Two additions make the inner layers visible without
changing the answer: ``logprobs`` brings the text of every sampled token, tool-call markup included,
and a second request with ``_debug_render_only`` brings the prompt that the server built.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tonearm import wire
from tonearm.arms import _native
from tonearm.arms._ollama_http import OllamaServer
from tonearm.arms._truncation import truncated
from tonearm.arms.base import ArmOptions
from tonearm.canonical import JsonObject
from tonearm.errors import ArmError
from tonearm.model import ChatRequest, Decoded, Layer, Rendered, Take


class OllamaJson:
    """Ollama, asked as agents ask it."""

    def __init__(self, options: ArmOptions) -> None:
        self._options = options
        self._name = options.name or "ollama-json"
        self._server = OllamaServer(self._name, options)

    @property
    def name(self) -> str:
        """The name in reports."""
        return self._name

    async def open(self, models: Sequence[str]) -> None:
        """See that the server is there and has the models."""
        await self._server.open(models)

    async def close(self) -> None:
        """Close the connections."""
        await self._server.close()

    async def play(self, request: ChatRequest) -> Take:
        """Ask the server, and show what it rendered, sampled, parsed and sent."""
        body = {**request.body, "model": self._options.model or request.model}
        blind: dict[Layer, str] = {}
        rendered: Rendered | None = None
        try:
            if self._options.layers:
                rendered = await self._render(body, blind)
                body["logprobs"] = True
            raw, reply = await self._server.ask(wire.CHAT, body)
            pin = await self._server.pin(body["model"], request.options)
        except ArmError as err:
            return Take(arm=self._name, error=err.problem)
        if rendered is not None:
            tokens = reply.body.get("prompt_eval_count")
            rendered = replace(
                rendered, tokens=tokens, truncated=truncated(rendered.prompt, tokens, pin)
            )
        return Take(
            arm=self._name,
            translated=True,
            rendered=rendered,
            decoded=self._decoded(reply, blind),
            answer=None if reply.error else wire.answer(reply),
            wire=wire.shape(raw.status, reply),
            blind=blind,
            error=reply.error,
            pin=pin,
            timing=wire.timing(reply, raw.wall_s),
        )

    async def _render(self, body: JsonObject, blind: dict[Layer, str]) -> Rendered | None:
        question = {**body, "stream": False, "_debug_render_only": True}
        _, reply = await self._server.ask(wire.CHAT, question)
        prompt = (reply.body.get("_debug_info") or {}).get("rendered_template")
        if prompt is None:
            blind[Layer.RENDER] = reply.error or "the server does not know _debug_render_only"
            return None
        return Rendered(prompt=prompt)

    def _decoded(self, reply: wire.Reply, blind: dict[Layer, str]) -> Decoded | None:
        decoded = wire.decoded(reply)
        if decoded is None and self._options.layers and reply.error is None:
            blind[Layer.DECODE] = "the server sent no log-probs"
        return _native.without_end(decoded) if decoded else None
