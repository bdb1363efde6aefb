"""Arm B: the same engine without Ollama's translator.

Our template writes the prompt, Ollama's engine continues it, our parser reads what came. Where arm
A and this one agree, the translator is faithful.

There are two ways to the engine. ``/api/generate`` with ``raw`` is the ordinary one. From 0.30 on
it can lose control tokens; then ``engine=found`` asks the llama-server that Ollama runs, directly.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from tonearm.arms import _native
from tonearm.arms._ollama_http import OllamaServer
from tonearm.arms._raw_engine import RawEngine
from tonearm.arms._raw_generate import RawGenerate
from tonearm.arms.base import ArmOptions
from tonearm.errors import ArmError, ArmUnavailable, RenderError, TonearmError
from tonearm.model import ChatRequest, Take


class OllamaNative:
    """Ollama's engine, given a finished prompt."""

    SETTINGS: ClassVar[dict[str, tuple[str, ...]]] = {"engine": ()}
    """``engine``: ``found``, or the URL of the llama-server to ask instead of Ollama."""

    def __init__(self, options: ArmOptions) -> None:
        self._options = options
        self._name = options.name or "ollama-native"
        self._server = OllamaServer(self._name, options)
        self._way = self._choose()

    @property
    def name(self) -> str:
        """The name in reports."""
        return self._name

    async def open(self, models: Sequence[str]) -> None:
        """See that the server has the models and shows what they say.

        Raises:
            ArmUnavailable: There is no server, model or engine, or control tokens are stripped.
            RenderError: There is no grammar for a model.
        """
        await self._server.open(models)
        try:
            for model in models:
                await self._way.open(model)
        except TonearmError as err:
            await self.close()
            if isinstance(err, ArmError) and not isinstance(err, ArmUnavailable):
                fix = "see what the server's log says"
                raise ArmUnavailable(self._name, err.problem, fix=fix) from err
            raise

    async def close(self) -> None:
        """Close the connections."""
        await self._way.close()
        await self._server.close()

    async def play(self, request: ChatRequest) -> Take:
        """Render the request, let the engine continue it, and parse what came."""
        model = self._options.model or request.model
        try:
            prompt = _native.write(request, self._server.known(model), self._options.template)
            return await self._way.play(request, model, prompt)
        except RenderError as err:
            return Take(arm=self._name, error=f"cannot render: {err}")
        except ArmError as err:
            return Take(arm=self._name, error=err.problem)

    def _choose(self) -> RawGenerate | RawEngine:
        engine = self._options.settings.get("engine")
        if engine is None:
            return RawGenerate(self._name, self._server)
        return RawEngine(self._name, self._server, engine, timeout_s=self._options.timeout_s)
