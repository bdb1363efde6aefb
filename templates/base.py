"""What a chat grammar can do: write a prompt, read a completion.

Both halves belong to one object, because a completion can be read only by whoever knows how its
prompt ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tonearm.canonical import JsonObject
from tonearm.model import Answer


class ChatFormat(Protocol):
    """The grammar of one model family and variant."""

    @property
    def name(self) -> str:
        """Its name in reports, as Ollama names renderers: ``gemma4-large``."""

    @property
    def sha256(self) -> str:
        """Of the template's source, variant included."""

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

    def starts_in_thinking(self, prompt: str) -> bool:
        """Return whether a completion of this prompt begins inside a thought."""

    def from_ollama(self, messages: Sequence[JsonObject]) -> list[JsonObject]:
        """Return the messages of an ``/api/chat`` body in the form that ``render`` takes."""
