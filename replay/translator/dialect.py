"""Write a prompt with any set of Ollama's habits; with none of them it is the template's.

This is a second renderer beside ``templates/gemma4/chat.jinja``, and tests hold the two equal. It
exists to explain a difference: the habits without which Ollama's prompt cannot be written are the
reasons why it differs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from tonearm.canonical import Json, JsonObject
from tonearm.errors import RenderError
from tonearm.replay.translator import launch
from tonearm.replay.translator.causes import Cause
from tonearm.replay.translator.conversation import Conversation, as_text
from tonearm.replay.translator.declarations import declaration
from tonearm.replay.translator.quirks import Quirks
from tonearm.replay.translator.spelling import literal, pairs
from tonearm.replay.translator.texts import INSTRUCTIONS, MODEL, Texts, placeholder
from tonearm.templates.gemma4.tokens import CHANNEL, CHANNEL_END

type Views = tuple[JsonObject, JsonObject]
"""A message as the template takes it, and as Ollama received it."""

_OPEN_THOUGHT = f"{CHANNEL}thought\n"
_MISSING = object()


def render(conversation: Conversation, on: Collection[Cause] = ()) -> tuple[str, frozenset[Cause]]:
    """Return the prompt, and the habits that the conversation gives an occasion for.

    Raises:
        RenderError: With these habits there is no prompt.
    """
    quirks = Quirks(on)
    try:
        return "".join(_Writer(conversation, quirks).write()), frozenset(quirks.met)
    except RecursionError as err:
        raise RenderError("values are nested too deeply") from err
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as err:
        raise RenderError(str(err)) from err


@dataclass(slots=True, kw_only=True)
class _Message:
    """The message being written: its results may still come, so its text waits."""

    role: str
    message: JsonObject
    sent: JsonObject
    calls: Sequence[JsonObject] = ()
    answered: bool = False


class _Writer:
    """One pass over a conversation."""

    def __init__(self, conversation: Conversation, quirks: Quirks) -> None:
        self._conversation = conversation
        self._quirks = quirks
        self._texts = Texts(quirks)
        self._last: _Message | None = None
        thinks = conversation.thinks
        if not conversation.think_said:
            thinks = quirks.pick(Cause.THINK_DEFAULT, thinks, not thinks)
        self._thinks = thinks
        self._users_left = sum(m["role"] == "user" for m in conversation.messages)

    def write(self) -> Iterator[str]:
        """Yield the prompt in pieces."""
        yield "<bos>"
        messages = list(zip(self._conversation.messages, self._conversation.sent, strict=True))
        first = messages[0][0]["role"] if messages else ""
        yield from self._system(
            messages.pop(0) if first in ("system", "developer") else None,
        )
        if self._quirks.applies(Cause.LAUNCH_TURNS):
            yield from self._launch(messages)
        else:
            yield from self._turns(messages)

    def _system(self, instructions: Views | None) -> Iterator[str]:
        tools = self._conversation.tools
        if not (instructions or tools or self._thinks):
            return
        yield "<|turn>system\n"
        if self._thinks:
            yield self._quirks.pick(Cause.THINK_LINE, "<|think|>\n", "<|think|>")
        if instructions:
            yield self._texts.message(*instructions, INSTRUCTIONS)
        if tools and self._quirks.applies(Cause.LAUNCH_DECLARATIONS):
            yield from (launch.declaration(tool["function"], self._quirks) for tool in tools)
        else:
            yield from (declaration(tool["function"], self._quirks) for tool in tools)
        yield "<turn|>\n"

    def _turns(self, messages: Sequence[Views]) -> Iterator[str]:
        for message, sent in messages:
            if message["role"] == "tool":
                yield from self._result(message, sent)
            else:
                yield from self._finish(message["role"])
                yield from self._begin(message, sent)
        yield from self._finish(None)
        if self._conversation.add_generation_prompt:
            yield self._generation()

    def _begin(self, message: JsonObject, sent: JsonObject) -> Iterator[str]:
        role = MODEL if message["role"] == "assistant" else message["role"]
        if role != MODEL or self._last is None or self._last.role != MODEL:
            yield f"<|turn>{role}\n"
        self._users_left -= role == "user"
        self._last = _Message(role=role, message=message, sent=sent)
        if role == MODEL:
            self._last.calls = message.get("tool_calls") or ()
            yield self._thought(message)
            yield from map(self._call, self._last.calls)
            yield from self._native_results(self._last)

    def _thought(self, message: JsonObject) -> str:
        thought = message.get("reasoning") or message.get("reasoning_content")
        calls = message.get("tool_calls")
        repeats = self._conversation.preserve_thinking and calls
        if not thought or (self._users_left and not repeats):
            return ""
        if not calls and self._quirks.applies(Cause.THOUGHT_NEEDS_CALL):
            return ""
        return f"{_OPEN_THOUGHT}{thought}\n{CHANNEL_END}"

    def _call(self, call: JsonObject) -> str:
        function = call["function"]
        arguments = function.get("arguments", _MISSING)
        if arguments is not None and not isinstance(arguments, dict):
            raise RenderError(f"the arguments of {function.get('name')} are not an object")
        members = pairs(arguments or {}, self._quirks)
        return f"<|tool_call>call:{function.get('name', '')}{{{members}}}<tool_call|>"

    def _native_results(self, last: _Message) -> Iterator[str]:
        """Write results that stand in the message of their calls, a form that Ollama lacks."""
        ours = last.message.get("tool_responses") or ()
        for native, told in zip(ours, last.sent.get("tool_responses") or (), strict=True):
            value = native.get("response")
            if value != told.get("response") and self._quirks.applies(Cause.STRUCTURED_RESULT):
                value = told.get("response")
            yield self._response(native.get("name") or "unknown", value)
            last.answered = True

    def _result(self, message: JsonObject, sent: JsonObject) -> Iterator[str]:
        last = self._last
        if last is None or not last.calls:
            return
        last.answered = True
        name = self._quirks.pick(
            Cause.RESPONSE_NAME, _own_name(message, last.calls), _sent_name(sent, last.sent)
        )
        content = message.get("content")
        if sent.get("images") and self._quirks.applies(Cause.IMAGE_TAG):
            text = as_text(sent.get("content"))
            if not self._quirks.applies(Cause.IMAGE_TAG_AT_START):
                text = self._texts.tagged(text, len(sent["images"]))
            yield self._response(name, text)
        elif not isinstance(content, str) and self._quirks.applies(Cause.STRUCTURED_RESULT):
            yield self._response(name, as_text(sent.get("content")))
        elif isinstance(content, list):
            texts = (part["text"] for part in content if part.get("type") == "text")
            yield self._response(name, "".join(map(str, texts)))
            yield from map(placeholder, content)
        elif isinstance(content, dict) and content:
            raise RenderError("a result is an object, which the template takes for a list of parts")
        else:
            yield self._response(name, "" if content == {} else content)

    def _response(self, name: object, value: Json) -> str:
        if isinstance(value, dict):
            body = pairs(value, self._quirks)
        else:
            body = f"value:{literal(value, self._quirks)}"
        return f"<|tool_response>response:{name}{{{body}}}<tool_response|>"

    def _finish(self, following: str | None) -> Iterator[str]:
        """Write the text of the last message and what comes behind it."""
        last = self._last
        if last is None:
            return
        text = self._texts.message(last.message, last.sent, last.role)
        yield text
        sent = bool(last.sent.get("content") or last.sent.get("images"))
        there = self._quirks.pick(Cause.TEXT_UNSTRIPPED, bool(text), sent)
        if last.calls and not last.answered:
            yield "<|tool_response>"
        elif self._closes(last, following, there):
            yield "<turn|>\n"

    def _closes(self, last: _Message, following: str | None, there: bool) -> bool:
        goes_on = last.role == MODEL and following == "assistant"
        waits = last.answered and not there
        ours = not goes_on and not (waits and following is None)
        return self._quirks.pick(Cause.TURN_END, ours, not waits)

    def _generation(self) -> str:
        last = self._last
        if last is not None and last.answered:
            reopened = _OPEN_THOUGHT if self._thinks else ""
            return self._quirks.pick(Cause.THOUGHT_NOT_REOPENED, reopened, "")
        if last is not None and last.calls:
            return ""
        large = self._conversation.large
        silent = not self._thinks and self._quirks.pick(Cause.EMPTY_THOUGHT, large, not large)
        return "<|turn>model\n" + (f"{_OPEN_THOUGHT}{CHANNEL_END}" if silent else "")

    def _launch(self, messages: Sequence[Views]) -> Iterator[str]:
        for message, sent in messages:
            role = MODEL if message["role"] == "assistant" else message["role"]
            text = self._texts.plain(as_text(sent.get("content")), role)
            if role == "user":
                text = self._texts.tagged(text, len(sent.get("images") or ()))
            calls = message.get("tool_calls") or () if role == MODEL else ()
            yield launch.turn(role, text, "".join(map(self._call, calls)))
        if self._conversation.add_generation_prompt:
            yield "<|turn>model\n"


def _own_name(message: JsonObject, calls: Sequence[JsonObject]) -> str:
    """Return the template's name of a result: that of the last call whose id is the same."""
    wanted = message.get("tool_call_id", _MISSING)
    names = [c["function"].get("name", "") for c in calls if c.get("id", _MISSING) == wanted]
    return str(names[-1] if names else message.get("name") or "unknown")


def _sent_name(sent: JsonObject, caller: JsonObject) -> str:
    """Return Ollama's name of a result: that of the first call with its id, if it has one."""
    if wanted := sent.get("tool_call_id"):
        for call in caller.get("tool_calls") or ():
            if call.get("id") == wanted:
                return str(call["function"].get("name") or "")
    return str(sent.get("tool_name") or "unknown")
