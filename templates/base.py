"""What a chat grammar can do: write a prompt, read a completion.

Both halves belong to one object, because a completion can be read only by whoever knows how its
prompt ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tonearm.canonical import JsonObject
from tonearm.model import Answer, ToolCall


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """What one more piece of a completion adds to the answer."""

    content: str = ""
    thinking: str = ""
    tool_call: ToolCall | None = None


class Reader(Protocol):
    """Reads one completion while it is written; all deltas together are the answer."""

    def feed(self, text: str) -> list[Delta]:
        """Take the next part of the completion, and return what is certain by then."""

    def end(self) -> list[Delta]:
        """Take the end of the completion; after that nothing changes any more."""

    def close(self) -> Answer:
        """End the completion and return the answer."""


class ChatFormat(Protocol):
    """The grammar of one model family and variant."""

    @property
    def name(self) -> str:
        """Its name in reports, as Ollama names renderers: ``gemma4-large``."""

    @property
    def sha256(self) -> str:
        """Of the template's source, variant included."""

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What of ``tools`` and ``thinking`` it has words for."""

    @property
    def markers(self) -> tuple[str, ...]:
        """The control tokens that an answer can hold, which a runtime has to print."""

    @property
    def probe(self) -> str:
        """A prompt that breaks off within a call: whatever goes on from there ends in a marker."""

    def render(
        self,
        messages: Sequence[JsonObject],
        tools: Sequence[JsonObject] | None = None,
        *,
        enable_thinking: bool | None = None,
        preserve_thinking: bool | None = None,
        add_generation_prompt: bool = True,
    ) -> str:
        """Write the prompt of a conversation.

        Args:
            messages: In the form of Hugging Face's ``apply_chat_template``; recorded ones go
                through ``from_ollama`` first.
            tools: Declarations, each ``{"type": "function", "function": {...}}``.
            enable_thinking: ``None`` leaves it to the template, as if it were not passed.
            preserve_thinking: As above.
            add_generation_prompt: Whether the prompt ends where the model has to go on.

        Raises:
            RenderError: The template rejects the conversation.
        """

    def parse(
        self,
        completion: str,
        *,
        tools: Sequence[JsonObject] | None = None,
        starts_in_thinking: bool = False,
    ) -> Answer:
        """Take a completion apart; never raises, what it cannot read is in the problems.

        Args:
            completion: What the model wrote, markup included.
            tools: What the request declared; some repairs need the types of the arguments.
            starts_in_thinking: Whether the prompt left a thought open.
        """

    def reader(
        self,
        *,
        tools: Sequence[JsonObject] | None = None,
        starts_in_thinking: bool = False,
        blanks: bool = False,
    ) -> Reader:
        """Return what takes apart a completion that is still being written.

        Args:
            tools: As above.
            starts_in_thinking: As above.
            blanks: Whether blanks at the ends of content are kept, as Ollama keeps them.
        """

    def starts_in_thinking(self, prompt: str) -> bool:
        """Return whether a completion of this prompt begins inside a thought."""

    def from_ollama(self, messages: Sequence[JsonObject]) -> list[JsonObject]:
        """Return the messages of an ``/api/chat`` body in the form that ``render`` takes."""
