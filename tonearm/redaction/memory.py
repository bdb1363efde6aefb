"""Secrets that were found by where they stood, to be found again where nothing gives them away.

A password stands behind ``password:`` once, and then the model says it in a sentence. What is
remembered stays in this process and is bounded.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Iterator

from tonearm.redaction.detector import Hit, Rank
from tonearm.redaction.linear import Pattern, compile_bytes
from tonearm.redaction.view import View

_LIMIT = 256
_LENGTHS = range(8, 257)
"""A shorter secret could be part of a harmless word, a longer one is not repeated by heart."""


class Memory:
    """The latest secrets that have no form of their own."""

    def __init__(self) -> None:
        self._kinds: OrderedDict[bytes, str] = OrderedDict()
        self._pattern: Pattern | None = None

    def add(self, hit: Hit) -> None:
        """Remember the secret of a hit, if it is one that would not be found again by itself."""
        secret = hit.text
        if hit.rank is not Rank.PLACE or len(secret) not in _LENGTHS or secret in self._kinds:
            return
        if not re.search(rb"\d", secret):
            return
        self._kinds[secret] = hit.kind
        self._pattern = None
        if len(self._kinds) > _LIMIT:
            self._kinds.popitem(last=False)

    def find(self, view: View) -> Iterator[Hit]:
        """Yield where a remembered secret stands."""
        if not self._kinds:
            return
        if self._pattern is None:
            longest_first = sorted(self._kinds, key=len, reverse=True)
            self._pattern = compile_bytes(b"|".join(map(_literal, longest_first)))
        for match in self._pattern.finditer(view.data):
            start, end = match.span()
            kind = self._kinds[view.data[start:end]]
            yield Hit(kind=kind, rank=Rank.PLACE, view=view, start=start, end=end)


def _literal(secret: bytes) -> bytes:
    return b"".join(b"\\x%02x" % char for char in secret)
