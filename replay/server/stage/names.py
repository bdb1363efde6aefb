"""Names of models as Ollama reads them.

Rules: ollama:types/model/name.go@v0.33.0.
"""

from __future__ import annotations

import re

from tonearm.replay.server.stage.refusal import Refusal

REGISTRY, LIBRARY, LATEST = "registry.ollama.ai", "library", "latest"

_NAME = re.compile(
    r"(?:(?:[a-z]+://)?(?:(?P<host>\w[\w.:-]{0,349})/)?(?P<namespace>\w[\w-]{0,79})/)?"
    r"(?P<model>\w[\w.-]{0,79})(?::(?P<tag>\w[\w.-]{0,79}))?",
    re.ASCII,
)

INVALID = "invalid model name"


def full(name: str) -> str:
    """Return a name with its host, namespace and tag.

    Raises:
        Refusal: No model can have the name.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise Refusal(400, INVALID)
    host, namespace = found["host"] or REGISTRY, found["namespace"] or LIBRARY
    return f"{host}/{namespace}/{found['model']}:{found['tag'] or LATEST}"


def short(name: str) -> str:
    """Return a full name without the host and the namespace that everybody leaves out."""
    return name.removeprefix(f"{REGISTRY}/").removeprefix(f"{LIBRARY}/")
