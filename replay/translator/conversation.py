"""A conversation in two views: as the template takes it, and as Ollama received it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from tonearm.canonical import Json, JsonObject
from tonearm.model import ChatRequest, Take


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Everything that a prompt is made from."""

    messages: Sequence[JsonObject]
    """In the template's form."""
    sent: Sequence[JsonObject]
    """The same messages in the form of ``/api/chat``, one for one."""
    tools: Sequence[JsonObject] = ()
    large: bool = False
    """Whether the model is of the sizes whose prompt ends with an empty thought."""
    thinks: bool = False
    think_said: bool = True
    """Whether the request says if the model is to think."""
    preserve_thinking: bool = False
    add_generation_prompt: bool = True

    def with_system(self, text: str) -> Conversation:
        """Return the conversation with an instruction before everything else."""
        message = {"role": "system", "content": text}
        return replace(self, messages=[message, *self.messages], sent=[message, *self.sent])

    def without_oldest(self, count: int) -> Conversation:
        """Return the conversation as Ollama cuts it, which keeps system messages."""
        kept = [n for n in range(count) if self.messages[n].get("role") == "system"]
        kept += range(count, len(self.messages))
        return replace(
            self, messages=[self.messages[n] for n in kept], sent=[self.sent[n] for n in kept]
        )


def thinks(request: ChatRequest, take: Take) -> bool:
    """Return whether the model was to think; where the server does not say if it can, it can."""
    capabilities = take.pin.capabilities if take.pin else ()
    return request.thinks(not capabilities or "thinking" in capabilities)


def as_text(content: Json) -> str:
    """Return a content as clients of Ollama send it, which takes nothing but a text."""
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        return "".join(str(part.get("text") or "") for part in content)
    return json.dumps(content, ensure_ascii=False)
