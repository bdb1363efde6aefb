"""Check Ollama's translator: the prompt that it writes and the answer that it reads.

Both checks are exact and need no second generation, because an arm that lets Ollama translate shows
what went into the translator and what came out. docs/translator-check.md lists the causes.
"""

from __future__ import annotations

from tonearm.replay.translator.causes import Cause, about
from tonearm.replay.translator.check import check

__all__ = ["Cause", "about", "check"]
