"""Where Ollama is, from the command line or the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from tonearm.errors import UsageError

DEFAULT = "http://127.0.0.1:11434"


def upstream(given: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """Return the URL of the Ollama server: what was given, else ``OLLAMA_HOST``, else the default.

    The forms are those of Ollama's own variable: a host, ``host:port`` or a URL. An address that
    means "every interface" to a server is reached at loopback by a client.

    Raises:
        UsageError: It is none of these.
    """
    text = (given or environ.get("OLLAMA_HOST") or DEFAULT).strip().strip("\"'")
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as err:
        raise UsageError(f"{text!r} is no address of an Ollama server: {err}") from err
    if parts.scheme not in {"http", "https"} or not (parts.hostname or text.startswith(":")):
        raise UsageError(f"{text!r} is no address of an Ollama server; try {DEFAULT}")
    host = parts.hostname or "127.0.0.1"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    if ":" in host:
        host = f"[{host}]"
    fallback = 11434 if "://" not in text else {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}:{port or fallback}{parts.path.rstrip('/')}"
