"""The release of Ollama that a server says it is."""

from __future__ import annotations

import re

type Release = tuple[int, int, int]
"""A version without what may follow its three numbers."""


def release(server_version: str | None) -> Release | None:
    """Return the numbers of a version; a candidate counts as the release that it became."""
    match = re.match(r"v?(\d+)\.(\d+)\.(\d+)", server_version or "")
    return (int(match[1]), int(match[2]), int(match[3])) if match else None
