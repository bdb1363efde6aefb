"""Find which exchanges belong to one conversation.

An agent sends its whole history with every request, so a turn that follows another repeats that
one's messages and adds to them. That is all the evidence there is, and all that is used: no cookie,
no port, no header. The recorder stitches while it writes, replay stitches again what it reads.

Several rules settle what the longest shared history leaves open:

- A request without any answer in its history starts a conversation, even if the same words were
  sent before (the same task run twice is two conversations), unless the earlier one never got its
  answer: then it is a retry.
- Among turns that a request could follow, one that nothing follows yet comes first, then one of the
  same model, then one whose answer stands in the history as it was given, then the latest.
- A request that was sent before, word for word, is a retry of it.
- A request that follows an already followed turn is a fork and stays in the conversation.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections import OrderedDict, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from tonearm import dialect, wire
from tonearm.canonical import JsonObject, chain, fingerprint
from tonearm.dialect import Chat
from tonearm.errors import WireError
from tonearm.model import ChatRequest, Exchange, Link, Outcome, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where an exchange belongs."""

    conversation: int
    index: int
    link: Link
    parent: int | None


@dataclass(slots=True)
class _Node:
    """A turn that has been placed."""

    conversation: int
    index: int
    model: str
    answer: str | None
    """Fingerprint of the answer as a history would repeat it; ``None`` when it has no answer."""
    serial: int = 0
    followers: int = 0


type Known = tuple[str, int, int, str, str | None, int]
"""History, conversation, index, model, answer and number of followers of a turn; plain JSON."""


class Prints:
    """Fingerprints of messages; those of the latest are known, for every request repeats them."""

    def __init__(self, limit: int = 16_384) -> None:
        self._limit = limit
        self._known: OrderedDict[bytes, str] = OrderedDict()

    def of(self, message: JsonObject) -> str:
        """Return the fingerprint of what of a message survives in histories."""
        try:
            key = hashlib.blake2b(orjson.dumps(message), digest_size=16).digest()
        except (TypeError, RecursionError):  # half of a surrogate pair, or a number too large
            return fingerprint(essence(message))
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = fingerprint(essence(message))
            if len(self._known) > self._limit:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(key)
        return found


class Stitcher:
    """Place exchanges, one after another, into conversations."""

    def __init__(self) -> None:
        self._by_history: defaultdict[str, list[_Node]] = defaultdict(list)
        self._sizes: list[int] = []
        self._serial = 0
        self._prints = Prints()

    def add(self, exchange: Exchange) -> Placement | None:
        """Place an exchange; ``None`` when it has no message history to be placed by."""
        chat = read_chat(exchange)
        if chat is None:
            return None
        request = chat.request
        prints = [self._prints.of(message) for message in request.messages]
        history = chain(prints)
        link, parent = self._link(request, prints, history)
        if parent is None:
            conversation, index = len(self._sizes), 0
            self._sizes.append(0)
        else:
            conversation = parent.conversation
            index = self._sizes[conversation]
        self._sizes[conversation] += 1
        placement = Placement(
            conversation=conversation,
            index=index,
            link=link,
            parent=None if parent is None else parent.index,
        )
        answer = _answer_fingerprint(exchange)
        self._keep(history[-1], _Node(conversation, index, request.model, answer))
        return placement

    def _keep(self, history: str, node: _Node) -> None:
        self._serial += 1
        node.serial = self._serial
        self._by_history[history].append(node)

    def known(self) -> list[Known]:
        """Return what is known of all that was placed, for another stitcher to go on with."""
        found = [(history, node) for history, nodes in self._by_history.items() for node in nodes]
        return [
            (history, n.conversation, n.index, n.model, n.answer, n.followers)
            for history, n in sorted(found, key=lambda pair: pair[1].serial)
        ]

    def adopt(self, known: Iterable[Known]) -> list[int]:
        """Take over what another stitcher knows; return the new numbers of its conversations."""
        numbers: list[int] = []
        for history, conversation, index, model, answer, followers in known:
            while len(numbers) <= conversation:
                numbers.append(len(self._sizes))
                self._sizes.append(0)
            number = numbers[conversation]
            self._sizes[number] += 1
            self._keep(history, _Node(number, index, model, answer, followers=followers))
        return numbers

    def _link(
        self, request: ChatRequest, prints: list[str], history: list[str]
    ) -> tuple[Link, _Node | None]:
        same = self._by_history.get(history[-1], [])
        broken = [node for node in same if node.answer is None]
        if broken:
            return Link.RETRY, broken[-1]
        if not any(_is_answer(message) for message in request.messages):
            return Link.START, None
        follows = self._followed(request, prints, history)
        open_ends = [node for node in follows if node.followers == 0]
        if open_ends:
            open_ends[-1].followers += 1
            return Link.NEXT, open_ends[-1]
        if same:
            return Link.RETRY, same[-1]
        if follows:
            follows[-1].followers += 1
            return Link.FORK, follows[-1]
        return Link.START, None

    def _followed(self, request: ChatRequest, prints: list[str], history: list[str]) -> list[_Node]:
        """Return the turns that a request could follow, the best one last."""
        found: list[tuple[tuple[bool, bool, int, int], _Node]] = []
        for length, message in enumerate(request.messages):
            if not _is_answer(message):
                continue
            for node in self._by_history.get(history[length], []):
                same_model = node.model == request.model
                rank = (same_model, node.answer == prints[length], length, node.serial)
                found.append((rank, node))
        return [node for _, node in sorted(found, key=lambda item: item[0])]


