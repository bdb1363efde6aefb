"""Text from models and cassettes, made harmless for a terminal.

Whatever a model or a stranger's file says goes through ``safe`` before it is printed: control
characters could move the cursor, change the title or hide text, and bidirectional marks could make
it read differently from what it is.
"""

from __future__ import annotations

import os
import sys
import unicodedata
from typing import TextIO

from rich.console import Console
from rich.text import Text


def safe(text: str) -> str:
    """Return a text with control, format and unassigned characters spelled out.

    Line feeds and tabs stay; a carriage return does not, because it overwrites the line.
    """
    if text.isprintable():
        return text
    return "".join(c if _harmless(c) else f"\\u{{{ord(c):x}}}" for c in text)


def _harmless(char: str) -> bool:
    return char.isprintable() or char in "\n\t" or unicodedata.category(char) == "Zs"


def one_line(text: str, limit: int = 100) -> str:
    """Return a text safe and on one line, its end cut off beyond ``limit`` characters."""
    flat = safe(text).replace("\n", "\\n").replace("\t", "\\t")
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def cell(text: str, style: str = "") -> Text:
    """Return a table cell that shows a text as it is: no markup, no control characters."""
    return Text(safe(text), style=style)


def console(stream: TextIO | None = None, *, width: int | None = None) -> Console:
    """Return a console for results; ``width`` in columns, the terminal's own where it has one.

    Output that does not go to a terminal is the same everywhere: no colours, a fixed width.
    """
    target = stream or sys.stdout
    if width is None and not target.isatty():
        width = 120
    return _Console(file=target, width=width, markup=False, highlight=False, emoji=False)


def ignore_reader() -> None:
    """Let what is still printed go nowhere: the reader of stdout has seen enough."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class _Console(Console):
    """A console whose reader may leave early, such as ``head``, and not change the exit code."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        ignore_reader()
