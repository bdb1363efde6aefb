"""Find the chat template that a user points at: a file, a model folder or a GGUF file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tonearm.canonical import Json, JsonObject
from tonearm.errors import UsageError
from tonearm.templates import gguf

MAX_BYTES = 1 << 20
"""Of a template; the longest in use are of some 20 KB."""

MAX_CONFIG_BYTES = 64 << 20
"""Of ``tokenizer_config.json``, which lists thousands of tokens in some models."""

GGUF_KEY = "tokenizer.chat_template"
TOKENS = {"bos_token": "<bos>", "eos_token": "<eos>", "unk_token": "<unk>", "pad_token": "<pad>"}
"""Gemma's, for sources that do not say."""

REVISIONS = {
    "52152da6b5f2": "gemma4 2026-04-02",
    "85a08664d16d": "gemma4-large 2026-04-10",
    "93a71eb61044": "gemma4-small 2026-04-10",
    "94899c0f917d": "gemma4-large 2026-04-28",
    "33204f1acb5b": "gemma4-small 2026-04-28",
    "ae53464bf3be": "gemma4-large 2026-07-09",
    "0a2c8073c878": "gemma4-small 2026-07-09",
    "df269903ea2e": "gemma4-large 2026-07-09 (Ollama's copy)",
    "3beb16a140a7": "gemma4-small 2026-07-09 (Ollama's copy)",
    "afdbb2abe366": "gemma4 of vLLM 0.33.0",
}
"""Known templates by the first 12 digits of their SHA-256: a name in a report, no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A template's text and what else its source says about rendering."""

    text: str
    tokens: Mapping[str, str] = field(default_factory=lambda: TOKENS)
    """The special tokens that templates use by name."""

    @property
    def sha256(self) -> str:
        """Of the text, UTF-8."""
        return hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def name(self) -> str:
        """The revision where it is a known one, else the beginning of its SHA-256."""
        short = self.sha256[:12]
        return REVISIONS.get(short, f"template {short}")


def find(path: Path) -> Source:
    """Read the template of a file, a model folder or a GGUF file.

    Raises:
        UsageError: There is no template there, or none that can be read.
    """
    try:
        if path.is_dir():
            return _of_folder(path)
        with path.open("rb") as file:
            is_gguf = file.read(4) == gguf.MAGIC
        return _of_gguf(path) if is_gguf else Source(text=_read(path, MAX_BYTES))
    except OSError as err:
        raise UsageError(f"{path}: {err.strerror or err}; give a chat template") from err


def _of_gguf(path: Path) -> Source:
    try:
        text = gguf.read_text(path, GGUF_KEY)
    except gguf.GgufError as err:
        raise UsageError(f"{path}: not a readable GGUF file: {err}") from err
    if text is None:
        raise UsageError(f"{path}: its metadata has no {GGUF_KEY}; give the template as a file")
    return Source(text=text)


def _of_folder(path: Path) -> Source:
    config = _config(path / "tokenizer_config.json")
    tokens = TOKENS | {name: _token(config[name]) for name in TOKENS if config.get(name)}
    file = path / "chat_template.jinja"
    if file.exists():
        return Source(text=_read(file, MAX_BYTES), tokens=tokens)
    text = _default(config.get("chat_template"))
    if text is None:
        raise UsageError(
            f"{path}: neither chat_template.jinja nor a default chat_template in "
            "tokenizer_config.json; give the template as a file"
        )
    return Source(text=text, tokens=tokens)


def _config(path: Path) -> JsonObject:
    if not path.exists():
        return {}
    try:
        config = json.loads(_read(path, MAX_CONFIG_BYTES))
    except (ValueError, RecursionError) as err:
        raise UsageError(f"{path}: not JSON: {err}") from err
    return config if isinstance(config, dict) else {}


def _token(value: Json) -> str:
    return str(value.get("content", "")) if isinstance(value, dict) else str(value)


def _default(value: Json) -> str | None:
    """Return the template itself, or of a list of named ones the one called ``default``."""
    if isinstance(value, str):
        return value
    named = [entry for entry in value or () if isinstance(entry, dict)]
    return next((str(e.get("template")) for e in named if e.get("name") == "default"), None)


def _read(path: Path, limit: int) -> str:
    with path.open("rb") as file:
        raw = file.read(limit + 1)
    if len(raw) > limit:
        raise UsageError(f"{path}: longer than {limit} bytes")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as err:
        raise UsageError(f"{path}: not UTF-8 at byte {err.start}") from err
