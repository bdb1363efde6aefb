"""The protocols in which a turn can be asked, all read as ``/api/chat``.

Ollama answers OpenAI's and Anthropic's clients by turning their requests into its own. The same is
done here with what was recorded, so that such turns are stitched, shown and asked again like any
other. Where ``/api/chat`` cannot say all that a request said, the difference is named.
"""

from __future__ import annotations

from dataclasses import dataclass

from tonearm import anthropic, openai, sse, wire
from tonearm.canonical import JsonObject
from tonearm.errors import WireError
from tonearm.model import ChatRequest, Exchange, HttpRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A request for a turn, in whatever protocol it came."""

    request: ChatRequest
    """As ``/api/chat`` would have been asked."""
    lost: tuple[str, ...] = ()
    """What of the original ``/api/chat`` cannot say."""


_DIALECTS = {wire.OPENAI_CHAT: openai, wire.ANTHROPIC_CHAT: anthropic}
_READERS = {
    wire.OPENAI_CHAT: openai.read_reply,
    wire.OPENAI_TEXT: openai.read_text_reply,
    wire.ANTHROPIC_CHAT: anthropic.read_reply,
}
_LAST_EVENTS = ("message_stop", "response.completed", "response.incomplete", "response.failed")


def read_chat(request: HttpRequest) -> Chat | None:
    """Return the turn that a request asks for, ``None`` for requests of any other kind.

    Raises:
        WireError: The body is not what the protocol allows.
    """
    path = wire.endpoint(request)
    if path != wire.CHAT and path not in _DIALECTS:
        return None
    body = wire.parse_object(request.body, "request body")
    if path == wire.CHAT:
        return Chat(request=wire.chat_request(body))
    dialect = _DIALECTS[path or ""]
    lost = _unsaid(body, dialect.MAPPED | dialect.HARMLESS, dialect.NEUTRAL)
    chat = wire.chat_request(dialect.chat_body(body, lost))
    return Chat(request=chat, lost=tuple(dict.fromkeys(lost)))


def _unsaid(body: JsonObject, known: frozenset[str], neutral: JsonObject) -> list[str]:
    """Return the fields that no field of ``/api/chat`` stands for."""
    return sorted(
        name
        for name, value in body.items()
        if name not in known and value is not None and value != neutral.get(name)
    )


def read_reply(exchange: Exchange) -> wire.Reply:
    """Read the answer that an exchange holds, in the form of Ollama's own endpoints.

    Raises:
        WireError: The body is not what the protocol allows.
    """
    read = _READERS.get(wire.endpoint(exchange.request) or "", wire.read_reply)
    return read(exchange.response.status, exchange.response.body)


def has_ended(part: bytes) -> bool:
    """Return whether the last part of a streamed answer says that nothing follows it."""
    if not part.endswith(b"\n"):
        return False
    line = part.rstrip().rpartition(b"\n")[2].removeprefix(b"data:").strip()
    if line == sse.DONE:
        return True
    try:
        last = wire.parse_object(line, "last line")
    except WireError:
        return False
    return last.get("done") is True or last.get("type") in _LAST_EVENTS
