"""The cassette's own answers, as an arm: what every other one is compared with."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import replace

from tonearm import dialect, wire
from tonearm.arms import _native
from tonearm.arms._options import effective
from tonearm.canonical import fingerprint
from tonearm.errors import WireError
from tonearm.model import ChatRequest, Exchange, Layer, Outcome, Take, Turn

NAME = "recorded"


class Recorded:
    """Answer requests with what was recorded for them.

    A request that was recorded several times is answered in recorded order, the last one again and
    again after that.
    """

    def __init__(self, turns: Iterable[Turn]) -> None:
        self._takes: defaultdict[str, deque[Take]] = defaultdict(deque)
        for turn in turns:
            self._takes[fingerprint(turn.request.body)].append(take(turn.exchange))

    @property
    def name(self) -> str:
        """The name in reports."""
        return NAME

    async def open(self, models: Sequence[str]) -> None:
        """Nothing to get ready."""

    async def close(self) -> None:
        """Nothing to let go of."""

    async def play(self, request: ChatRequest) -> Take:
        """Return the recorded answer to a request."""
        takes = self._takes.get(fingerprint(request.body))
        if not takes:
            return Take(arm=NAME, error="this request was not recorded")
        return takes.popleft() if len(takes) > 1 else takes[0]


def take(exchange: Exchange) -> Take:
    """Return what an exchange shows of its turn: parse, wire, and tokens where they were sent."""
    if exchange.outcome is not Outcome.COMPLETE:
        why = exchange.error or "the answer is not whole"
        return Take(arm=NAME, error=f"{exchange.outcome}: {why}", pin=exchange.pin)
    try:
        reply = dialect.read_reply(exchange)
    except WireError as err:
        return Take(arm=NAME, error=str(err), pin=exchange.pin)
    pin = exchange.pin
    if pin is not None:
        pin = replace(pin, options=effective(dict(pin.options), pin))
    decoded = wire.decoded(reply)
    blind = {Layer.RENDER: "a recording does not hold the prompt"}
    if decoded is None:
        blind[Layer.DECODE] = "the client did not ask for log-probs"
    return Take(
        arm=NAME,
        translated=True,
        decoded=_native.without_end(decoded) if decoded else None,
        answer=wire.answer(reply) if reply.error is None else None,
        wire=wire.shape(exchange.response.status, reply),
        blind=blind,
        error=reply.error,
        pin=pin,
        timing=wire.timing(reply, exchange.duration_s or 0.0),
    )
