"""What arms with an engine of their own share: our template in front of it, our parser behind.

An engine is given token ids and gives tokens back; everything that makes them a take is here, so
that two engines differ in nothing but the engine.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from tonearm import templates
from tonearm.arms.base import Draft, Prompt
from tonearm.errors import RenderError
from tonearm.model import (
    ChatRequest,
    Decoded,
    Pin,
    Rendered,
    Scored,
    Take,
    Timing,
    Token,
    WireShape,
)
from tonearm.templates.base import ChatFormat

CALL_END, RESPONSE, TURN_END = "<tool_call|>", "<|tool_response>", "<turn|>"

END_IDS = {1: "<eos>", 50: RESPONSE, 106: TURN_END}
"""Tokens that end an answer, by Gemma 4's ids. Any agrees with any other: no agent sees them."""

ENDS = frozenset(END_IDS.values())

NEUTRAL = {
    "repeat_penalty": 1,
    "presence_penalty": 0,
    "frequency_penalty": 0,
    "min_p": 0,
    "typical_p": 1,
}
"""Options that change what greedy decoding writes, unless they have these values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What an engine made of a prompt."""

    completion: str
    """Without the token that ended it."""
    tokens: tuple[Token, ...]
    eval_count: int
    """Tokens, the one that ended the turn included."""
    ended: bool
    """Whether the model ended the turn, rather than a limit."""
    timing: Timing


def write(request: ChatRequest, pin: Pin, template: ChatFormat | None = None) -> Prompt:
    """Write the prompt of a request, with the grammar of the model or a given one.

    Raises:
        RenderError: The template rejects the conversation, or it holds an image.
    """
    for n, message in enumerate(request.messages):
        if message.get("images"):
            raise RenderError(f"images_unsupported: messages[{n}] has images, this arm reads text")
    chat_format = template or templates.for_model(pin)
    messages = chat_format.from_ollama(request.messages)
    think = request.thinks(capable=not pin.capabilities or "thinking" in pin.capabilities)
    return Prompt(chat_format.render(messages, request.tools, enable_thinking=think), chat_format)


def beyond_sampling(request: ChatRequest) -> str:
    """Return what a request asks that an engine can do only while it samples; nothing if it can.

    Texts that end a turn anyway may be asked to end it: Ollama's own model files do so.
    """
    options = request.options
    for name, neutral in NEUTRAL.items():
        if options.get(name) not in (None, neutral):
            return f"{name} {options[name]}"
    stops = options.get("stop") or []
    if not ENDS.issuperset([stops] if isinstance(stops, str) else stops):
        return f"stop {stops}"
    return "format" if request.body.get("format") else ""


def is_greedy(request: ChatRequest) -> bool:
    """Return whether the answer is the likeliest token at every place, by the request's options."""
    return request.options.get("temperature") == 0 and not beyond_sampling(request)


def repeated(drafts: Sequence[Draft], scored: Sequence[Scored], wall_s: float) -> Generated | None:
    """Return the draft that greedy decoding repeats token by token, if there is one.

    What the engine finds likeliest at every place of a completion, its end included, is what it
    would have written itself, so it need not write it.
    """
    for draft, score in zip(drafts, scored, strict=True):
        if score.departs is None:
            return Generated(
                completion=draft.completion,
                tokens=score.tokens[:-1] if draft.ended else score.tokens,
                eval_count=len(score.tokens),
                ended=draft.ended,
                timing=Timing(wall_s=wall_s),
            )
    return None


def end_of(completion: str) -> str:
    """Return the token that ends a turn after a completion."""
    return RESPONSE if completion.endswith(CALL_END) else TURN_END


def without_end(decoded: Decoded) -> Decoded:
    """Return a completion without the token that ended the turn.

    Ollama from 0.30 on shows it among the log-probs of ``/api/chat``, and nowhere else.
    """
    last = decoded.tokens[-1].text if decoded.tokens else ""
    if last not in ENDS:
        return decoded
    return dataclasses.replace(
        decoded, completion=decoded.completion.removesuffix(last), tokens=decoded.tokens[:-1]
    )


def as_end(token: Token) -> Token:
    """Return the token at the end of a turn, likeliest wherever any token is that ends it."""
    best = token.top[0][0] if token.top else ""
    return dataclasses.replace(token, rank=0) if best in ENDS else token


def take(
    arm: str,
    request: ChatRequest,
    prompt: Prompt,
    prompt_ids: Sequence[int],
    generated: Generated,
    pin: Pin,
    scored: tuple[Scored, ...] = (),
) -> Take:
    """Return the take of a generated completion, every layer filled."""
    reason = "stop" if generated.ended else "length"
    count = len(prompt_ids)
    return Take(
        arm=arm,
        rendered=rendered(prompt, prompt_ids),
        decoded=Decoded(
            completion=generated.completion,
            tokens=generated.tokens,
            eval_count=generated.eval_count,
        ),
        answer=prompt.parse(generated.completion, request.tools),
        scored=scored,
        wire=WireShape(
            status=200,
            done=True,
            done_reason=reason,
            prompt_eval_count=count,
            eval_count=generated.eval_count,
        ),
        pin=dataclasses.replace(pin, template_sha256=prompt.format.sha256),
        timing=generated.timing,
    )


def rendered(prompt: Prompt, ids: Sequence[int]) -> Rendered:
    """Return the render layer of a prompt whose tokens are known."""
    return Rendered(prompt=prompt.text, tokens=len(ids), ids_sha256=ids_sha256(ids))


def ids_sha256(ids: Sequence[int]) -> str:
    """Return the digest by which two arms tell whether they cut a prompt into the same tokens."""
    return hashlib.sha256(",".join(map(str, ids)).encode()).hexdigest()
