"""What an arm offers that runs its model itself: any text continued, piece by piece.

A take shows an answer when it is whole. A server has to pass it on while it is written, and has to
decide itself what the model is given, so it asks the engine beneath the arm.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from tonearm.arms.base import Arm, Prompt
from tonearm.canonical import Json
from tonearm.errors import ArmError
from tonearm.model import ChatRequest, Pin, Token


class EngineRefused(ArmError):
    """An engine answered with an error of its own."""

    def __init__(self, arm: str, problem: str, *, status: int, body: str) -> None:
        super().__init__(arm, problem)
        self.status = status
        self.body = body
        """As it came, mostly a JSON text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """What an engine is to continue, and how."""

    ids: Sequence[int]
    """The tokens of the prompt, all of them."""
    options: Mapping[str, Json]
    """Sampling options in Ollama's names; those that are missing have Ollama's defaults."""
    markers: Sequence[str] = ()
    """Control tokens that are to be printed."""
    top: int = 0
    """How many of the likeliest tokens are wanted at each place; where 0, no log-probs either."""
    grammar: str | None = None
    """What may be written, in the notation of llama.cpp (GBNF)."""
    schema: Json = None
    """The same as a JSON schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a continuation ended."""

    limited: bool
    """Whether a limit ended it rather than the model or a stop sequence."""
    prompt_tokens: int
    tokens: int
    """Tokens written, the one that ended the turn included."""
    prompt_s: float
    decode_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What was written since the last piece, mostly one token."""

    text: str
    tokens: tuple[Token, ...] = ()
    """Where they were asked for."""
    end: End | None = None
    """With the last piece."""


class Loaded(Protocol):
    """A model in memory, all to one request."""

    @property
    def num_ctx(self) -> int:
        """The context that was asked for, tokens."""

    async def cut(self, text: str) -> list[int]:
        """Return the tokens of a text; markers in it are tokens, nothing is added."""

    async def join(self, ids: Sequence[int]) -> str:
        """Return the text of tokens."""

    def go_on(self, passage: Passage) -> AsyncGenerator[Piece]:
        """Continue a passage; closing the generator ends the writing.

        Raises:
            EngineRefused: The engine does not take the passage.
            ArmError: The engine fails.
        """


@runtime_checkable
class Engine(Arm, Protocol):
    """An arm whose engine can be asked directly."""

    @property
    def default_num_ctx(self) -> int:
        """The context of requests that do not ask for one, tokens."""

    @property
    def weights(self) -> Path | None:
        """The model's GGUF file, where it has one."""

    def pin_of(self, request: ChatRequest) -> Pin:
        """Return what identifies the engine for a request."""

    def write(self, request: ChatRequest) -> Prompt:
        """Write the prompt of a request.

        Raises:
            RenderError: The template rejects the conversation, or it holds an image.
        """

    def loaded(self, num_ctx: int, *, shift: bool) -> AbstractAsyncContextManager[Loaded]:
        """Load the model with a context and hold it; others wait for their turn, in order.

        Args:
            num_ctx: Tokens.
            shift: Whether old tokens make room when the context is full.

        Raises:
            ArmUnavailable: The model cannot be loaded that way.
        """