def read_chat(exchange: Exchange) -> Chat | None:
    """Return the turn that an exchange asks for, ``None`` where it belongs to no conversation.

    That is every other endpoint, and requests that only load or unload a model.
    """
    try:
        chat = dialect.read_chat(exchange.request)
    except WireError:
        return None
    return chat if chat and chat.request.messages else None


def essence(message: JsonObject) -> JsonObject:
    """Return what of a message survives in the histories that agents send.

    Thoughts are left out by many agents, ids are renamed, empty fields come and go, and arguments
    are sent as text by clients of the OpenAI kind. None of that makes it another message.
    """
    calls = []
    for call in message.get("tool_calls") or []:
        function = call.get("function") or {} if isinstance(call, dict) else {}
        arguments = function.get("arguments")
        if isinstance(arguments, str):
            with contextlib.suppress(WireError, UnicodeEncodeError):
                arguments = wire.parse_object(arguments.encode(), "arguments")
        calls.append([function.get("name"), arguments or {}])
    content = message.get("content")
    return {
        "role": str(message.get("role", "")).lower(),
        "content": content.strip() if isinstance(content, str) else content or "",
        "images": message.get("images") or [],
        "tool_calls": calls,
        "tool_name": message.get("tool_name") or "",
    }


def _is_answer(message: JsonObject) -> bool:
    return str(message.get("role", "")).lower() == "assistant"


def _answer_fingerprint(exchange: Exchange) -> str | None:
    if exchange.outcome is not Outcome.COMPLETE:
        return None
    try:
        reply = dialect.read_reply(exchange)
    except WireError:
        return None
    if reply.error is not None or not reply.message:
        return None
    return fingerprint(essence(reply.message))


def turns(cassette: str, exchanges: Iterable[Exchange]) -> list[Turn]:
    """Return the turns among the exchanges of one cassette, by conversation and position.

    Args:
        cassette: The name by which reports call the file.
        exchanges: In the order in which they were recorded.
    """
    stitcher = Stitcher()
    found = []
    for exchange in exchanges:
        placement = stitcher.add(exchange)
        chat = read_chat(exchange)
        if placement is None or chat is None:
            continue
        found.append(
            Turn(
                cassette=cassette,
                conversation=placement.conversation,
                index=placement.index,
                request=chat.request,
                lost=chat.lost,
                exchange=exchange,
                link=placement.link,
                parent=placement.parent,
            )
        )
    return sorted(found, key=lambda turn: (turn.conversation, turn.index))
