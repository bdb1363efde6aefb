"""Where an answer of the stage is not that of an Ollama, and why.

docs/serve.md tells users the same in the section *Differences*.
"""

from __future__ import annotations

OLD, NEW = "0.24.0", "0.33.0"

DIFFERENCES: dict[str, dict[str, str]] = {OLD: {}, NEW: {}}
"""By version and request."""
