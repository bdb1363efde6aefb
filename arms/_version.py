"""Versions of Ollama, as numbers that can be compared."""

from __future__ import annotations

import re


def version_tuple(text: str | None) -> tuple[int, int, int]:
    """Return major, minor and patch; zeros where a server did not say."""
    numbers = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", text or "")
    if numbers is None:
        return (0, 0, 0)
    major, minor, patch = (int(n or 0) for n in numbers.groups())
    return (major, minor, patch)
