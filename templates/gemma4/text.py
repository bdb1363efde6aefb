"""Collect text that arrives in parts, without the blanks at its two ends."""

from __future__ import annotations


class Trimmed:
    """Text of which every part is known to belong to it as soon as it can be."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._blanks: list[str] = []

    def write(self, text: str) -> str:
        """Take the next part and return what is certain to be inside by now.

        Blanks wait: they belong to the text only when something follows them.
        """
        if not self._parts:
            text = text.lstrip()
        body = text.rstrip()
        if not body:
            self._blanks.append(text)
            return ""
        certain = "".join(self._blanks) + body
        self._blanks = [text[len(body) :]]
        self._parts.append(certain)
        return certain

    def __str__(self) -> str:
        return "".join(self._parts)
