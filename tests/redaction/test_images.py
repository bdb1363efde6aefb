"""What is written in an image is found, and an image can be had without it."""

import io
import struct
import zlib

import pytest
from PIL import Image, PngImagePlugin

from tonearm.redaction import images

SECRET = "token: not-really-one"


def picture(form: str, *, comment: str = "") -> bytes:
    """Return an image of a few colours, with a comment in the way of its format."""
    image = Image.new("RGB", (7, 5))
    image.putdata([(40 * x, 50 * y, 9) for y in range(5) for x in range(7)])
    out = io.BytesIO()
    more = {}
    if comment and form == "PNG":
        more["pnginfo"] = PngImagePlugin.PngInfo()
        more["pnginfo"].add_text("Comment", comment)
    elif comment and form == "JPEG":
        more["comment"] = comment.encode()
    elif comment:
        more["exif"] = b"Exif\0\0" + comment.encode()
    image.save(out, form, **more)
    return out.getvalue()


def decoded(image: bytes) -> tuple[tuple[int, int], bytes]:
    with Image.open(io.BytesIO(image)) as opened:
        return opened.size, opened.convert("RGB").tobytes()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_comment_is_read_and_gone_from_the_new_image(form):
    image = picture(form, comment=SECRET)

    assert images.is_image(image)
    assert SECRET.encode() in images.texts(image)
    new = images.repainted(image)
    assert SECRET.encode() not in images.texts(new)
    assert decoded(new) == decoded(image)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_what_stands_behind_the_pixels_is_read_or_hidden_by_nothing(form):
    image = picture(form)

    assert SECRET.encode() in images.texts(image + SECRET.encode()) or form == "WEBP"
    assert SECRET.encode() not in images.texts(image)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize(
    "text",
    [
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(SECRET.encode())),
        chunk(b"iTXt", b"Comment\0\1\0en\0Kommentar\0" + zlib.compress(SECRET.encode())),
        chunk(b"iTXt", b"Comment\0\0\0\0\0" + SECRET.encode()),
        chunk(b"eXIf", SECRET.encode("utf-16-le")),
    ],
    ids=["zTXt", "iTXt, packed", "iTXt", "UTF-16"],
)
def test_packed_and_wide_texts_are_read(text):
    image = picture("PNG")

    assert SECRET.encode() in images.texts(image[:33] + text + image[33:])


def test_a_packed_text_is_not_unpacked_without_end():
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64 << 20)))
    image = picture("PNG")

    assert len(images.texts(image[:33] + bomb + image[33:])) < 4 << 20


@pytest.mark.parametrize("cut", [9, 20, 40, 60])
def test_a_cut_image_becomes_a_single_pixel(cut):
    new = images.repainted(picture("PNG", comment=SECRET)[:cut])

    assert decoded(new)[0] == (2, 2)


def test_an_image_with_a_size_that_lies_is_not_decoded():
    image = picture("PNG")
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)

    assert decoded(images.repainted(image[:8] + chunk(b"IHDR", header) + image[33:]))[0] == (2, 2)
