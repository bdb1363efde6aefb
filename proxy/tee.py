"""Copy a streamed body while it passes.

The callable sits in the path of the client's bytes, outside every guard that mitmproxy has: an
exception in it would cost the client that piece, and an answer of ``b""`` would end the body early.
So nothing but the copy happens here, all of it is guarded, and what comes in is what goes out.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable

logger = logging.getLogger(__name__)

LIMIT_BYTES = 32 << 20
"""How much of one body is kept; the client gets all of it."""


class Tee:
    """Pass every piece of one body on untouched, and keep a copy with its time of arrival."""

    __slots__ = (
        "_clock",
        "_keeping",
        "_limit_bytes",
        "_on_end",
        "_rest",
        "dropped_bytes",
        "ended",
        "fault",
        "pieces",
        "size_bytes",
    )

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        on_end: Callable[[], None] | None = None,
        limit_bytes: int = LIMIT_BYTES,
    ) -> None:
        self._clock = clock
        self._on_end = on_end
        self._limit_bytes = limit_bytes
        self._keeping = True
        self._rest = hashlib.sha256()
        self.ended = False
        """Whether the body came to its end."""
        self.pieces: list[tuple[float, bytes]] = []
        """Time of arrival and bytes, in one value so that no fault can part them."""
        self.size_bytes = 0
        self.dropped_bytes = 0
        """How much came after the limit and was not kept."""
        self.fault: str | None = None
        """The exception that ended the copy before the body ended."""

    def __call__(self, data: bytes) -> bytes:
        """Take one piece, or the empty one that ends the body, and return that very object."""
        try:
            if not data:
                self.ended = True
                on_end, self._on_end = self._on_end, None  # it refers to what refers to us
                if on_end is not None:
                    on_end()
            elif self._keeping:
                self._keep(data)
        except BaseException as err:  # SystemExit, too, would take the proxy with it
            self._keeping = False
            self.fault = type(err).__name__
        return data

    def stop(self) -> None:
        """Keep nothing more: the copy belongs to another thread from now on."""
        self._keeping = False
        self._on_end = None

    def so_far(self) -> Tee:
        """Return the copy as it is now; may be called from any thread."""
        now = Tee(clock=self._clock)
        now.pieces = self.pieces[:]
        now.size_bytes = sum(len(piece) for _, piece in now.pieces)
        return now

    @property
    def whole(self) -> bool:
        """Whether everything that passed was kept."""
        return self.fault is None and not self.dropped_bytes

    @property
    def body(self) -> bytes:
        """What was kept, in one piece."""
        return b"".join(piece for _, piece in self.pieces)

    def hole(self, what: str) -> str | None:
        """Return what is missing from the copy of a request or a response, for a human."""
        if self.fault is not None:
            return f"the copy stopped: {self.fault} in the recorder"
        if not self.dropped_bytes:
            return None
        kept, all_ = self.size_bytes, self.size_bytes + self.dropped_bytes
        return (
            f"the first {kept} of {all_} bytes of the {what} were kept; "
            f"the others have the SHA-256 {self._rest.hexdigest()}"
        )

    def _keep(self, data: bytes) -> None:
        if self.dropped_bytes or self.size_bytes + len(data) > self._limit_bytes:
            self.dropped_bytes += len(data)
            self._rest.update(data)
            return
        self.pieces.append((self._clock(), data))
        self.size_bytes += len(data)


class Breaker:
    """Switch copying off after several faults in a row, so that a broken recorder only watches."""

    def __init__(self, limit: int = 3) -> None:
        self._limit = limit
        self._faults = 0

    @property
    def open(self) -> bool:
        """Whether copying is switched off."""
        return self._faults >= self._limit

    def count(self, *, fault: bool) -> None:
        """Take note of how one copy ended."""
        if self.open:
            return
        self._faults = self._faults + 1 if fault else 0
        if self.open:
            logger.error("recording is off: %d copies in a row failed", self._limit)
