"""Continue a finished prompt through ``/api/generate`` with ``raw``."""

from __future__ import annotations

from dataclasses import replace

from tonearm import templates, wire
from tonearm.arms._markers import PROBE_TOKENS, Printing, missing, printing
from tonearm.arms._ollama_http import OllamaServer
from tonearm.arms._truncation import truncated
from tonearm.arms.base import Prompt
from tonearm.canonical import JsonObject
from tonearm.errors import ArmError, ArmUnavailable
from tonearm.model import ChatRequest, Decoded, Rendered, Take

PASSED_ON = ("options", "keep_alive", "format", "stream")
"""Fields of a chat request that ``/api/generate`` takes with the same meaning."""

STRIPPED = "control tokens are stripped from raw answers"

WAYS_OUT = (
    "ask Ollama's own engine with --arm ollama-native,engine=found (or engine=URL of a "
    "llama-server), or use a GGUF whose markers are typed USER_DEFINED, as llama.cpp's converter "
    "does, or an Ollama before 0.30"
)


class RawGenerate:
    """Ollama's own way to an engine for finished prompts."""

    def __init__(self, arm: str, server: OllamaServer) -> None:
        self._arm = arm
        self._server = server
        self._printing: dict[str, Printing] = {}

    async def open(self, model: str) -> None:
        """Ask for something that cannot be said without a marker.

        Raises:
            ArmUnavailable: The marker did not come: control tokens are stripped.
            RenderError: There is no grammar for the model.
        """
        chat_format = templates.for_model(self._server.known(model))
        body = _raw(model, chat_format.probe) | {"stream": False}
        body["options"] = {"temperature": 0, "num_predict": PROBE_TOKENS}
        raw, reply = await self._server.ask(wire.GENERATE, body)
        if reply.error:
            raise ArmError(self._arm, f"the probe of {model} failed: {reply.error}")
        found = printing(_decoded(reply), wire.shape(raw.status, reply), chat_format.markers)
        if found is Printing.STRIPPED:
            where = f"Ollama {self._server.known(model).server_version} at {self._server.url}"
            raise ArmUnavailable(self._arm, f"{STRIPPED} by {where}", fix=WAYS_OUT)
        self._printing[model] = found

    async def play(self, request: ChatRequest, model: str, prompt: Prompt) -> Take:
        """Return the take of what the engine writes behind the prompt.

        Raises:
            ArmError: The server cannot be asked, or what came cannot be trusted.
        """
        body = {name: request.body[name] for name in PASSED_ON if name in request.body}
        raw, reply = await self._server.ask(wire.GENERATE, body | _raw(model, prompt.text))
        pin = await self._server.pin(model, request.options)
        decoded, shape = _decoded(reply), wire.shape(raw.status, reply)
        if self._printing.get(model) is Printing.UNKNOWN and missing(decoded, shape):
            raise ArmError(self._arm, STRIPPED)
        tokens = reply.body.get("prompt_eval_count")
        cut = truncated(prompt.text, tokens, pin)
        return Take(
            arm=self._arm,
            rendered=Rendered(prompt=prompt.text, tokens=tokens, truncated=cut),
            decoded=decoded,
            answer=None if reply.error else prompt.parse(decoded.completion, request.tools),
            wire=shape,
            error=reply.error,
            pin=replace(pin, template_sha256=prompt.format.sha256),
            timing=wire.timing(reply, raw.wall_s),
        )

    async def close(self) -> None:
        """Nothing of its own to let go of."""


def _raw(model: str, prompt: str) -> JsonObject:
    return {"model": model, "prompt": prompt, "raw": True, "logprobs": True}


def _decoded(reply: wire.Reply) -> Decoded:
    traced = wire.decoded(reply)
    return Decoded(
        completion=str(reply.body.get("response") or ""),
        tokens=traced.tokens if traced else (),
        eval_count=reply.body.get("eval_count"),
    )
