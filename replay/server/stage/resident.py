"""The one model on the stage, and what Ollama would tell of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tonearm.model import Pin
from tonearm.replay.server.lineup import full_name

VERSION = "0.33.0"
"""The Ollama that the stage is asked like."""

STOP = "<turn|>"
"""What Ollama gives every model of this architecture as its ``stop``."""

CAPABILITIES = ("completion", "tools", "thinking")

_REGISTRY = "registry.ollama.ai/"
_LIBRARY = "library/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resident:
    """A model under the name that clients ask for."""

    name: str
    """With its tag."""
    pin: Pin

    @classmethod
    def of(cls, model: str, pin: Pin) -> Resident:
        """Return the resident of a name, from what its arm says."""
        name = full_name(model)
        return cls(
            name=name,
            pin=replace(
                pin,
                model=name,
                server_version=VERSION,
                renderer=pin.renderer or "gemma4",
                parser=pin.parser or "gemma4",
                parameters=f'stop                           "{STOP}"',
                capabilities=CAPABILITIES,
            ),
        )

    @property
    def full_name(self) -> str:
        """The name as Ollama's errors have it."""
        return f"{_REGISTRY}{_LIBRARY}{self.name}"

    def is_called(self, model: str) -> bool:
        """Return whether a client that writes this name means the model."""
        short = full_name(model).removeprefix(_REGISTRY).removeprefix(_LIBRARY)
        return short.casefold() == self.name.casefold()
