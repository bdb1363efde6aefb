"""The one model on the stage, and what Ollama would tell of it.

Shapes: ollama:api/types.go and server/routes.go@v0.33.0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tonearm.canonical import JsonObject
from tonearm.model import Pin
from tonearm.replay.server.stage import names
from tonearm.replay.server.stage.speech import stamp
from tonearm.templates.gguf import Header

STOP = "<turn|>"
"""What Ollama gives every model of this architecture as its ``stop``."""

TEMPLATE = "{{ .Prompt }}"
"""What Ollama shows where code writes the prompts."""

KEEP_ALIVE_S = 300.0

_TENSOR_TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    6: "Q5_0",
    7: "Q5_1",
    8: "Q8_0",
    10: "Q2_K",
    11: "Q3_K",
    12: "Q4_K",
    13: "Q5_K",
    14: "Q6_K",
    15: "Q8_K",
    30: "BF16",
}
_HIDDEN = frozenset({"general.name", "tokenizer.chat_template"})
_NS_PER_S = 1_000_000_000


@dataclass(slots=True, kw_only=True)
class Resident:
    """A model under the name that clients ask for, and whether it is loaded."""

    name: str
    """In full."""
    pin: Pin
    weights: Path | None = None
    size_bytes: int = 0
    """Of the file."""
    modified_ns: int = 0
    """When the file was changed, nanoseconds since 1970."""
    header: Header = field(default_factory=lambda: Header({}, ()))
    capabilities: tuple[str, ...] = ("tools", "thinking")
    """Besides that of completing a text."""
    num_ctx: int | None = None
    """While it is loaded, tokens."""
    expires_ns: int = 0
    """When Ollama would unload it, nanoseconds since 1970."""

    def is_called(self, model: str) -> bool:
        """Return whether a client that writes this name means the model.

        Raises:
            Refusal: No model can have the name.
        """
        return names.full(model).casefold() == self.name.casefold()

    @property
    def short(self) -> str:
        """The name as lists have it."""
        return names.short(self.name)

    @property
    def trained_ctx(self) -> int | None:
        """The longest context that it was trained with, tokens; no longer one is any use."""
        length = self.header.metadata.get(f"{self.pin.family}.context_length")
        return length if isinstance(length, int) else None

    def tag(self) -> JsonObject:
        """Return its entry in ``/api/tags``."""
        lengths = {
            name: self.header.metadata.get(f"{self.pin.family}.{name}")
            for name in ("context_length", "embedding_length")
        }
        known = {name: length for name, length in lengths.items() if length}
        return {
            "name": self.short,
            "model": self.short,
            "modified_at": stamp(self.modified_ns),
            "size": self.size_bytes,
            "digest": self.pin.digest or "",
            "details": self._details() | known,
            "capabilities": ["completion", *self.capabilities],
        }

    def ps(self, now_ns: int) -> list[JsonObject]:
        """Return the entries of ``/api/ps``."""
        if self.num_ctx is None or now_ns > self.expires_ns:
            return []
        return [
            {
                "name": self.short,
                "model": self.short,
                "size": self.size_bytes,
                "digest": self.pin.digest or "",
                "details": self._details(),
                "expires_at": stamp(self.expires_ns),
                "size_vram": 0,
                "context_length": self.num_ctx,
            }
        ]

    def show(self) -> JsonObject:
        """Return the body of ``/api/show``."""
        parent = str(self.weights or "")
        info = {key: item for key, item in self.header.metadata.items() if key not in _HIDDEN}
        if self.header.tensors:
            info["general.parameter_count"] = self.header.parameters
        return {
            "modelfile": self._modelfile(parent),
            "parameters": f'{"stop":<30} "{STOP}"',
            "template": TEMPLATE,
            "details": self._details(),
            "model_info": dict(sorted(info.items())),
            "tensors": [
                {"name": t.name, "type": _TENSOR_TYPES.get(t.kind, ""), "shape": list(t.shape)}
                for t in self.header.tensors
            ],
            "capabilities": ["completion", *self.capabilities],
            "modified_at": stamp(self.modified_ns),
        }

    def openai(self) -> JsonObject:
        """Return its entry in ``/v1/models``."""
        owner = names.short(self.name).rpartition("/")[0] or names.LIBRARY
        created = self.modified_ns // _NS_PER_S
        return {"id": self.short, "object": "model", "created": created, "owned_by": owner}

    def loaded(self, num_ctx: int, now_ns: int, keep_alive_s: float | None) -> None:
        """Note that it was used."""
        kept_s = KEEP_ALIVE_S if keep_alive_s is None else keep_alive_s
        self.num_ctx = num_ctx if kept_s > 0 else None
        self.expires_ns = now_ns + int(min(kept_s, _FOREVER_S) * _NS_PER_S)

    def unloaded(self) -> None:
        """Note that a client wants it to go."""
        self.num_ctx = None

    def _details(self) -> JsonObject:
        family = self.pin.family or ""
        return {
            "parent_model": "",
            "format": "gguf",
            "family": family,
            "families": [family],
            "parameter_size": self.pin.parameter_size or "",
            "quantization_level": self.pin.quantization or "unknown",
        }

    def _modelfile(self, parent: str) -> str:
        return (
            '# Modelfile generated by "ollama show"\n'
            "# To build a new Modelfile based on this, replace FROM with:\n"
            f"# FROM {self.short}\n\n"
            f"FROM {parent}\nTEMPLATE {TEMPLATE}\nRENDERER gemma4\nPARSER gemma4\n"
            f"PARAMETER stop {STOP}\n"
        )


_FOREVER_S = 292 * 365 * 86400.0
"""About as long as Go's longest duration."""
