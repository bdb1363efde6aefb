"""What prompts and completions of Gemma 4 have in common, whichever template writes the prompts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from tonearm.canonical import JsonObject
from tonearm.model import Answer
from tonearm.templates.base import Reader
from tonearm.templates.gemma4 import ollama, parse
from tonearm.templates.gemma4.tokens import CALL, CALL_END, CHANNEL, CHANNEL_END, QUOTE, RESPONSE


class Gemma4Grammar(ABC):
    """All of ``ChatFormat`` but the rendering."""

    __slots__ = ()

    @abstractmethod
    def render(
        self,
        messages: Sequence[JsonObject],
        tools: Sequence[JsonObject] | None = None,
        *,
        enable_thinking: bool | None = None,
        preserve_thinking: bool | None = None,
        add_generation_prompt: bool = True,
    ) -> str:
        """Write the prompt of a conversation; see ``ChatFormat``."""

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What of ``tools`` and ``thinking`` its prompts have words for."""
        return ("tools", "thinking")

    @property
    def markers(self) -> tuple[str, ...]:
        """The control tokens that an answer can hold, which a runtime has to print."""
        return (CHANNEL, CHANNEL_END, CALL, CALL_END, RESPONSE, QUOTE)

    @property
    def probe(self) -> str:
        """A prompt that breaks off within a call: whatever goes on from there ends in a marker."""
        question = [{"role": "user", "content": "Search the web for solar panels."}]
        function = {"name": "web_search", "description": "Search the web"}
        prompt = self.render(question, [{"type": "function", "function": function}])
        return f"{prompt}{CALL}call:web_search{{query:{QUOTE}solar panels"

    def parse(
        self,
        completion: str,
        *,
        tools: Sequence[JsonObject] | None = None,
        starts_in_thinking: bool = False,
    ) -> Answer:
        """Take a completion apart; never raises, what it cannot read is in the problems."""
        return parse.parse(completion, tools=tools, starts_in_thinking=starts_in_thinking)

    def reader(
        self,
        *,
        tools: Sequence[JsonObject] | None = None,
        starts_in_thinking: bool = False,
        blanks: bool = False,
    ) -> Reader:
        """Return what takes apart a completion that is still being written."""
        return parse.Parser(tools=tools, starts_in_thinking=starts_in_thinking, blanks=blanks)

    def starts_in_thinking(self, prompt: str) -> bool:
        """Return whether a completion of this prompt begins inside a thought."""
        return prompt.endswith(f"{CHANNEL}thought\n")

    def from_ollama(self, messages: Sequence[JsonObject]) -> list[JsonObject]:
        """Return the messages of an ``/api/chat`` body in the form that ``render`` takes."""
        return ollama.from_ollama(messages)
