"""The sampling options in force for a request, whoever chose them."""

from __future__ import annotations

from tonearm import wire
from tonearm.arms._version import version_tuple
from tonearm.canonical import JsonObject
from tonearm.model import Pin

DEFAULTS: JsonObject = {
    "num_keep": 4,
    "num_predict": -1,
    "temperature": 0.8,
    "top_k": 40,
    "top_p": 0.9,
    "min_p": 0.0,
    "typical_p": 1.0,
    "repeat_last_n": 64,
    "repeat_penalty": 1.0,
    "presence_penalty": 0.0,
    "frequency_penalty": 0.0,
    "seed": -1,
}
"""Ollama's own: ollama:api/types.go@v0.33.0."""

OLD_REPEAT_PENALTY = 1.1
"""Ollama's default before 0.32.10."""


def effective(options: JsonObject, pin: Pin) -> JsonObject:
    """Return Ollama's defaults, above them the model's parameters, above them a request's options.

    The context length is not among them: its default depends on the memory of the machine, so only
    the server knows it (``Pin.num_ctx``).
    """
    defaults = dict(DEFAULTS)
    if pin.server_version and version_tuple(pin.server_version) < (0, 32, 10):
        defaults["repeat_penalty"] = OLD_REPEAT_PENALTY
    return defaults | wire.parameters(pin.parameters) | options
