"""Texts in the metadata of an image, and the image without them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_PIXELS_IN_PNG = frozenset((b"IDAT", b"fdAT"))
_PIXELS_IN_WEBP = frozenset((b"VP8 ", b"VP8L", b"ALPH", b"ANMF"))
_MAX_TEXT = 1 << 20
_MAX_PIXELS = 32 << 20


def is_image(data: bytes) -> bool:
    """Return whether bytes are an image of a kind whose metadata is known."""
    return data.startswith((_PNG, _JPEG)) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


def texts(image: bytes) -> bytes:
    """Return everything in an image that is not pixels, compressed texts unpacked."""
    if image.startswith(_PNG):
        parts = _png(image)
    elif image.startswith(_JPEG):
        parts = _jpeg(image)
    else:
        parts = _webp(image)
    found = b"\n".join(parts)
    wide = found.replace(b"\0", b"") if b"\0" in found else b""  # UTF-16, as Windows writes it
    return found + b"\n" + wide


def _png(image: bytes) -> Iterator[bytes]:
    at = len(_PNG)
    while at + 8 <= len(image):
        length, kind = struct.unpack_from(">I4s", image, at)
        body = image[at + 8 : at + 8 + length]
        if kind not in _PIXELS_IN_PNG:
            yield _inflated(kind, body)
        at += length + 12
        if kind == b"IEND":
            break
    yield image[at:]


def _inflated(kind: bytes, body: bytes) -> bytes:
    """Return a PNG chunk's content with its compressed part, where it has one, behind it."""
    name, _, rest = body.partition(b"\0")
    if kind == b"zTXt":
        packed = rest[1:]
    elif kind == b"iTXt" and rest[:1] == b"\1":
        packed = rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    else:
        return body
    try:
        return name + b"\n" + zlib.decompressobj().decompress(packed, _MAX_TEXT)
    except zlib.error:
        return body


def _jpeg(image: bytes) -> Iterator[bytes]:
    at = 2
    while at + 4 <= len(image) and image[at] == 0xFF:
        kind, length = image[at + 1], int.from_bytes(image[at + 2 : at + 4])
        if kind == 0xDA:  # the pixels begin
            break
        if 0xE0 <= kind <= 0xEF or kind == 0xFE:
            yield image[at + 4 : at + 2 + length]
        at += 2 + length
    yield image[image.rfind(b"\xff\xd9") + 2 :]


def _webp(image: bytes) -> Iterator[bytes]:
    at = 12
    while at + 8 <= len(image):
        kind, length = struct.unpack_from("<4sI", image, at)
        if kind not in _PIXELS_IN_WEBP:
            yield image[at + 8 : at + 8 + length]
        at += 8 + length + length % 2


def repainted(image: bytes) -> bytes:
    """Return an image of the same pixels of which no other byte is left, in WebP without loss.

    What cannot be read becomes an image of a single pixel.
    """
    from PIL import Image  # a tenth of a second, and few images need it

    try:
        with Image.open(io.BytesIO(image), formats=("PNG", "JPEG", "WEBP")) as picture:
            if picture.width * picture.height > _MAX_PIXELS:
                raise ValueError("too large")
            mode = "RGBA" if picture.has_transparency_data else "RGB"
            pixels = picture.convert(mode)
            pixels = Image.frombytes(mode, pixels.size, pixels.tobytes())
    except Exception:  # a stranger's image may break a decoder in any way
        pixels = Image.new("RGB", (1, 1))
    if pixels.size == (1, 1):
        pixels = pixels.resize((2, 2))  # or its spelling is a row of zeros, like the old one's
    out = io.BytesIO()
    pixels.save(out, "WEBP", lossless=True, exact=True, quality=0, method=0)  # fast, and exact
    return out.getvalue()
