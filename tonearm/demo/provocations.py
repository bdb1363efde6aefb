"""What is broken on purpose: for each layer one thing of a kind that real servers have done."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from tonearm.canonical import JsonObject
from tonearm.demo.model import QUARTER
from tonearm.demo.relay import Fault
from tonearm.demo.traffic import UNLUCKY
from tonearm.model import Layer


@dataclass(frozen=True, slots=True, kw_only=True)
class Provocation:
    """One thing that is broken."""

    layer: Layer
    """Where it has to be found."""
    task_id: str
    """The conversation that is asked again with it."""
    what: str
    """What is broken and who has done that in earnest, for people."""
    how: str
    """How the demo does it."""
    cause: str | None = None
    """What the translator check has to call it, where it can see it."""
    fault: Fault = field(default_factory=Fault)
    """What a relay in front of the server does."""
    kind: str | None = None
    """The model file that the second arm takes instead of the server's; then there is no relay."""


def _without_unlucky(body: JsonObject) -> JsonObject:
    body = copy.deepcopy(body)
    for tool in body.get("tools") or []:
        tool["function"]["parameters"]["properties"].pop(UNLUCKY, None)
    return body


def _without_calls(line: JsonObject) -> JsonObject:
    message = {k: v for k, v in (line.get("message") or {}).items() if k != "tool_calls"}
    return {**line, "message": message} if message else line


def _unless_last(line: JsonObject) -> JsonObject | None:
    return None if line.get("done_reason") and "_debug_info" not in line else line


PROVOCATIONS = (
    Provocation(
        layer=Layer.RENDER,
        task_id=f"movies-0-{UNLUCKY}",
        what=f"a tool has a parameter called {UNLUCKY}; Ollama's renderer takes the name for a "
        "schema keyword and leaves the parameter out of the prompt",
        how="a relay in front of the server takes the parameter out of the request",
        cause="tool-param-named-like-schema-keyword",
        fault=Fault(request=_without_unlucky),
    ),
    Provocation(
        layer=Layer.DECODE,
        task_id="long-0",
        what="the second arm runs the same weights with 4 bits each instead of 16",
        how=f"its file is the one quantised to {QUARTER}",
        kind=QUARTER,
    ),
    Provocation(
        layer=Layer.PARSE,
        task_id="movies-0",
        what="the model's calls do not reach the agent; Ollama 0.20.1 to 0.20.5 dropped calls with "
        "a blank before a key, and nobody but its log knew",
        how="a relay takes the calls out of the answer and leaves the tokens as they were sampled",
        cause="dropped-call",
        fault=Fault(reply=_without_calls),
    ),
    Provocation(
        layer=Layer.WIRE,
        task_id="memory-0",
        what="answers end without their last line, with HTTP status 200; so do Ollama's when the "
        "engine stops, or repeats blanks for too long",
        how="a relay keeps the last line back",
        fault=Fault(reply=_unless_last),
    ),
)
