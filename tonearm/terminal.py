"""Text from models and cassettes, made harmless for a terminal.

Whatever a model or a stranger's file says goes through ``safe`` before it is printed: control
characters could move the cursor, change the title or hide text, and bidirectional marks could make
it read differently from what it is.
"""

from __future__ import annotations

import re
import sys
from typing import TextIO

from rich.console import Console
from rich.text import Text

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f"
    "\ufe00-\ufe0f\ufeff\ufff9-\uffff\ud800-\udfff\U000e0000-\U000e0fff]"
)


def safe(text: str) -> str:
    """Return a text with control, bidirectional and invisible characters spelled out.

    Line feeds and tabs stay; a carriage return does not, because it overwrites the line.
    """
    return _UNSAFE.sub(lambda match: f"\\u{{{ord(match[0]):x}}}", text)


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
    return Console(file=target, width=width, markup=False, highlight=False, emoji=False)
