"""Things that can answer a recorded request.

Arms are named on the command line as ``NAME`` or ``NAME=TARGET``, settings behind it, and loaded
when they are asked for, so that an arm with heavy dependencies costs nothing until then.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from dataclasses import replace

from tonearm.arms.base import Arm, ArmOptions, Case, Draft, Reference
from tonearm.errors import UsageError

__all__ = ["ARMS", "Arm", "ArmOptions", "Case", "Draft", "Reference", "load"]

ARMS = {
    "ollama-json": "ollama_json:OllamaJson",
    "ollama-native": "ollama_native:OllamaNative",
    "llama-cpp": "llama_cpp:LlamaCpp",
    "jax-native": "jax_native:JaxNative",
}
"""Arms that a command line can name: module and class."""


_SPEC = re.compile(
    r"(?P<name>[^=,]+)(?:=(?P<target>.*?))?(?P<settings>(?:,[a-z_]+=[^,=]*)*)", re.DOTALL
)


def load(spec: str, options: ArmOptions) -> Arm:
    """Return the arm that ``NAME``, ``NAME=TARGET`` or ``NAME=TARGET,SETTING=VALUE,...`` asks for.

    Raises:
        UsageError: There is no arm of that name, or it has no such setting or value.
    """
    match = _SPEC.fullmatch(spec)
    name = match["name"] if match else spec
    if match is None or name not in ARMS:
        raise UsageError(f"no arm is called {name!r}; there are {', '.join(ARMS)}")
    module_name, _, class_name = ARMS[name].partition(":")
    factory: Callable[[ArmOptions], Arm]
    factory = getattr(importlib.import_module(f"tonearm.arms.{module_name}"), class_name)
    settings = dict(text.split("=", 1) for text in match["settings"].split(",")[1:])
    _check(name, settings, getattr(factory, "SETTINGS", {}))
    return factory(replace(options, target=match["target"] or None, settings=settings))


def _check(name: str, settings: dict[str, str], known: dict[str, tuple[str, ...]]) -> None:
    for setting, value in settings.items():
        if setting not in known:
            there = f"it has {', '.join(known)}" if known else "it has none"
            raise UsageError(f"arm {name} has no setting {setting!r}; {there}")
        if known[setting] and value not in known[setting]:
            raise UsageError(
                f"arm {name}: {setting}={value} is not one of {', '.join(known[setting])}"
            )
