"""What is said on the stage, piece by piece, and how Ollama's two endpoints put it.

Order of fields and which of them are left out when empty: ollama:api/types.go@v0.33.0.
"""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tonearm.arms.engine import End
from tonearm.canonical import JsonObject
from tonearm.model import Token, ToolCall
from tonearm.wire import NS_PER_S

_ID_SIGNS = string.ascii_lowercase + string.digits
_ID_LENGTH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """What one more piece of an answer says."""

    content: str = ""
    thinking: str = ""
    calls: tuple[ToolCall, ...] = ()
    tokens: tuple[Token, ...] = ()
    """The tokens behind it, where log-probs were asked for."""
    end: End | None = None
    """With the last piece; an answer that breaks off has none."""
    context: tuple[int, ...] = ()
    """With the last piece: the tokens of prompt and answer."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing in it to send."""
        said = self.content or self.thinking or self.calls or self.tokens
        return not said and self.end is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The times of one request."""

    now_ns: Callable[[], int] = time.time_ns
    """Of day, nanoseconds since 1970."""
    tick_ns: Callable[[], int] = time.monotonic_ns


def stamp(at_ns: int) -> str:
    """Return a time, nanoseconds since 1970, as Go writes it: in UTC, no zeros at the end."""
    whole_s, rest_ns = divmod(at_ns, NS_PER_S)
    fraction = f".{rest_ns:09d}".rstrip("0").rstrip(".")
    return f"{datetime.fromtimestamp(whole_s, UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"


class Scribe:
    """Writes the pieces of one answer as the objects of one endpoint."""

    def __init__(self, model: str, *, chat: bool, clock: Clock) -> None:
        """Begin an answer.

        Args:
            model: As the client wrote it.
            chat: Whether ``/api/chat`` was asked, rather than ``/api/generate``.
            clock: Its ticks begin to count now.
        """
        self._model = model
        self._chat = chat
        self._clock = clock
        self._begun_ns = clock.tick_ns()
        self._loaded_ns = self._begun_ns
        self._calls = 0

    def loaded(self) -> None:
        """Note that the model is ready."""
        self._loaded_ns = self._clock.tick_ns()

    def put(self, speech: Speech) -> JsonObject:
        """Return the object of one piece of the answer."""
        heard = self._chat or speech.end is not None
        calls = [self._call(call) for call in speech.calls] if heard else []
        text: JsonObject = {"content" if self._chat else "response": speech.content}
        if speech.thinking:
            text["thinking"] = speech.thinking
        said = self._said(text, calls if self._chat else [])
        body = self._head() | said | {"done": speech.end is not None}
        if speech.end is None:
            return body | _logprobs(speech.tokens)
        body["done_reason"] = "length" if speech.end.limited else "stop"
        metrics = self._metrics(speech.end)
        if self._chat:
            return body | _logprobs(speech.tokens) | metrics
        context = {"context": list(speech.context)} if speech.context else {}
        made = {"tool_calls": [_nameless(call) for call in calls]} if calls else {}
        return body | context | metrics | made | _logprobs(speech.tokens)

    def note(self, reason: str) -> JsonObject:
        """Return the answer to a request that loads or unloads a model."""
        empty = {"content" if self._chat else "response": ""}
        return self._head() | self._said(empty, []) | {"done": True, "done_reason": reason}

    def show(self, prompt: str) -> JsonObject:
        """Return the answer to a request that wants to see its prompt."""
        said = {"message": {"role": "", "content": ""}} if self._chat else {"response": ""}
        debug = {"_debug_info": {"rendered_template": prompt}}
        return self._head() | said | {"done": False} | debug

    def whole(self, speeches: Sequence[Speech], *, calls: bool) -> JsonObject:
        """Return an answer in one piece.

        Args:
            speeches: All of it, in order.
            calls: Whether all calls count; without tools in the request Ollama forgets those that
                came before the last piece.
        """
        if not speeches:
            return _nothing(chat=self._chat)
        last = speeches[-1]
        made = tuple(call for speech in speeches for call in speech.calls)
        return self.put(
            Speech(
                content="".join(speech.content for speech in speeches),
                thinking="".join(speech.thinking for speech in speeches),
                calls=made if calls else last.calls,
                tokens=tuple(token for speech in speeches for token in speech.tokens),
                end=last.end,
                context=last.context,
            )
        )

    def _head(self) -> JsonObject:
        return {"model": self._model, "created_at": stamp(self._clock.now_ns())}

    def _said(self, text: JsonObject, calls: list[JsonObject]) -> JsonObject:
        if not self._chat:
            return text
        made: JsonObject = {"tool_calls": calls} if calls else {}
        return {"message": {"role": "assistant", **text, **made}}

    def _call(self, call: ToolCall) -> JsonObject:
        function = {"index": self._calls, "name": call.name, "arguments": call.arguments}
        self._calls += 1
        sign = "".join(secrets.choice(_ID_SIGNS) for _ in range(_ID_LENGTH))
        return {"id": f"call_{sign}", "function": function}

    def _metrics(self, end: End) -> JsonObject:
        numbers = {
            "total_duration": self._clock.tick_ns() - self._begun_ns,
            "load_duration": self._loaded_ns - self._begun_ns,
            "prompt_eval_count": end.prompt_tokens,
            "prompt_eval_duration": int(end.prompt_s * NS_PER_S),
            "eval_count": end.tokens,
            "eval_duration": int(end.decode_s * NS_PER_S),
        }
        return {name: number for name, number in numbers.items() if number}


def _nothing(*, chat: bool) -> JsonObject:
    """Return Go's empty answer, which a writing that broke off at once becomes."""
    head = {"model": "", "created_at": "0001-01-01T00:00:00Z"}
    said = {"message": {"role": "", "content": ""}} if chat else {"response": ""}
    return head | said | {"done": False}


def _nameless(call: JsonObject) -> JsonObject:
    return {"function": call["function"]}


def _logprobs(tokens: Sequence[Token]) -> JsonObject:
    return {"logprobs": [_logprob(token) for token in tokens]} if tokens else {}


def _logprob(token: Token) -> JsonObject:
    top = [_entry(text, logprob) for text, logprob in token.top]
    return _entry(token.text, token.logprob) | ({"top_logprobs": top} if top else {})


def _entry(text: str, logprob: float) -> JsonObject:
    data = {"bytes": list(text.encode("utf-8", "replace"))} if text else {}
    return {"token": text, "logprob": logprob} | data
