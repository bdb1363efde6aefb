"""Take the secrets out of bodies and texts, the same way every time."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tonearm.redaction import keyfile, rules, streams
from tonearm.redaction.edits import Edit, apply
from tonearm.redaction.memory import Memory
from tonearm.redaction.rules import Rules
from tonearm.redaction.scanner import Scanner, readings
from tonearm.redaction.sketch import Finding, Sketch
from tonearm.redaction.standin import StandIns
from tonearm.redaction.units import units
from tonearm.redaction.view import View, joined

_MAX_PARTS = 16_384
"""Parts of requests of which it is known what is to be replaced in them."""

_MAX_CONTEXTS = 1024
_BUILT_IN = Rules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """A body without its secrets."""

    body: bytes
    edits: tuple[Edit, ...] = ()
    """What was done to the old body to make the new one."""
    found: Counter[str] = field(default_factory=Counter)
    """How many secrets of each kind it held."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What was found in a body or a part of one."""

    edits: tuple[Edit, ...]
    findings: tuple[Finding, ...]


class Redactor:
    """The redaction of one shelf; it belongs to one thread at a time."""

    def __init__(self, key: bytes, rules: Rules = _BUILT_IN) -> None:
        """Take the key of the stand-ins, and rules beside the built-in ones."""
        self._key = key
        self._stand_ins = StandIns(key)
        self._scanner = Scanner(self._stand_ins, rules)
        self._memory = Memory()
        self._seen: OrderedDict[bytes, _Part] = OrderedDict()
        self._tainted: OrderedDict[bytes, None] = OrderedDict()

    @classmethod
    def of_shelf(cls, root: Path) -> Self:
        """Return the redactor of a shelf, by its key and its rules; a shelf without key gets one.

        Raises:
            RedactionError: The key or the rules cannot be read, or a rule is wrong.
        """
        return cls(keyfile.of_shelf(root), rules.load(root / rules.NAME))

    def request(self, body: bytes) -> Redacted:
        """Return a request's body without its secrets."""
        places = units(body)
        parts = self._parts([body[start:end] for start, end in places])
        edits = [e.moved(at) for (at, _), p in zip(places, parts, strict=True) for e in p.edits]
        found = Counter(finding.kind for part in parts for finding in part.findings)
        cleared = self._contexts(body, clear=False)
        found.update(["token_ids"] * len(cleared))
        return _redacted(body, _replaced(edits, cleared), found)

    def response(self, body: bytes, *, asked: bool = False) -> Redacted:
        """Return a response's body without its secrets.

        Args:
            body: As it came, streamed or not.
            asked: Whether secrets were found in the request; then the token ids that stand for it
                are taken out of the response.
        """
        part = self._scanned(body)
        found = Counter(finding.kind for finding in part.findings)
        cleared = self._contexts(body, clear=asked or bool(found))
        found.update(["token_ids"] * len(cleared))
        return _redacted(body, _replaced(part.edits, cleared), found)

    def text(self, text: str) -> tuple[str, list[Finding]]:
        """Return a text of any form without its secrets, and where they stood in it."""
        body = text.encode("utf-8", "surrogatepass")
        part = self._scanned(body)
        edits = _replaced(part.edits, self._contexts(body, clear=bool(part.edits)))
        at = _characters(body, [at for f in part.findings for span in f.spans for at in span])
        findings = [
            Finding(kind=f.kind, spans=tuple((at[start], at[end]) for start, end in f.spans))
            for f in part.findings
        ]
        return apply(body, edits).decode("utf-8", "surrogatepass"), findings

    def _parts(self, texts: Sequence[bytes]) -> list[_Part]:
        """Return what is to be replaced in each of some texts; what was seen before is known."""
        digests = [hashlib.blake2b(text, digest_size=16, key=self._key).digest() for text in texts]
        parts, fresh = {}, {}
        for digest, text in zip(digests, texts, strict=True):
            if (part := self._seen.get(digest)) is not None:
                self._seen.move_to_end(digest)
                parts[digest] = part
            elif digest not in fresh:
                fresh[digest] = self._sketch(text)
        for digest, sketch in fresh.items():
            parts[digest] = self._seen[digest] = self._finish(sketch)
        while len(self._seen) > _MAX_PARTS:
            self._seen.popitem(last=False)
        return [parts[digest] for digest in digests]

    def _scanned(self, body: bytes) -> _Part:
        """Return what is to be replaced in a response, or a text that could be one."""
        lanes = streams.lanes(body) if streams.is_stream(body) else []
        part = self._finish(self._sketch(body, lanes))
        if not part.edits:
            return part
        cleared = [Edit(*span, _nothing(body, span)) for span in streams.logprobs(body)]
        return _Part(tuple(_replaced(part.edits, cleared)), part.findings)

    def _contexts(self, body: bytes, *, clear: bool) -> list[Edit]:
        """Return the removal of token ids that stand for a secret.

        A client sends back the ids that it got, and nothing in them tells what they stand for.
        """
        edits = []
        for start, end in streams.contexts(body):
            ids = hashlib.sha256(re.sub(rb"\s", b"", body[start:end])).digest()
            if clear:
                self._tainted[ids] = None
            if ids in self._tainted:
                edits.append(Edit(start, end, b"[]"))
        while len(self._tainted) > _MAX_CONTEXTS:
            self._tainted.popitem(last=False)
        return edits

    def _sketch(self, text: bytes, lanes: Iterable[streams.Spans] = ()) -> Sketch:
        """Return a text with everything painted over that is a secret by itself."""
        whole = View(text)
        views = readings(whole)
        for spans in lanes:
            views += readings(joined(whole, spans))
        sketch = Sketch(text, views, self._stand_ins)
        for hit in sketch.paint(self._scanner.hits(views)):
            self._memory.add(hit)
        return sketch

    def _finish(self, sketch: Sketch) -> _Part:
        """Paint over the secrets that were found elsewhere."""
        sketch.paint(hit for view in sketch.views for hit in self._memory.find(view))
        return _Part(sketch.edits, tuple(sketch.findings))


def _redacted(body: bytes, edits: Sequence[Edit], found: Counter[str]) -> Redacted:
    return Redacted(body=apply(body, edits), edits=tuple(edits), found=found)


def _nothing(body: bytes, span: tuple[int, int]) -> bytes:
    return b"[]" if body[span[0] : span[0] + 1] == b"[" else b"null"


def _replaced(edits: Iterable[Edit], cleared: Sequence[Edit]) -> list[Edit]:
    """Return edits in order, those left out that lie in a place which is cleared as a whole."""
    kept = [e for e in edits if not any(c.start <= e.start < c.end for c in cleared)]
    return sorted([*kept, *cleared], key=lambda edit: edit.start)


def _characters(body: bytes, places: Iterable[int]) -> dict[int, int]:
    """Return how many characters stand before each of some places of a UTF-8 text."""
    counts, at, count = {}, 0, 0
    for place in sorted(set(places)):
        count += len(body[at:place].decode("utf-8", "surrogatepass"))
        counts[place], at = count, place
    return counts
