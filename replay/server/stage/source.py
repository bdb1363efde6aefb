"""The source: one arm's model, asked like Ollama."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from tonearm import wire
from tonearm.arms.base import Arm
from tonearm.arms.engine import Engine
from tonearm.canonical import JsonObject
from tonearm.errors import ArmError, UsageError
from tonearm.model import ChatRequest, Pin
from tonearm.replay.server.gojson import encode
from tonearm.replay.server.manner import Manner, Plain
from tonearm.replay.server.problem import no_model_text
from tonearm.replay.server.reply import UNCODED, Asked, Reply
from tonearm.replay.server.routes import turned_away
from tonearm.replay.server.stage import besides, forms, names
from tonearm.replay.server.stage.dialects import DIALECTS, translate
from tonearm.replay.server.stage.lines import Lines, ahead
from tonearm.replay.server.stage.performance import Part, Performance
from tonearm.replay.server.stage.recital import recite
from tonearm.replay.server.stage.refusal import Refusal
from tonearm.replay.server.stage.resident import STOP, Resident
from tonearm.replay.server.stage.speech import Clock, Scribe, Speech
from tonearm.replay.server.stage.writing import refused, whole
from tonearm.templates.gguf import GgufError, Header, read_header

logger = logging.getLogger(__name__)

MIN_NUM_CTX = 4
NO_TEMPLATE = "tonearm: serve --arm writes prompts with its own template; leave template out"


class Stage:
    """A block in which an arm is open and answers as the model of a name."""

    def __init__(self, arm: Arm, model: str, *, clock: Clock | None = None) -> None:
        """Take an arm and the name under which it is asked.

        Raises:
            UsageError: No model can have the name.
        """
        try:
            self._name = names.full(model)
        except Refusal as err:
            raise UsageError(f"--model {model}: {err}; expected one such as gemma4:e2b") from err
        self._arm = arm
        self._clock = clock or Clock()

    async def __aenter__(self) -> Self:
        """Open the arm.

        Raises:
            ArmUnavailable: It cannot run here.
            RenderError: There is no grammar for its model.
        """
        await self._arm.open([names.short(self._name)])
        try:
            self._resident = self._meet()
        except BaseException:
            await self._arm.close()
            raise
        return self

    def _meet(self) -> Resident:
        """Return what is known of the arm's model."""
        model = names.short(self._name)
        if not isinstance(self._arm, Engine):
            return Resident(name=self._name, pin=Pin(model=model))
        greeting = {"model": model, "messages": [{"role": "user", "content": "Hello!"}]}
        request = ChatRequest(body=greeting)
        resident = Resident(
            name=self._name,
            pin=self._arm.pin_of(request),
            capabilities=self._arm.write(request).format.capabilities,
        )
        weights = self._arm.weights
        if weights is None:
            return resident
        found = weights.stat()
        return replace(
            resident,
            weights=weights,
            size_bytes=found.st_size,
            modified_ns=found.st_mtime_ns,
            header=_header(weights),
        )

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the arm."""
        await self._arm.close()

    async def answer(self, asked: Asked) -> Reply:
        """Return the answer, as Ollama would give it with the same weights."""
        turned = turned_away(asked.method, asked.path)
        if turned is not None:
            return turned
        try:
            match asked.path:
                case wire.CHAT:
                    return await self._chat(asked, forms.read(asked.body, forms.CHAT), Plain())
                case wire.GENERATE:
                    body = forms.read(asked.body, forms.GENERATE)
                    return await self._generate(asked, body, Plain())
                case path if path in DIALECTS:
                    return await self._translate(asked)
            return besides.answer(asked, self._resident, self._clock.now_ns())
        except Refusal as err:
            return refused(err, asked)
        except ArmError as err:
            return refused(Refusal(500, str(err)), asked)

    async def _translate(self, asked: Asked) -> Reply:
        path, said, manner = translate(asked.path, asked.body)
        try:
            if path == wire.CHAT:
                return await self._chat(asked, forms.take(said, forms.CHAT), manner)
            return await self._generate(asked, forms.take(said, forms.GENERATE), manner)
        except Refusal as err:
            raise Refusal(err.status, str(err), kind=UNCODED) from err

    async def _chat(self, asked: Asked, body: JsonObject, manner: Manner) -> Reply:
        scribe = self._welcome(body, chat=True, nameless=Refusal(400, "model is required"))
        messages = body.get("messages") or []
        self._check(body)
        if not messages:
            return self._load(asked, body, manner, scribe)
        request = {"model": body["model"], "messages": messages, "tools": body.get("tools") or []}
        part = self._part(body, request)
        return await self._play(asked, body, manner, scribe, part)

    async def _generate(self, asked: Asked, body: JsonObject, manner: Manner) -> Reply:
        nameless = Refusal(404, no_model_text(""))
        scribe = self._welcome(body, chat=False, nameless=nameless)
        self._check(body)
        raw = body.get("raw", False)
        system, prompt = body.get("system") or "", body.get("prompt") or ""
        if not prompt:
            return self._load(asked, body, manner, scribe)
        if raw and (system or body.get("template") or body.get("context")):
            raise Refusal(400, "raw mode does not support template, system, or context")
        if body.get("template"):
            raise Refusal(501, NO_TEMPLATE)
        if body.get("suffix"):
            raise Refusal(400, f"{self._resident.name} does not support insert")
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": prompt} | _images(body))
        part = self._part(
            body,
            {"model": body["model"], "messages": messages},
            raw=prompt if raw else None,
            chat=False,
        )
        return await self._play(asked, body, manner, scribe, part)

    def _welcome(self, body: JsonObject, *, chat: bool, nameless: Refusal) -> Scribe:
        """Check what every request has to have, and begin its answer."""
        if not 0 <= body.get("top_logprobs", 0) <= 20:
            raise Refusal(400, "top_logprobs must be between 0 and 20")
        model = body.get("model", "")
        if not model:
            raise nameless
        if not self._resident.is_called(model):
            raise Refusal(404, no_model_text(model))
        return Scribe(model, chat=chat, clock=self._clock)

    def _check(self, body: JsonObject) -> None:
        """Refuse what the model cannot do."""
        able = self._resident.capabilities
        if body.get("think") and "thinking" not in able:
            raise Refusal(400, f"{encode(body['model']).decode()} does not support thinking")
        if body.get("tools") and "tools" not in able:
            raise Refusal(400, f"{self._resident.name} does not support tools")

    def _load(self, asked: Asked, body: JsonObject, manner: Manner, scribe: Scribe) -> Reply:
        if body.get("keep_alive") == 0:
            self._resident.unloaded()
            return _whole(asked, manner, scribe.note("unload"))
        self._use(body, self._num_ctx(forms.read_options(body.get("options") or {})))
        return _whole(asked, manner, scribe.note("load"))

    def _use(self, body: JsonObject, num_ctx: int) -> None:
        self._resident.loaded(num_ctx, self._clock.now_ns(), body.get("keep_alive"))

    def _num_ctx(self, options: JsonObject) -> int:
        default = self._arm.default_num_ctx if isinstance(self._arm, Engine) else 0
        wanted = max(options.get("num_ctx") or default, MIN_NUM_CTX)
        return min(wanted, self._resident.trained_ctx or wanted)

    def _part(
        self, body: JsonObject, request: JsonObject, *, raw: str | None = None, chat: bool = True
    ) -> Part:
        options: JsonObject = {"stop": [STOP]} | forms.read_options(body.get("options") or {})
        think = body.get("think")
        thinks = "thinking" in self._resident.capabilities and think is not False
        return Part(
            request=ChatRequest(body=request | {"think": thinks, "options": options}),
            options=options,
            num_ctx=self._num_ctx(options),
            # Without a word about it, /api/generate has the model think and hides what it thought.
            think=thinks and (chat or think is not None),
            raw=raw,
            before=body.get("context") or (),
            format=forms.format_of(body),
            format_waits=chat and thinks,
            logprobs=body.get("logprobs", False),
            top=body.get("top_logprobs", 0),
            truncate=body.get("truncate", True),
            shift=body.get("shift", True),
            context=not chat and raw is None,
        )

    async def _play(
        self, asked: Asked, body: JsonObject, manner: Manner, scribe: Scribe, part: Part
    ) -> Reply:
        self._use(body, part.num_ctx)
        if body.get("_debug_render_only"):
            return _whole(asked, manner, scribe.show(await self._prompt(part)))
        speeches = ahead(self._speeches(part, scribe.loaded))
        if body.get("stream", True):
            objects = _put(scribe, speeches)
            return Lines(asked=asked, objects=objects, manner=manner)
        async with aclosing(speeches):
            said = [speech async for speech in speeches]
        return _whole(asked, manner, scribe.whole(said, calls=bool(part.request.tools)))

    async def _prompt(self, part: Part) -> str:
        if not isinstance(self._arm, Engine):
            raise Refusal(501, f"tonearm: arm {self._arm.name} does not show prompts")
        async with self._arm.loaded(part.num_ctx, shift=part.shift) as loaded:
            return await Performance(part, self._arm, loaded).prompt()

    async def _speeches(self, part: Part, ready: Callable[[], None]) -> AsyncGenerator[Speech]:
        if not isinstance(self._arm, Engine):
            async with aclosing(recite(self._arm, part)) as speeches:
                async for speech in speeches:
                    yield speech
            return
        async with self._arm.loaded(part.num_ctx, shift=part.shift) as loaded:
            ready()
            async with aclosing(Performance(part, self._arm, loaded).speak()) as speeches:
                async for speech in speeches:
                    yield speech


async def _put(scribe: Scribe, speeches: AsyncGenerator[Speech]) -> AsyncGenerator[JsonObject]:
    async with aclosing(speeches):
        async for speech in speeches:
            yield scribe.put(speech)


def _header(weights: Path) -> Header:
    """Return what a file says of itself; one that an engine has read may be too much for us."""
    try:
        return read_header(weights)
    except GgufError as err:
        logger.warning("%s: %s; /api/show will not tell of it", weights, err)
        return Header({}, ())


def _whole(asked: Asked, manner: Manner, body: JsonObject) -> Reply:
    return whole(manner.whole(body), asked, kind=manner.whole_type)


def _images(body: JsonObject) -> JsonObject:
    return {"images": body["images"]} if body.get("images") else {}
