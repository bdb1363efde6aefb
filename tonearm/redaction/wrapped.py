"""Base64 with something to read in it: texts one level down, and images with their metadata."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator

from tonearm.redaction import images
from tonearm.redaction.detector import Hit, Rank
from tonearm.redaction.linear import compile_bytes
from tonearm.redaction.view import View

_ASCII = rb"[A-Za-f][A-HQ-Xg-nw-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][A-Za-z0-9+/_-]"
"""Four characters that stand for three of ASCII: a bit of each of the first three is 0."""

TRIGGER = (
    rb"(?:" + _ASCII + rb"){4}|iVBORw0KGgo[A-Za-z0-9+/]{40}|/9j/[A-Za-z0-9+/]{40}"
    rb"|UklGR[A-Za-z0-9+/]{10}XRUJQ[A-Za-z0-9+/]{20}"
)
_BLOB = compile_bytes(
    rb"(?:^|[^A-Za-z0-9+/_=-])("
    rb"(?:" + _ASCII + rb"){15,25}(?:\r?\n[ \t]{0,8}[A-Za-z0-9+/]{4,100}={0,2})+"
    rb"|(?:" + _ASCII + rb"){4}[A-Za-z0-9+/_-]*={0,2}"
    rb"|(?:iVBORw0KGgo|/9j/|UklGR)[A-Za-z0-9+/]{40,}={0,2})"
)
_LABEL = re.compile(rb"data:image/([a-z]{3,5});base64,$")
_NOT_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1f\x7f]")
_LOOKED_AT = 4096
_SPELLING = 1024
"""Bytes of text up to which base64 is taken for a spelling of the secret that is in it."""

type Cover = Callable[[bytes], bytes | None]
"""Returns a text without its secrets, ``None`` where it has none."""


def find(view: View, cover: Cover, disguise: Callable[[bytes], bytes]) -> Iterator[Hit]:
    """Yield the base64 in a view that has secrets in it, with what is to take its place.

    Args:
        view: Where to look.
        cover: Redacts what the base64 stands for.
        disguise: Makes a stand-in of the base64 itself.
    """
    for match in _BLOB.finditer(view.data):
        start, end = match.span(1)
        blob = view.data[start:end]
        plain = _decoded(blob)
        if images.is_image(plain):
            yield from _image(view, start, end, plain, cover)
        elif not _NOT_TEXT.search(plain[:_LOOKED_AT]):
            covered = cover(plain)
            if covered is None:
                continue
            short = len(plain) <= _SPELLING or re.search(rb"\s", blob)
            new = disguise(blob) if short else _encoded(covered, blob)
            yield Hit(kind="base64", rank=Rank.FORM, view=view, start=start, end=end, new=new)


def _image(view: View, start: int, end: int, image: bytes, cover: Cover) -> Iterator[Hit]:
    if cover(images.texts(image)) is None:
        return
    new = base64.b64encode(images.repainted(image))
    if label := _LABEL.search(view.data, max(start - 32, 0), start):
        new = b"webp;base64," + new
        start = label.start(1)
    yield Hit(kind="image_text", rank=Rank.FORM, view=view, start=start, end=end, new=new)


def _decoded(blob: bytes) -> bytes:
    packed = re.sub(rb"[\s=]", b"", blob)
    packed = packed[: len(packed) - (len(packed) % 4 == 1)]
    try:
        return base64.b64decode(packed.translate(_STANDARD) + b"=" * (-len(packed) % 4))
    except binascii.Error:
        return b"\0"


_STANDARD = bytes.maketrans(b"-_", b"+/")


def _encoded(plain: bytes, blob: bytes) -> bytes:
    """Return a text in base64 of the same alphabet, padded as the other was."""
    new = base64.b64encode(plain, altchars=b"-_" if re.search(rb"[-_]", blob) else None)
    return new if blob.endswith(b"=") else new.rstrip(b"=")
