"""Arm B without Ollama: llama.cpp in this process, given a finished prompt.

Our template writes the prompt, the engine continues its token ids, our parser reads what came. The
markers that the grammar needs are asked for by name, because model files may type them as control
tokens, which are not printed otherwise.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import ClassVar

from tonearm import templates
from tonearm.arms import _gguf, _native
from tonearm.arms._llama_client import LlamaClient
from tonearm.arms._llama_generate import TOP, generate, write_on
from tonearm.arms._llama_score import score
from tonearm.arms._llama_server import LlamaServer
from tonearm.arms.base import ArmOptions, Case, Prompt
from tonearm.arms.engine import Passage, Piece
from tonearm.errors import ArmError, ArmUnavailable, RenderError, UsageError
from tonearm.model import ChatRequest, Pin, Take

NUM_CTX = 4096
"""The context of a request that does not ask for one, as on a small machine with Ollama."""


class LlamaCpp:
    """One GGUF file, whatever model a request names."""

    SETTINGS: ClassVar[dict[str, tuple[str, ...]]] = {
        "kv": ("f16", "f32"),
        "mode": ("play", "score"),
        "num_ctx": (),
    }
    """``kv``: type of cached keys and values. ``mode=score`` makes it a reference for the others.
    ``num_ctx``: context of requests that do not ask for one."""

    def __init__(self, options: ArmOptions) -> None:
        self._options = options
        self._name = options.name or "llama-cpp"
        self._path = Path(options.target or "")
        self._server: LlamaServer | None = None
        self._busy = asyncio.Lock()
        self._pin = Pin(model="")

    @property
    def name(self) -> str:
        """The name in reports."""
        return self._name

    @property
    def judges(self) -> bool:
        """Whether it is a reference for the other arms."""
        return self._options.settings.get("mode") == "score"

    async def open(self, models: Sequence[str]) -> None:
        """Load the file.

        Raises:
            ArmUnavailable: The extra is missing, or the file, or the file is of no use.
            RenderError: There is no grammar for models of this architecture.
        """
        family = self._family()
        if self._options.template is None:
            templates.for_model(Pin(model="", family=family))
        await self._load(self.default_num_ctx)
        assert self._server is not None
        facts = self._server.facts
        self._pin = Pin(
            model="",
            runtime=f"llama.cpp (xllamacpp {_installed('xllamacpp')})",
            digest=await asyncio.to_thread(_gguf.digest, self._path),
            family=family,
            parameter_size=_gguf.parameter_size(facts.get("n_params")),
            quantization=_gguf.quantization(str(facts.get("ftype") or "")),
        )

    async def close(self) -> None:
        """Let go of the model."""
        if self._server is not None:
            await self._server.close()
            self._server = None

    async def play(self, request: ChatRequest) -> Take:
        """Render the request, let the engine continue it, and parse what came."""
        try:
            prompt = self.write(request)
            async with self._busy:
                server = await self._for(request)
                ids = [token for token, _ in await server.tokenize(prompt.text)]
                generated = await generate(server, prompt, ids, request)
        except (ArmError, RenderError) as err:
            return self._failed(err, request)
        return _native.take(self._name, request, prompt, ids, generated, self.pin_of(request))

    def write(self, request: ChatRequest) -> Prompt:
        """Write the prompt of a request.

        Raises:
            RenderError: The template rejects the conversation, or it holds an image.
        """
        return _native.write(request, self.pin_of(request), self._options.template)

    @asynccontextmanager
    async def loaded(self, num_ctx: int, *, shift: bool) -> AsyncIterator[_Loaded]:
        """Load the model with a context and hold it; others wait for their turn, in order.

        Raises:
            ArmUnavailable: The model cannot be loaded that way.
        """
        async with self._busy:
            if self._server is None or self._server.asked != (num_ctx, shift):
                await self._load(num_ctx, shift=shift)
            assert self._server is not None
            yield _Loaded(self._server.client, num_ctx)

    @property
    def weights(self) -> Path:
        """The model's GGUF file."""
        return self._path

    @property
    def default_num_ctx(self) -> int:
        """The context of requests that do not ask for one, tokens."""
        text = self._options.settings.get("num_ctx", str(NUM_CTX))
        if not text.isdecimal() or int(text) < 1:
            raise UsageError(f"arm llama-cpp: num_ctx={text} is not a number of tokens")
        return int(text)

    async def judge(self, cases: Sequence[Case]) -> list[Take]:
        """Score what the others answered, and answer where none of it is this arm's own answer."""
        return [await self._judge(case) for case in cases]

    async def _judge(self, case: Case) -> Take:
        request = case.request
        started = time.monotonic()
        try:
            prompt = self.write(request)
            async with self._busy:
                server = await self._for(request)
                ids = [token for token, _ in await server.tokenize(prompt.text)]
                scored = tuple([await score(server, ids, draft, TOP) for draft in case.drafts])
        except (ArmError, RenderError) as err:
            return self._failed(err, request)
        if _native.is_greedy(request):
            repeated = _native.repeated(case.drafts, scored, time.monotonic() - started)
            if repeated is not None:
                pin = self.pin_of(request)
                return _native.take(self._name, request, prompt, ids, repeated, pin, scored)
        return replace(await self.play(request), scored=scored)

    def _failed(self, err: ArmError | RenderError, request: ChatRequest) -> Take:
        problem = err.problem if isinstance(err, ArmError) else f"cannot render: {err}"
        return Take(arm=self._name, error=problem, pin=self.pin_of(request))

    def pin_of(self, request: ChatRequest) -> Pin:
        """Return what identifies the engine for a request."""
        return replace(
            self._pin,
            model=self._options.model or request.model,
            num_ctx=self._server.num_ctx if self._server else None,
            options=request.options,
        )

    async def _for(self, request: ChatRequest) -> LlamaClient:
        """Return the engine with a context at least as long as the request asks for."""
        wanted = request.options.get("num_ctx")
        if isinstance(wanted, int) and self._server and wanted > self._server.num_ctx:
            await self._load(wanted)
        assert self._server is not None, "open() comes first"
        return self._server.client

    async def _load(self, num_ctx: int, *, shift: bool = False) -> None:
        await self.close()
        kv = self._options.settings.get("kv", "f16")
        server = LlamaServer(
            self._name,
            self._path,
            num_ctx=num_ctx,
            kv=kv,
            timeout_s=self._options.timeout_s,
            shift=shift,
        )
        await server.open()
        self._server = server

    def _family(self) -> str | None:
        if not self._options.target:
            raise UsageError("arm llama-cpp needs a model: --arm llama-cpp=FILE.gguf")
        try:
            return _gguf.architecture(self._path)
        except (OSError, ValueError) as err:
            problem = err.strerror if isinstance(err, OSError) else str(err)
            fix = "name a GGUF file: --arm llama-cpp=FILE.gguf"
            raise ArmUnavailable(self._name, f"{self._path}: {problem}", fix=fix) from err


@dataclass(frozen=True, slots=True)
class _Loaded:
    """The engine, for one request."""

    server: LlamaClient
    num_ctx: int

    async def cut(self, text: str) -> list[int]:
        return [token for token, _ in await self.server.tokenize(text)]

    async def join(self, ids: Sequence[int]) -> str:
        return await self.server.join(ids)

    def go_on(self, passage: Passage) -> AsyncGenerator[Piece]:
        return write_on(self.server, passage)


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
