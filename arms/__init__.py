"""Things that can answer a recorded request.

Arms are named on the command line as ``NAME`` or ``NAME=URL`` and loaded when they are asked for,
so that an arm with heavy dependencies costs nothing until then.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace

from tonearm.arms.base import Arm, ArmOptions
from tonearm.errors import UsageError

__all__ = ["ARMS", "Arm", "ArmOptions", "load"]

ARMS = {
    "ollama-json": "ollama_json:OllamaJson",
    "ollama-native": "ollama_native:OllamaNative",
}
"""Arms that a command line can name: module and class."""


def load(spec: str, options: ArmOptions) -> Arm:
    """Return the arm that a ``NAME`` or ``NAME=URL`` asks for.

    Raises:
        UsageError: There is no arm of that name.
    """
    name, _, url = spec.partition("=")
    if name not in ARMS:
        raise UsageError(f"no arm is called {name!r}; there are {', '.join(ARMS)}")
    module_name, _, class_name = ARMS[name].partition(":")
    factory: Callable[[ArmOptions], Arm]
    factory = getattr(importlib.import_module(f"tonearm.arms.{module_name}"), class_name)
    return factory(replace(options, url=url) if url else options)
