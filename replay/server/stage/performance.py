"""One answer of an engine: the prompt cut to fit, continued, and taken apart while it is written.

The order of steps, and what becomes of prompts that are too long: ollama:server/routes.go,
server/prompt.go and llm/llama_server.go@v0.33.0.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from tonearm.arms.base import BOS, Prompt
from tonearm.arms.engine import Engine, EngineRefused, Loaded, Passage, Piece
from tonearm.canonical import JsonObject
from tonearm.errors import ArmError, RenderError
from tonearm.model import ChatRequest
from tonearm.replay.server.gojson import encode
from tonearm.replay.server.stage.refusal import Refusal
from tonearm.replay.server.stage.speech import Speech
from tonearm.templates.base import Delta, Reader

OPEN_ENDED = 10
"""How many contexts an answer without a limit may fill."""

NUM_KEEP = 4

REPEATS = 30
"""How often a piece may come again at once before the writing is given up."""

TOO_LONG = (
    "the prompt is longer than the context length currently available to the model; shorten the "
    "prompt, adjust the context length in settings, or use a model with a longer context length"
)

NO_IMAGES = (
    '{"error":{"code":400,"message":"Multimodal data provided, but model does not support '
    'multimodal requests.","type":"invalid_request_error"}}'
)
"""What llama.cpp says where a model has no eyes."""

JSON_GRAMMAR = r"""
root   ::= object
value  ::= object | array | string | number | word blank
object ::= "{" blank (member ("," blank member)*)? blank "}"
member ::= string ":" blank value
array  ::= "[" blank (value ("," blank value)*)? blank "]"
string ::= "\"" (plain | "\\" escape)* "\""
plain  ::= [^"\\\x7F\x00-\x1F]
escape ::= ["\\/bfnrt] | "u" hex hex hex hex
hex    ::= [0-9a-fA-F]
number ::= "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)? ([eE] [-+]? [0-9]+)?
word   ::= "true" | "false" | "null"
blank  ::= [ \t\n]*
"""
"""What ``format: "json"`` allows: an object, with blanks where Ollama's own grammar has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What is to be played: a request, checked, every default filled in."""

    request: ChatRequest
    """As ``/api/chat`` would be asked."""
    options: JsonObject
    num_ctx: int
    think: bool
    """Whether thoughts are sent."""
    raw: str | None = None
    """A finished prompt in place of the request's messages; its answer is not taken apart."""
    before: Sequence[int] = ()
    """Tokens of an earlier answer, to stand in front of the prompt."""
    format: bytes | None = None
    """What the answer is bound to, as JSON; ``None`` where the request does not say."""
    format_waits: bool = False
    """Whether a thought comes first, which is not bound."""
    logprobs: bool = False
    top: int = 0
    """How many of the likeliest tokens are shown at each place."""
    truncate: bool = True
    shift: bool = True
    context: bool = False
    """Whether the last piece brings all tokens."""


class Performance:
    """The answer of one engine to one request."""

    def __init__(self, part: Part, engine: Engine, loaded: Loaded) -> None:
        self._part = part
        self._engine = engine
        self._loaded = loaded

    async def prompt(self) -> str:
        """Return the text that the engine is to continue.

        Raises:
            Refusal: The messages cannot be rendered.
        """
        text, _ = await self._opening(self._part.request.messages)
        return text

    async def speak(self) -> AsyncGenerator[Speech]:
        """Yield the answer.

        Raises:
            Refusal: There is none.
        """
        part = self._part
        messages = part.request.messages
        waits = part.format is not None and part.format_waits
        thought = ""
        async with aclosing(self._read(messages, None if waits else part.format)) as speeches:
            async for speech in speeches:
                thought += speech.thinking
                if waits and thought and speech.content:
                    break
                if not speech.empty:
                    yield speech
            else:
                return
        messages = [*messages, {"role": "assistant", "content": "", "thinking": thought}]
        async with aclosing(self._read(messages, part.format)) as speeches:
            async for speech in speeches:
                if not speech.empty:
                    yield speech

    async def _read(
        self, messages: Sequence[JsonObject], form: bytes | None
    ) -> AsyncGenerator[Speech]:
        part = self._part
        if any(message.get("images") for message in messages):
            raise Refusal(400, NO_IMAGES)
        text, prompt = await self._opening(messages)
        reader = prompt.reader(part.request.tools) if prompt else None
        passage = await self._passage(text, prompt, form)
        written = ""
        async with aclosing(_until_stuck(self._loaded.go_on(passage))) as pieces:
            try:
                async for piece in pieces:
                    written += piece.text
                    deltas = _heard(piece, reader)
                    context = await self._context(text + written) if piece.end else ()
                    yield self._speech(piece, deltas, context)
            except EngineRefused as err:
                raise Refusal(err.status, err.body.strip()) from err
            except ArmError as err:
                raise Refusal(500, err.problem) from err

    def _speech(self, piece: Piece, deltas: Sequence[Delta], context: Sequence[int]) -> Speech:
        part = self._part
        tokens = piece.tokens if part.logprobs and piece.text and not piece.end else ()
        thinking = "".join(delta.thinking for delta in deltas)
        return Speech(
            content="".join(delta.content for delta in deltas),
            thinking=thinking if part.think else "",
            calls=tuple(delta.tool_call for delta in deltas if delta.tool_call),
            tokens=tuple(replace(token, top=token.top[: part.top]) for token in tokens),
            end=piece.end,
            context=tuple(context),
        )

    async def _context(self, text: str) -> list[int]:
        return await self._loaded.cut(text) if self._part.context else []

    async def _opening(self, messages: Sequence[JsonObject]) -> tuple[str, Prompt | None]:
        """Return the text to continue and, unless it was given, the prompt that it is."""
        part = self._part
        if part.raw is not None:
            return part.raw, None
        prompt = await self._fitting(messages)
        before = await self._loaded.join(part.before) if part.before else ""
        return before + prompt.text, prompt

    async def _fitting(self, messages: Sequence[JsonObject]) -> Prompt:
        """Return the prompt of as many of the last messages as the context can hold.

        The last one always stays, and so does what the system says.
        """
        last = len(messages) - 1
        for first in range(last):
            prompt = await asyncio.to_thread(self._write, messages, first)
            if not self._part.truncate or await self._fits(prompt.text):
                return prompt
        return await asyncio.to_thread(self._write, messages, last)

    async def _fits(self, text: str) -> bool:
        num_ctx = self._part.num_ctx
        return len(text.encode()) <= num_ctx or len(await self._loaded.cut(text)) <= num_ctx

    def _write(self, messages: Sequence[JsonObject], first: int) -> Prompt:
        system = [message for message in messages[:first] if message.get("role") == "system"]
        body = self._part.request.body | {"messages": [*system, *messages[first:]]}
        try:
            return self._engine.write(ChatRequest(body=body))
        except RenderError as err:
            raise Refusal(500, str(err)) from err

    async def _passage(self, text: str, prompt: Prompt | None, form: bytes | None) -> Passage:
        part = self._part
        bare = text.removeprefix(BOS)
        ids = await self._loaded.cut(BOS + bare)
        if part.truncate and len(bare.encode()) >= part.num_ctx > 1:
            ids = self._cut(ids)
        limit = OPEN_ENDED * part.num_ctx
        wanted = part.options.get("num_predict", -1)
        options = part.options | {"num_predict": wanted if 0 < wanted <= limit else limit}
        return Passage(
            ids=ids,
            options=options,
            markers=prompt.format.markers if prompt else (),
            top=max(part.top, 1) if part.logprobs else 0,
            grammar=JSON_GRAMMAR if form == b'"json"' else None,
            schema=_schema(form),
        )

    def _cut(self, ids: list[int]) -> list[int]:
        """Return the beginning and the end of a prompt that is longer than the context."""
        num_ctx = self._part.num_ctx
        if len(ids) < num_ctx:
            return ids
        if not self._part.shift:
            raise Refusal(400, TOO_LONG)
        keep = self._part.options.get("num_keep", NUM_KEEP)
        keep = min((len(ids) if keep < 0 else keep) + 1, num_ctx - 1)
        left = num_ctx - max((num_ctx - keep) // 2, 1)
        return [*ids[:keep], *ids[len(ids) - (left - keep) :]]


def _heard(piece: Piece, reader: Reader | None) -> list[Delta]:
    if reader is None:
        return [Delta(content=piece.text)]
    return reader.feed(piece.text) + (reader.end() if piece.end else [])


def _schema(form: bytes | None) -> JsonObject | None:
    if form in (None, b"null", b'""', b'"json"'):
        return None
    value = json.loads(form or b"")
    if not isinstance(value, dict):
        quoted = encode((form or b"").decode()).decode()
        text = f'invalid format: {quoted}; expected "json" or a valid JSON Schema object'
        raise Refusal(500, text)
    return value


async def _until_stuck(pieces: AsyncGenerator[Piece]) -> AsyncGenerator[Piece]:
    """Yield pieces until the same one, blanks aside, has come too often in a row."""
    last, repeats = "", 0
    async with aclosing(pieces):
        async for piece in pieces:
            said = piece.text.strip()
            repeats = repeats + 1 if said == last else 0
            last = said
            if repeats > REPEATS:
                return
            if piece.text or piece.end:
                yield piece
