"""The recordings that can be played, found by what a request asks.

A request is looked up in time that does not depend on how many recordings there are. Of what was
asked only fingerprints are kept: every request of an agent repeats the history before it, and that
would fill the memory with what is needed only to explain a miss.
"""

from __future__ import annotations

import hashlib
from bisect import insort
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from tonearm.model import Exchange, Outcome
from tonearm.replay.server.convert import CONVERTIBLE, converted
from tonearm.replay.server.framing import Framed, frame, is_complete
from tonearm.replay.server.question import Form, Pointer, Question, question
from tonearm.replay.server.reply import Asked, path_of


class Repeat(StrEnum):
    """What a request gets that is asked more often than it was recorded."""

    LAST = "last"
    CYCLE = "cycle"
    ONCE = "once"


@dataclass(slots=True, kw_only=True, eq=False)
class Recording:
    """An exchange on a shelf, without the body that was asked."""

    cassette: Path
    position: int
    """Among the exchanges of its cassette, from 0."""
    question: Question
    exchange: Exchange
    body: bytes | None = None
    """What was asked, where it cannot be read from the cassette again."""
    served: int = 0
    _frames: dict[Form, Framed] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How the recording is called in messages."""
        return f"{self.cassette.name}#{self.position}"

    @property
    def playable(self) -> bool:
        """Whether there is anything to play: a client can leave before there is an answer."""
        response = self.exchange.response
        answered = is_complete(self.exchange) or bool(response.headers or response.body)
        return answered and 200 <= response.status <= 599

    def framed(self, form: Form, asked: Asked) -> Framed | None:
        """Return the response as it goes out; ``None`` where it cannot be had in that form."""
        chunked = asked.chunked
        if form in self._frames and chunked:
            return self._frames[form]
        exchange: Exchange | None = self.exchange
        if form is not self.question.form:
            exchange = converted(self.exchange, form, body=asked.body)
        if exchange is None:
            return None
        framed = frame(exchange, chunked=chunked)
        if chunked:
            self._frames[form] = framed
        return framed


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The recording that answers a request."""

    recording: Recording
    framed: Framed
    converted: bool = False
    """Whether the answer was recorded in another form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """Why a request cannot be answered, as far as looking it up tells."""

    question: Question
    reason: str | None = None
    """``None`` where it was not recorded."""


_OTHERS = {
    Form.WHOLE: (Form.COUNTED, Form.STREAM),
    Form.STREAM: (Form.COUNTED, Form.WHOLE),
    Form.COUNTED: (Form.WHOLE, Form.STREAM),
}
"""From what each form can be made, best first."""

NOT_BY_SERVER = frozenset({Outcome.CLIENT_ABORTED, Outcome.PROXY_STOPPED, Outcome.TRUNCATED})
"""How an exchange ends that was not ended by the server."""


class Repertoire:
    """Recordings by what they answer."""

    def __init__(self, *, free: Sequence[Pointer] = (), repeat: Repeat = Repeat.LAST) -> None:
        self.free = free
        self._repeat = repeat
        self._recordings: list[Recording] = []
        self._queues: dict[Question, _Queue] = {}
        self._known: dict[tuple[str, str, bytes], Question] = {}

    def __len__(self) -> int:
        return len(self._recordings)

    def __iter__(self) -> Iterator[Recording]:
        return iter(self._recordings)

    def add(
        self, exchange: Exchange, cassette: Path, position: int, *, keep_body: bool = False
    ) -> Recording:
        """Take a recording; those of one request are played in the order in which they come."""
        request = exchange.request
        wanted = self._question(request.method, path_of(request.uri), request.body)
        digest = hashlib.sha256(request.body).digest()
        self._known[request.method, wanted.path, digest] = wanted
        recording = Recording(
            cassette=cassette,
            position=position,
            question=wanted,
            exchange=replace(exchange, request=replace(request, body=b"", headers=())),
            body=request.body if keep_body else None,
        )
        self._recordings.append(recording)
        self._queues.setdefault(wanted, _Queue()).add(recording)
        return recording

    def take(self, asked: Asked) -> Found | Absent:
        """Return the recording whose turn it is, and count it as served."""
        digest = hashlib.sha256(asked.body).digest()
        wanted = self._known.get((asked.method, asked.path, digest))
        if wanted is None:
            wanted = self._question(asked.method, asked.path, asked.body)
        queue = self._queues.get(wanted)
        if queue is not None:
            return self._play(queue, wanted, asked)
        for form in _OTHERS[wanted.form] if asked.path in CONVERTIBLE else ():
            queue = self._queues.get(replace(wanted, form=form))
            if queue is not None:
                return self._play(queue, wanted, asked)
        return Absent(question=wanted)

    def unasked(self) -> list[Recording]:
        """Return the recordings that were never served, though they could have been."""
        return [
            recording
            for recording in self._recordings
            if not recording.served and recording in self._queues[recording.question].line
        ]

    def _question(self, method: str, path: str, body: bytes) -> Question:
        return question(method, path, body, self.free)

    def _play(self, queue: _Queue, wanted: Question, asked: Asked) -> Found | Absent:
        recording = queue.take(self._repeat)
        if recording is None:
            return Absent(question=wanted, reason=queue.why_empty())
        framed = recording.framed(wanted.form, asked)
        if framed is None:
            name, form = recording.name, wanted.form
            reason = f"{name} cannot be had {form}: it is not a whole answer of Ollama's"
            return Absent(question=wanted, reason=reason)
        recording.served += 1
        return Found(
            recording=recording,
            framed=framed,
            converted=wanted.form is not recording.question.form,
        )


class _Queue:
    """The recordings of one request.

    Those that we, or the client, broke off are played only where there is none that was recorded as
    far as the server went: they would be failures that nobody has seen.
    """

    __slots__ = ("_broken", "_next", "_silent", "_whole")

    def __init__(self) -> None:
        self._whole: list[Recording] = []
        self._broken: list[Recording] = []
        self._silent: list[Recording] = []
        self._next = 0

    @property
    def line(self) -> list[Recording]:
        """The recordings that are played, in order."""
        return self._whole or self._broken

    def add(self, recording: Recording) -> None:
        """Put a recording behind the others of its kind that began before it.

        Cassettes that were begun in the same second have names in no order.
        """
        if not recording.playable:
            self._silent.append(recording)
        elif recording.exchange.outcome in NOT_BY_SERVER:
            self._insert(self._broken, recording)
        else:
            if not self._whole:
                self._next = 0
            self._insert(self._whole, recording)

    def _insert(self, line: list[Recording], recording: Recording) -> None:
        insort(line, recording, lo=min(self._next, len(line)), key=_began_at)

    def take(self, repeat: Repeat) -> Recording | None:
        """Return the recording whose turn it is, ``None`` where there is none."""
        line = self.line
        turn = self._next
        if turn < len(line):
            self._next += 1
            return line[turn]
        if not line or repeat is Repeat.ONCE:
            return None
        if repeat is Repeat.LAST:
            return line[-1]
        self._next += 1
        return line[turn % len(line)]

    def why_empty(self) -> str:
        """Return why there is no recording left."""
        if not self.line:
            first = self._silent[0]
            problem = first.exchange.error or f"status {first.exchange.response.status}"
            return f"{first.name} has no answer that could be played: {problem}"
        times = "once" if len(self.line) == 1 else f"{len(self.line)} times"
        return f"it was recorded {times}, and that was served before (--repeat once)"


def _began_at(recording: Recording) -> str:
    return recording.exchange.started_at or ""
