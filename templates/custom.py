"""A user's own chat template in place of ours.

It is identified by its SHA-256 and rendered in ``tonearm.templates.sandbox``, known or not: the
hash of a template names it, and the limits cost a few milliseconds a turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from tonearm.canonical import JsonObject
from tonearm.errors import RenderError
from tonearm.templates.gemma4.grammar import Gemma4Grammar
from tonearm.templates.sandbox import Limits, Sandbox
from tonearm.templates.source import Source, find

_WORDS = (("tools", "tools"), ("thinking", "enable_thinking"))


class CustomTemplate(Gemma4Grammar):
    """A template of other origin; completions are read by Gemma 4's grammar."""

    def __init__(
        self, source: Source, *, now: datetime | None = None, limits: Limits | None = None
    ) -> None:
        """Take a template.

        Args:
            source: The template and its tokens.
            now: What ``strftime_now`` formats; the present where nothing is given.
            limits: Of each rendering.
        """
        self.name = source.name
        self.sha256 = source.sha256
        self._tokens = dict(source.tokens)
        self._capabilities = tuple(name for name, word in _WORDS if word in source.text)
        moment = now or datetime.now().astimezone()
        self._sandbox = Sandbox(source.text, now=moment.isoformat(), limits=limits or Limits())

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What of ``tools`` and ``thinking`` the template asks about."""
        return self._capabilities

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

        Raises:
            RenderError: The template rejects the conversation, fails, or goes beyond its limits.
        """
        switches = {"enable_thinking": enable_thinking, "preserve_thinking": preserve_thinking}
        variables: JsonObject = {
            "messages": list(messages),
            "tools": None if tools is None else list(tools),
            "documents": None,
            "add_generation_prompt": add_generation_prompt,
            **self._tokens,
            **{name: value for name, value in switches.items() if value is not None},
        }
        try:
            return self._sandbox.render(variables)
        except RenderError as err:
            raise RenderError(f"{self.name}: {err}") from err

    def close(self) -> None:
        """End the process that renders."""
        self._sandbox.close()


def load(path: Path) -> CustomTemplate:
    """Take the template of a file, a model folder or a GGUF file.

    Raises:
        UsageError: There is no template there, or none that can be read.
    """
    return CustomTemplate(find(path))
