"""Whether a secret is still to be read in a text, by any way that a curious person would try."""

from __future__ import annotations

import base64
import binascii
import json
import re
import zlib
from collections import defaultdict
from collections.abc import Iterator
from urllib.parse import unquote

from tests.redaction.generator import Item
from tonearm.canonical import Json

RUN = 6
"""So many characters of a secret in a row must not stay."""


def leaks(item: Item, text: str) -> list[str]:
    """Return the runs of an item's secret that stay in a text; ``https:`` may stand elsewhere."""
    rest = item.text.replace(item.spelled, "") if item.spelled else ""
    found = _runs(item.spelled) & _runs(text) - _runs(rest)
    secret = _runs(item.secret) - _runs(rest)
    everything = "\0".join({r for r in readings(text) if len(r) >= RUN})
    return sorted(found | {run for run in secret if run in everything})


def _runs(text: str) -> set[str]:
    return {text[n : n + RUN] for n in range(len(text) - RUN + 1)}


def readings(text: str) -> Iterator[str]:
    """Yield a text and everything that is written in it in another way."""
    yield text
    for reading in [*_strings(text), *_joined(text)]:
        yield reading
        yield unquote(reading)
        yield from _unwrapped(reading)
        if reading[:1] in "{[" and reading != text:
            yield from readings(reading)


def _lines(text: str) -> Iterator[Json]:
    for line in [text, *text.split("\n")]:
        try:
            yield json.loads(line.removeprefix("data: "))
        except (ValueError, RecursionError):
            continue


def _leaves(value: Json, path: str = "") -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield path, value
        case dict():
            for name, item in value.items():
                yield from _leaves(item, f"{path}{value.get('index', '')}.{name}")
        case list():
            for item in value:
                yield from _leaves(item, path)


def _strings(text: str) -> list[str]:
    return [leaf for value in _lines(text) for _, leaf in _leaves(value)] + [text]


def _joined(text: str) -> list[str]:
    fields: defaultdict[str, str] = defaultdict(str)
    for value in _lines(text):
        for path, leaf in _leaves(value):
            fields[path] += leaf
    return list(fields.values())


def _unwrapped(text: str) -> Iterator[str]:
    for blob in re.findall(r"[A-Za-z0-9+/_-]{12,}={0,2}", text):
        try:
            plain = base64.b64decode(blob.rstrip("=") + "=" * (-len(blob.rstrip("=")) % 4), b"-_")
        except binascii.Error:
            continue
        yield plain.decode("latin-1")
        if plain.startswith(b"\x89PNG"):
            yield from _png_texts(plain)


def _png_texts(image: bytes) -> Iterator[str]:
    at = 8
    while at + 8 <= len(image):
        size = int.from_bytes(image[at : at + 4])
        kind, body = image[at + 4 : at + 8], image[at + 8 : at + 8 + size]
        if kind == b"zTXt":
            body = zlib.decompress(body.partition(b"\0")[2][1:])
        yield body.decode("latin-1")
        at += size + 12
