"""An engine that says what it was told to say, one character a token unless told otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tonearm import templates
from tonearm.arms.base import Prompt
from tonearm.arms.engine import End, EngineRefused, Passage, Piece
from tonearm.errors import ArmError, RenderError
from tonearm.model import ChatRequest, Pin, Take, Token


@dataclass
class Puppet:
    """Answers each passage with the next of its lines, the last one again and again."""

    lines: Sequence[Sequence[str]]
    """Each the texts of the tokens of one answer."""
    name: str = "puppet"
    default_num_ctx: int = 4096
    refusal: EngineRefused | None = None
    breaks: ArmError | None = None
    """What happens behind the last token."""
    go: asyncio.Event | None = None
    """Where given, each answer waits for it behind its first token."""
    passages: list[Passage] = field(default_factory=list)
    """What it was asked to continue."""
    loads: list[tuple[int, bool]] = field(default_factory=list)
    talking: int = 0
    """How many answers are being written."""
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once an answer has begun."""
    over: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once an answer was written to its end or given up."""
    weights: Path | None = None

    def __post_init__(self) -> None:
        self._busy = asyncio.Lock()
        self._pin = Pin(model="puppet:e2b", family="gemma4")

    async def open(self, models: Sequence[str]) -> None:
        """Nothing to get ready."""

    async def close(self) -> None:
        """Nothing to let go of."""

    async def play(self, request: ChatRequest) -> Take:
        """It is asked beneath this."""
        raise NotImplementedError

    def pin_of(self, request: ChatRequest) -> Pin:
        """Return the same for every request."""
        return self._pin

    def write(self, request: ChatRequest) -> Prompt:
        """Write the prompt as the real ones do."""
        if any(message.get("images") for message in request.messages):
            raise RenderError("images_unsupported: messages[0] has images")
        chat_format = templates.get("gemma4-small")
        messages = chat_format.from_ollama(request.messages)
        think = request.thinks(capable=True)
        text = chat_format.render(messages, request.tools, enable_thinking=think)
        return Prompt(text, chat_format)

    @asynccontextmanager
    async def loaded(self, num_ctx: int, *, shift: bool) -> AsyncIterator[_Strings]:
        """Hold it."""
        async with self._busy:
            self.loads.append((num_ctx, shift))
            yield _Strings(self, num_ctx)


@dataclass(frozen=True)
class _Strings:
    puppet: Puppet
    num_ctx: int

    async def cut(self, text: str) -> list[int]:
        return [ord(sign) for sign in text]

    async def join(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))

    async def go_on(self, passage: Passage) -> AsyncGenerator[Piece]:
        puppet = self.puppet
        if puppet.refusal is not None:
            raise puppet.refusal
        number = min(len(puppet.passages), len(puppet.lines) - 1)
        puppet.passages.append(passage)
        puppet.talking += 1
        puppet.begun.set()
        try:
            said = 0
            for text in puppet.lines[number][: passage.options["num_predict"]]:
                tokens = (Token(text=text, logprob=-0.5, top=((text, -0.5), ("z", -2.0))),)
                yield Piece(text=text, tokens=tokens if passage.top else ())
                said += 1
                if puppet.go is not None:
                    await puppet.go.wait()
            if puppet.breaks is not None:
                raise puppet.breaks
            limited = said < len(puppet.lines[number])
            end = End(
                limited=limited,
                prompt_tokens=len(passage.ids),
                tokens=said if limited else said + 1,
                prompt_s=0.25,
                decode_s=0.5,
            )
            yield Piece(text="", end=end)
        finally:
            puppet.talking -= 1
            puppet.over.set()
