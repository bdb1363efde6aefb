"""Arm B: the same engine without Ollama's translator.

Our template writes the prompt, ``/api/generate`` with ``raw`` continues it, our parser reads what
came. Where arm A and this one agree, the translator is faithful.
"""

from __future__ import annotations

from collections.abc import Sequence

from tonearm import templates, wire
from tonearm.arms._markers import PROBE_TOKENS, Printing, missing, printing
from tonearm.arms._ollama_http import OllamaServer
from tonearm.arms._truncation import truncated
from tonearm.arms.base import ArmOptions
from tonearm.canonical import JsonObject
from tonearm.errors import ArmError, ArmUnavailable, RenderError
from tonearm.model import ChatRequest, Decoded, Rendered, Take
from tonearm.templates.base import ChatFormat

PASSED_ON = ("options", "keep_alive", "format", "stream")
"""Fields of a chat request that ``/api/generate`` takes with the same meaning."""

STRIPPED = "control tokens are stripped from raw answers"

WAYS_OUT = (
    "use an Ollama before 0.30, or a GGUF whose markers are typed USER_DEFINED (as llama.cpp's "
    "converter does), or ask the engine itself with --arm llama-cpp=FILE.gguf"
)


class OllamaNative:
    """Ollama's engine, given a finished prompt."""

    def __init__(self, options: ArmOptions) -> None:
        self._options = options
        self._name = options.name or "ollama-native"
        self._server = OllamaServer(self._name, options)
        self._printing: dict[str, Printing] = {}

    @property
    def name(self) -> str:
        """The name in reports."""
        return self._name

    async def open(self, models: Sequence[str]) -> None:
        """See that the server has the models and prints what they say.

        Raises:
            ArmUnavailable: There is no server or no model, or control tokens are stripped.
        """
        await self._server.open(models)
        try:
            for model in models:
                self._printing[model] = await self._probe(model)
        except ArmError as err:
            await self._server.close()
            raise ArmUnavailable(self._name, err.problem, fix=WAYS_OUT) from err
        except RenderError:
            await self._server.close()
            raise

    async def close(self) -> None:
        """Close the connections."""
        await self._server.close()

    async def play(self, request: ChatRequest) -> Take:
        """Render the request, let the engine continue it, and parse what came."""
        model = self._options.model or request.model
        chat_format = templates.for_model(self._server.known(model))
        try:
            prompt = self._render(chat_format, model, request)
        except RenderError as err:
            return Take(arm=self._name, error=f"cannot render: {err}")
        body = {name: request.body[name] for name in PASSED_ON if name in request.body}
        body |= _raw(model, prompt)
        try:
            raw, reply = await self._server.ask(wire.GENERATE, body)
            pin = await self._server.pin(model, request.options)
        except ArmError as err:
            return Take(arm=self._name, error=err.problem)
        tokens = reply.body.get("prompt_eval_count")
        decoded = _decoded(reply)
        shape = wire.shape(raw.status, reply)
        if self._printing.get(model) is Printing.UNKNOWN and missing(decoded, shape):
            return Take(arm=self._name, error=STRIPPED, pin=pin)
        answer = None
        if reply.error is None:
            starts_in_thinking = chat_format.starts_in_thinking(prompt)
            answer = chat_format.parse(
                decoded.completion, tools=request.tools, starts_in_thinking=starts_in_thinking
            )
        return Take(
            arm=self._name,
            rendered=Rendered(
                prompt=prompt, tokens=tokens, truncated=truncated(prompt, tokens, pin)
            ),
            decoded=decoded,
            answer=answer,
            wire=shape,
            error=reply.error,
            pin=pin,
            timing=wire.timing(reply, raw.wall_s),
        )

    async def _probe(self, model: str) -> Printing:
        """Ask for something that cannot be said without a marker."""
        chat_format = templates.for_model(self._server.known(model))
        body = _raw(model, chat_format.probe)
        body["options"] = {"temperature": 0, "num_predict": PROBE_TOKENS}
        raw, reply = await self._server.ask(wire.GENERATE, body | {"stream": False})
        if reply.error:
            raise ArmError(self._name, f"the probe of {model} failed: {reply.error}")
        found = printing(_decoded(reply), wire.shape(raw.status, reply), chat_format.markers)
        if found is Printing.STRIPPED:
            raise ArmError(self._name, f"{STRIPPED} by {self._version(model)}")
        return found

    def _version(self, model: str) -> str:
        return f"Ollama {self._server.known(model).server_version} at {self._server.url}"

    def _render(self, chat_format: ChatFormat, model: str, request: ChatRequest) -> str:
        think = request.thinks("thinking" in self._server.known(model).capabilities)
        return chat_format.render(
            chat_format.from_ollama(request.messages), request.tools, enable_thinking=think
        )


def _raw(model: str, prompt: str) -> JsonObject:
    return {"model": model, "prompt": prompt, "raw": True, "logprobs": True}


def _decoded(reply: wire.Reply) -> Decoded:
    traced = wire.decoded(reply)
    return Decoded(
        completion=str(reply.body.get("response") or ""),
        tokens=traced.tokens if traced else (),
        eval_count=reply.body.get("eval_count"),
    )
