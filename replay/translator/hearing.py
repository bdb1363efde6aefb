"""One answer beside the completion that it was made from: what the parse check works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tonearm.canonical import JsonObject, canonical_bytes
from tonearm.model import Answer, ChatRequest, Take, ToolCall
from tonearm.replay.compare import folded
from tonearm.replay.release import release
from tonearm.replay.translator.causes import V0_32_1
from tonearm.replay.translator.conversation import thinks
from tonearm.replay.translator.segments import Segment, cut
from tonearm.templates import ChatFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """What the model said, how we read it, and what Ollama made of it."""

    completion: str
    ours: Answer
    theirs: Answer
    opened: bool
    """Whether Ollama's parser takes the beginning of the completion for a thought."""
    thinks: bool
    """Whether the model was to think; otherwise Ollama throws thoughts away."""
    whole: bool
    """Whether the model came to an end; otherwise it may have been about to."""
    tools: Sequence[JsonObject]
    stream: bool

    @property
    def agrees(self) -> bool:
        """Whether both readings are the same and neither had to pass over anything."""
        return (
            not self.ours.problems
            and self.same_calls
            and folded(self.ours.content) == folded(self.theirs.content)
            and folded(self.ours.thinking) == folded(self.theirs.thinking)
        )

    @property
    def same_calls(self) -> bool:
        """Whether both readings have the same calls, arguments compared by value."""
        return [*map(_exactly, self.ours.tool_calls)] == [*map(_exactly, self.theirs.tool_calls)]

    def segments(self) -> list[Segment]:
        """Return the completion as Ollama's parser cuts it."""
        return list(cut(self.completion, starts_in_thinking=self.opened))


def hear(
    request: ChatRequest, take: Take, completion: str, theirs: Answer, chat_format: ChatFormat
) -> Hearing:
    """Read a completion, once."""
    opened = _opened(request, take)
    starts = chat_format.starts_in_thinking(take.rendered.prompt) if take.rendered else opened
    return Hearing(
        completion=completion,
        ours=chat_format.parse(completion, tools=request.tools, starts_in_thinking=starts),
        theirs=theirs,
        opened=opened,
        thinks=thinks(request, take),
        whole=take.wire is None or take.wire.done_reason != "length",
        tools=request.tools,
        stream=request.stream,
    )


def _opened(request: ChatRequest, take: Take) -> bool:
    """Tell by the last message, as Ollama does since v0.32.1, whatever the prompt ends with."""
    version = release(take.pin.server_version if take.pin else None)
    last = request.messages[-1] if request.messages else None
    role = str(last.get("role")).lower() if isinstance(last, dict) else ""
    return role == "tool" and thinks(request, take) and (version is None or version >= V0_32_1)


def _exactly(call: ToolCall) -> tuple[str, bytes]:
    return call.name, canonical_bytes(call.arguments)
