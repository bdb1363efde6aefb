"""Find every secret in a text, behind whatever encodings it is written in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tonearm.redaction import personal, places, tokens, wrapped
from tonearm.redaction.codes import escaped, quoted, unescaped, unquoted
from tonearm.redaction.detector import Hit
from tonearm.redaction.linear import Group, compile_bytes
from tonearm.redaction.rules import Rules
from tonearm.redaction.sketch import Sketch
from tonearm.redaction.standin import StandIns
from tonearm.redaction.view import View

_DEPTH = 4
"""How often a JSON text may stand within the string of another one."""

_DETECTORS = (*tokens.DETECTORS, *places.DETECTORS, *personal.DETECTORS)
_TRIGGERS = Group([d.trigger for d in _DETECTORS] + [wrapped.TRIGGER])
_IN_ADDRESS = compile_bytes(rb"[^\s\"'<>`\\]*%[0-9A-Fa-f]{2}[^\s\"'<>`\\]*")


class Scanner:
    """The detectors that are in force."""

    def __init__(self, stand_ins: StandIns, rules: Rules) -> None:
        self._stand_ins = stand_ins
        self._rules = rules

    def hits(self, views: Iterable[View], *, nested: bool = False) -> Iterator[Hit]:
        """Yield what could be a secret in some views; hits may overlap.

        Args:
            views: All that a text can be read as.
            nested: Whether the text came out of base64, which is read one level deep.
        """
        found = (hit for view in views for hit in self._found(view, nested))
        return (hit for hit in found if not self._rules.forbids(hit))

    def _found(self, view: View, nested: bool) -> Iterator[Hit]:
        for find in self._rules.finders:
            yield from find(view)
        for number in _TRIGGERS.found(view.data):
            if number < len(_DETECTORS):
                yield from _DETECTORS[number].find(view)
            elif not nested:
                yield from wrapped.find(view, self._covered, self._stand_ins.make)

    def _covered(self, text: bytes) -> bytes | None:
        """Return a text that came out of base64 without its secrets, ``None`` if it has none."""
        sketch = Sketch(text, readings(View(text)), self._stand_ins)
        found = sketch.paint(self.hits(sketch.views, nested=True))
        return sketch.painted if found else None


def readings(view: View) -> list[View]:
    """Return all that a text can be read as: itself, JSON strings within it, addresses."""
    views = []
    for depth in range(_DEPTH + 1):
        views.append(view)
        if quoted(view.data):
            found = _IN_ADDRESS.finditer(view.data)
            views += [unquoted(view, *match.span()) for match in found]
        if depth == _DEPTH or not escaped(view.data):
            break
        view = unescaped(view)
    return views
