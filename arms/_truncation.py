"""Did the server cut a prompt to fit its context?

Ollama does it without a word; only the number of evaluated tokens shows. What it leaves of a prompt
depends on the release (seen on 0.24.0 and 0.33.0, otherwise read in ollama:llm and runner):

- up to 0.29: exactly the context length;
- 0.30.0 to 0.30.10: one less;
- from 0.30.11: about half, the kept head aside.
"""

from __future__ import annotations

from tonearm.arms._version import version_tuple
from tonearm.canonical import Json
from tonearm.model import Pin

DEFAULT_NUM_KEEP = 4


def truncated(prompt: str, tokens: int | None, pin: Pin) -> bool:
    """Return whether a count of evaluated tokens is what a cut leaves behind.

    Args:
        prompt: The whole prompt. One of fewer bytes than the context has tokens always fits.
        tokens: The server's count.
        pin: Of the server that counted; without its context length nothing can be said.
    """
    num_ctx = pin.num_ctx
    if tokens is None or num_ctx is None or len(prompt.encode()) < num_ctx:
        return False
    return tokens == _left(num_ctx, pin)


def _left(num_ctx: int, pin: Pin) -> int:
    """Return how many tokens are left of a prompt that is too long."""
    version = version_tuple(pin.server_version)
    if version < (0, 30):
        return num_ctx
    if version < (0, 30, 11):
        return num_ctx - 1
    kept = _integer(pin.options.get("num_keep"), DEFAULT_NUM_KEEP) + 1  # the <bos>
    return num_ctx - max((num_ctx - kept) // 2, 1)


def _integer(value: Json, default: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else default
