"""Find the llama-server that a local Ollama runs for a model.

From 0.30 on Ollama starts one as a child process for each loaded model, on a port of its own. What
``/api/generate`` hides, control tokens above all, that server shows to whoever asks it directly.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import psutil


def is_local(url: str) -> bool:
    """Return whether a server is on this machine, where its processes can be looked at."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def find(blob: str) -> str | None:
    """Return the URL of the engine that has loaded a model file; ``None`` when there is none.

    Args:
        blob: Name of the file among Ollama's blobs, ``sha256-`` and 64 digits.
    """
    for command in _commands():
        model, port = _value(command, "--model"), _value(command, "--port")
        if model and port and Path(model).name == blob and port.isdecimal():
            return f"http://127.0.0.1:{port}"
    return None


def _commands() -> Iterator[list[str]]:
    """Yield the command lines of running llama-servers, the youngest first."""
    running = psutil.process_iter(["cmdline", "create_time"])
    for process in sorted(running, key=lambda p: -(p.info["create_time"] or 0)):
        command = process.info["cmdline"] or []
        if command and Path(command[0]).stem == "llama-server":
            yield command


def _value(command: list[str], name: str) -> str | None:
    for flag, value in pairwise(command):
        if flag == name:
            return value
    return None
