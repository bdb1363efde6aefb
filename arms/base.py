"""What an arm is: anything that can answer a recorded request.

An arm opens once, plays any number of requests, and closes. What goes wrong before the first
request is an ``ArmUnavailable``; what goes wrong with one request is a take that says so, because
the other turns can still be compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from tonearm.canonical import JsonObject
from tonearm.model import Answer, ChatRequest, Take
from tonearm.templates.base import ChatFormat, Reader


class Arm(Protocol):
    """Something that answers chat requests and shows what it saw at each layer."""

    @property
    def name(self) -> str:
        """The name in reports, unique within a run."""

    async def open(self, models: Sequence[str]) -> None:
        """Get ready to answer for these models.

        Raises:
            ArmUnavailable: It cannot run here; the message says what to do.
        """

    async def play(self, request: ChatRequest) -> Take:
        """Answer one request. Failures are takes with ``error``, not exceptions."""

    async def close(self) -> None:
        """Let go of connections and processes."""


BOS = "<bos>"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A finished prompt and the grammar that it is written in."""

    text: str
    format: ChatFormat

    def parse(self, completion: str, tools: Sequence[JsonObject]) -> Answer:
        """Take apart what was written behind this prompt."""
        return self.format.parse(completion, tools=tools, starts_in_thinking=self.open_thought)

    def reader(self, tools: Sequence[JsonObject]) -> Reader:
        """Return what takes apart, piece by piece, what is being written behind this prompt."""
        return self.format.reader(tools=tools, starts_in_thinking=self.open_thought, blanks=True)

    @property
    def open_thought(self) -> bool:
        """Whether what is written behind this prompt begins inside a thought."""
        return self.format.starts_in_thinking(self.text)

    @property
    def bare(self) -> str:
        """The text without the ``<bos>`` that engines put in front themselves."""
        return self.text.removeprefix(BOS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What another arm answered, for a reference to judge."""

    arm: str
    completion: str
    tokens: tuple[str, ...] = ()
    """Texts of the sampled tokens; where they are missing, the completion is cut anew."""
    ended: bool = True
    """Whether the arm stopped by itself rather than at a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request, and what was answered to it."""

    request: ChatRequest
    drafts: tuple[Draft, ...] = ()
    """The first is the likeliest to be right."""


@runtime_checkable
class Reference(Arm, Protocol):
    """An arm that is asked after the others, because it can judge what they answered.

    Judging many requests at once is what makes a reference affordable: a completion that is given
    costs one pass over it, however long it is.
    """

    @property
    def judges(self) -> bool:
        """Whether it wants to see the others' answers, or only to be asked."""

    async def judge(self, cases: Sequence[Case]) -> list[Take]:
        """Return a take for each case, with ``scored`` for each draft.

        Cases of one conversation are best given together and in order.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmOptions:
    """What a user can set for an arm."""

    name: str | None = None
    """The name in reports, where the arm's own is not wanted or taken."""
    url: str = "http://127.0.0.1:11434"
    """The Ollama server, where ``target`` does not name another."""
    target: str | None = None
    """What stands behind the arm's name: an address, a file or a folder, as the arm has it."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What stands behind the target, each ``name=value``."""
    model: str | None = None
    """Asked instead of the recorded model."""
    timeout_s: float = 600.0
    """The longest silence from a server, seconds. Loading a large model is silent."""
    template: ChatFormat | None = None
    """Writes the prompts in place of the grammar that fits the model."""
    layers: bool = True
    """Ask for what makes the inner layers visible; without it only the plain request is sent."""
