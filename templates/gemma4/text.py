"""Collect text that arrives in parts, with or without the blanks at its ends."""

from __future__ import annotations


class Trimmed:
    """Text of which every part is known to belong to it as soon as it can be."""

    def __init__(self, *, start: bool = True) -> None:
        """Begin a text; ``start`` says whether its first blanks go as well as its last."""
        self._start = start
        self._parts: list[str] = []
        self._blanks: list[str] = []

    def write(self, text: str) -> str:
        """Take the next part and return what is certain to be inside by now.

        Blanks wait: they belong to the text only when something follows them.
        """
        if self._start and not self._parts:
            text = text.lstrip()
        body = text.rstrip()
        if not body:
            self._blanks.append(text)
            return ""
        certain = "".join(self._blanks) + body
        self._blanks = [text[len(body) :]]
        self._parts.append(certain)
        return certain

    def rest(self) -> str:
        """Return the blanks that wait, which belong to the text after all."""
        rest, self._blanks = "".join(self._blanks), []
        self._parts.append(rest)
        return rest

    def __str__(self) -> str:
        return "".join(self._parts)


class Untrimmed:
    """Text of which every part belongs to it."""

    def __init__(self) -> None:
        self._parts: list[str] = []

    def write(self, text: str) -> str:
        """Take the next part and return it."""
        self._parts.append(text)
        return text

    def __str__(self) -> str:
        return "".join(self._parts)
