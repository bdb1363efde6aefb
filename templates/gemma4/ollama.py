"""Turn the messages of an ``/api/chat`` body into the form that chat templates take.

The mapping is written down in docs/gemma4-template.md. Its delicate part are the ids: a template
finds the name of a result by the id of its call, and recorded traffic often has neither.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from tonearm.canonical import Json, JsonObject
from tonearm.errors import RenderError

IMAGE_SLOT = "[img]"
"""Where in a text an image stands; Ollama fills it since v0.23.4."""


@dataclass(frozen=True, slots=True)
class _Call:
    """A call whose result has not come yet."""

    id: str
    name: str
    made_up: bool
    """Whether the id is ours."""


def from_ollama(messages: Sequence[JsonObject]) -> list[JsonObject]:
    """Return the same conversation in the form of Hugging Face's ``apply_chat_template``.

    Raises:
        RenderError: A message or a call is not an object.
    """
    for number, message in enumerate(messages):
        _check(message, number)
    ids = _fresh_ids(messages)
    waiting: list[_Call] = []
    result = []
    for message in messages:
        role = str(message.get("role") or "").lower()
        turned: JsonObject = {"role": role, "content": _content(message)}
        if role == "tool":
            turned |= _answer(message, waiting)
        else:
            waiting = [_identify(call, ids) for call in message.get("tool_calls") or ()]
            turned |= _spoken(message, waiting)
        result.append(turned)
    return result


def _check(message: Json, number: int) -> None:
    if not isinstance(message, dict):
        raise RenderError(f"messages[{number}] is not an object")
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list) or not all(
        isinstance(call, dict) and isinstance(call.get("function", {}), dict) for call in calls
    ):
        raise RenderError(f"messages[{number}].tool_calls is not a list of calls")


def _fresh_ids(messages: Sequence[JsonObject]) -> Iterator[str]:
    taken = {str(call.get("id")) for m in messages for call in m.get("tool_calls") or ()}
    taken |= {str(message.get("tool_call_id")) for message in messages}
    number = 0
    while True:
        if (name := f"call_{number}") not in taken:
            yield name
        number += 1


def _identify(call: JsonObject, ids: Iterator[str]) -> _Call:
    given = call.get("id")
    name = str(call.get("function", {}).get("name") or "")
    return _Call(str(given or next(ids)), name, made_up=not given)


def _spoken(message: JsonObject, calls: Sequence[_Call]) -> JsonObject:
    fields: JsonObject = {}
    if message.get("thinking"):
        fields["reasoning"] = message["thinking"]
    if calls:
        arguments = [call.get("function", {}).get("arguments") for call in message["tool_calls"]]
        fields["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": {} if given is None else given},
            }
            for call, given in zip(calls, arguments, strict=True)
        ]
    return fields


def _answer(message: JsonObject, waiting: list[_Call]) -> JsonObject:
    """Return the id and name of a result, and take the call that it answers off the list."""
    wanted = str(message.get("tool_call_id") or "")
    name = str(message.get("tool_name") or "")
    call = _answered(wanted, name, waiting)
    if call is None:
        return {"tool_call_id": wanted} | ({"name": name} if name else {})
    waiting.remove(call)
    return {"tool_call_id": call.id, "name": name or call.name}


def _answered(wanted: str, name: str, waiting: Sequence[_Call]) -> _Call | None:
    """Return the call of this id, else of this name, else the first one that has no id either."""
    rules: list[Callable[[_Call], bool]] = [lambda call: call.id == wanted]
    if name:
        rules.append(lambda call: call.name == name)
    else:
        rules.append(lambda call: not wanted or call.made_up)
    for rule in rules:
        for call in waiting:
            if rule(call):
                return call
    return None


def _content(message: JsonObject) -> Json:
    """Return the text, or the parts of a message that brings images or sound."""
    content = message.get("content")
    media = message.get("images") or []
    if not media or not isinstance(content, str | None):
        return "" if content is None else content
    texts = (content or "").split(IMAGE_SLOT, len(media))
    slots = len(texts) - 1
    parts: list[JsonObject] = [_placeholder(item) for item in media[slots:]]
    for text, item in zip(texts, [*media[:slots], None], strict=True):
        parts += [{"type": "text", "text": text}] if text else []
        parts += [_placeholder(item)] if item is not None else []
    return parts


def _placeholder(media: Json) -> JsonObject:
    return {"type": "audio" if _is_sound(media) else "image"}


def _is_sound(media: Json) -> bool:
    """Tell by the first bytes, as the server does: it takes WAV and MP3 in ``images``."""
    try:
        head = base64.b64decode(str(media)[:16])
    except binascii.Error:
        return False
    wave = head[:4] == b"RIFF" and head[8:12] == b"WAVE"
    return wave or head[:3] == b"ID3" or head[:2] in (b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")
