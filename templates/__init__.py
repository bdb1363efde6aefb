"""Chat grammars: what a prompt must be and what a completion says."""

from __future__ import annotations

import re

from tonearm.errors import RenderError, UsageError
from tonearm.model import Pin
from tonearm.templates.base import ChatFormat
from tonearm.templates.custom import load
from tonearm.templates.gemma4.format import Gemma4
from tonearm.templates.source import REVISIONS

__all__ = ["ChatFormat", "for_model", "get", "load", "name_of", "names"]

_FORMATS = {format.name: format for format in (Gemma4("small"), Gemma4("large"))}
_SMALL, _LARGE = _FORMATS["gemma4-small"], _FORMATS["gemma4-large"]
_LARGE_FROM = 12e9
_FACTORS = {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}


def names() -> tuple[str, ...]:
    """Return the names of all grammars, as ``get`` takes them."""
    return tuple(_FORMATS)


def get(name: str) -> ChatFormat:
    """Return a grammar by its name.

    Raises:
        UsageError: There is none of that name.
    """
    try:
        return _FORMATS[name]
    except KeyError:
        raise UsageError(f"no chat grammar {name!r}; there are {', '.join(_FORMATS)}") from None


def name_of(sha256: str) -> str:
    """Return what reports call a template: its own name, a known revision, or its hash."""
    for chat_format in _FORMATS.values():
        if chat_format.sha256 == sha256:
            return f"tonearm's {chat_format.name}"
    return REVISIONS.get(sha256[:12], f"template {sha256[:12]}")


def for_model(pin: Pin) -> ChatFormat:
    """Return the grammar of a model, chosen as Ollama chooses its renderer.

    A renderer that names the variant decides; then the sizes in the model's name; then the number
    of parameters, and where the server does not tell it, small.

    Raises:
        RenderError: The model is of a family that tonearm has no grammar for.
    """
    if pin.renderer in _FORMATS:
        return _FORMATS[pin.renderer]
    kind = pin.renderer or pin.family
    if kind is not None and not kind.startswith("gemma4"):
        raise RenderError(
            f"{pin.model}: no chat grammar for {kind!r}, only for gemma4; "
            "give the model's own template with --template"
        )
    return _by_name(pin.model) or _by_parameters(pin.parameter_size)


def _by_name(model: str) -> Gemma4 | None:
    name = model.lower()
    if "e2b" in name or "e4b" in name:
        return _SMALL
    if any(size in name for size in ("12b", "26b", "31b")):
        return _LARGE
    return None


def _by_parameters(size: str | None) -> Gemma4:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([KMBT]?)", size or "", re.IGNORECASE)
    if match is None:
        return _SMALL
    count = float(match[1]) * _FACTORS[match[2].upper()]
    return _LARGE if count >= _LARGE_FROM else _SMALL
