"""The models that a source knows, and what it knows of each.

The facts come from pins, which hold less than a server would tell. What they do not hold is left
out of an answer and named in a header field of it; nothing is made up.
"""

from __future__ import annotations

from tonearm.canonical import Json, JsonObject
from tonearm.model import Pin
from tonearm.replay.release import release

NO_DIGEST = "not recorded"
"""``ollama list`` cuts twelve characters off a digest and ends in a panic where there are fewer."""

_TELLS_TAG = (0, 30, 0)
"""Since when ``/api/show`` and ``/v1/models`` tell the tag of a model that they do not have."""

_MODELFILE = "# What recordings tell of the Modelfile; the rest of it was not recorded.\n"


class Lineup:
    """Models by name, each with the pin that came last."""

    def __init__(self) -> None:
        self._pins: dict[str, Pin] = {}
        self._version: str | None = None

    def add(self, pin: Pin) -> None:
        """Learn of a model; a pin that says nothing more than the name takes nothing away."""
        name = full_name(pin.model)
        if pin.server_version is not None:
            self._version = pin.server_version
        if name not in self._pins or pin.digest or pin.family:
            self._pins[name] = pin

    @property
    def version(self) -> str | None:
        """The server's version, as the last pin says; ``None`` where none does."""
        return self._version

    @property
    def names(self) -> list[str]:
        """The models, in the order in which they became known."""
        return list(self._pins)

    def find(self, model: str) -> Pin | None:
        """Return what is known of a model, ``None`` where there is no such model."""
        return self._pins.get(full_name(model))

    def absent(self, model: str) -> str:
        """Return what the server calls a model that it cannot show.

        A server of which no pin tells the version counts as a new one.
        """
        version = release(self._version)
        return model if version and version < _TELLS_TAG else full_name(model)

    def tags(self) -> list[JsonObject]:
        """Return the entries of ``/api/tags``."""
        return [_entry(name, pin) for name, pin in self._pins.items()]

    def ps(self) -> list[JsonObject]:
        """Return the entries of ``/api/ps``: models that were loaded when they were recorded."""
        return [
            _entry(name, pin) | {"context_length": pin.num_ctx}
            for name, pin in self._pins.items()
            if pin.num_ctx is not None
        ]


def full_name(model: str) -> str:
    """Return a model's name with its tag, which is ``latest`` where the client names none."""
    return model if ":" in model.rpartition("/")[2] else f"{model}:latest"


def _entry(name: str, pin: Pin) -> JsonObject:
    digest = pin.digest or NO_DIGEST
    return {"name": name, "model": name, "digest": digest, "details": _details(pin)}


def _details(pin: Pin) -> JsonObject:
    facts = {
        "family": pin.family,
        "families": [pin.family] if pin.family else None,
        "parameter_size": pin.parameter_size,
        "quantization_level": pin.quantization,
    }
    return {name: value for name, value in facts.items() if value is not None}


def show(pin: Pin) -> JsonObject:
    """Return the body of ``/api/show``."""
    # A server takes the family from the weights' architecture, so one tells the other.
    info: dict[str, Json] = {"general.architecture": pin.family} if pin.family else {}
    facts: JsonObject = {
        "modelfile": _modelfile(pin),
        "parameters": pin.parameters,
        "details": _details(pin),
        "model_info": info,
        "capabilities": list(pin.capabilities) or None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _modelfile(pin: Pin) -> str:
    lines = [
        f"{word} {value}"
        for word, value in (("RENDERER", pin.renderer), ("PARSER", pin.parser))
        if value
    ]
    for parameter in (pin.parameters or "").splitlines():
        name, _, value = parameter.partition(" ")
        lines.append(f"PARAMETER {name} {value.strip()}")
    return _MODELFILE + "".join(f"{line}\n" for line in lines)
