"""Cassettes as no recorder writes them, and a careful reader that knows what they still hold.

A case is made from its seed alone. ``judge`` loads it and complains when anything but a cassette
error comes out, or when an exchange that the careful reader finds is missing without a word.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import yaml
import zstandard
from vcr.serializers import yamlserializer

from tests.cassette import samples
from tonearm.cassette import _foreign, foreign, load, parts
from tonearm.cassette.format import HEADER, to_line
from tonearm.errors import CassetteError
from tonearm.model import Exchange

LINES, BLOCK, SEALED_LINES, SEALED_BLOCK = "lines", "block", "sealed lines", "sealed block"
SEALED_PARTS = "sealed parts"
LAYOUTS = (LINES, LINES, BLOCK, SEALED_LINES, SEALED_BLOCK, SEALED_PARTS)

_NESTED = re.compile(rb'[\[{?&"\- a:]{900}')
"""What the careful reader, which has no child process, leaves alone."""

Found = list[tuple[bytes, bytes]]
"""Bodies of request and response, for each exchange in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A file, and what was done to it."""

    seed: int
    layout: str
    steps: list[str] = field(default_factory=list)
    data: bytes
    blobs: dict[str, bytes] = field(default_factory=dict)
    whole: bytes = b""
    """The plain file that was cut into parts."""


class Violation(AssertionError):
    """A promise that was broken."""


def make(seed: int) -> Case:
    """Return the case of a seed."""
    rng = random.Random(f"cassette {seed}")
    layout = rng.choice(LAYOUTS)
    steps: list[str] = []
    if layout == SEALED_PARTS:
        return _parted(rng, seed, steps)
    data = _original(rng, block=layout in (BLOCK, SEALED_BLOCK))
    data = (_mutate if layout in (LINES, BLOCK) else _repack)(rng, data, steps)
    return Case(seed=seed, layout=layout, steps=steps, data=data)


def _repack(rng: random.Random, content: bytes, steps: list[str]) -> bytes:
    """Seal content, mutated before or after."""
    before = rng.random() < 0.5
    if before:
        content = _mutate(rng, content, steps)
    data = _pack(rng, content)
    return data if before and rng.random() < 0.7 else _mutate_packed(rng, data, steps)


def _parted(rng: random.Random, seed: int, steps: list[str]) -> Case:
    """Return a sealed file with parts stored apart; file, references or blobs are mutated."""
    long = [bytes([letter]) * parts.PART_BYTES for letter in b"xyz"]
    small = _exchanges()[2]
    bodies = [b'{"a":"%b"}' % b'","'.join(rng.choices(long, k=2)) for _ in range(2)]
    asked = [replace(small, request=replace(small.request, body=body)) for body in bodies]
    whole = HEADER + b"".join(map(to_line, asked))
    content = parts.head(hashlib.sha256(whole).digest()) + parts.cut(whole, parts.reference)
    blobs = {parts.reference(part)[1:-1].decode(): _pack(rng, part) for part in long}
    match rng.randrange(3):
        case 0:
            step = rng.choice((_flip, _delete, _copy, _cut, _zeros, _lines, _insert, _reference))
            steps.append(f"parts {step.__name__.strip('_')}")
            data = _pack(rng, step(rng, content))
        case 1:
            data = _mutate_packed(rng, _pack(rng, content), steps)
        case _:
            data = _pack(rng, content)
            _spoil(rng, blobs, steps)
    return Case(seed=seed, layout=SEALED_PARTS, steps=steps, data=data, blobs=blobs, whole=whole)


def _spoil(rng: random.Random, blobs: dict[str, bytes], steps: list[str]) -> None:
    name, other = rng.choices(list(blobs), k=2)
    match rng.randrange(3):
        case 0:
            steps.append("blob missing")
            del blobs[name]
        case 1:
            steps.append("blob of another")
            blobs[name] = blobs[other]
        case _:
            blobs[name] = _mutate_packed(rng, blobs[name], steps)


# Files to begin with


@cache
def _exchanges() -> tuple[Exchange, ...]:
    small = replace(
        samples.whole(),
        request=replace(samples.whole().request, body=b'{"model":"m"}'),
        response=replace(samples.whole().response, body="é\u2028ok".encode()),
        pin=None,
    )
    binary = replace(small, response=replace(small.response, body=b"\x1f\x8b\xff\0"))
    odd = replace(small, request=replace(small.request, headers=(("A", "1"), ("a", "2"))))
    precise = replace(samples.whole(), redaction={"least": 1e-7})
    return (samples.streamed(), samples.whole(), small, binary, odd, precise)


def _original(rng: random.Random, *, block: bool) -> bytes:
    chosen = rng.choices(_exchanges(), weights=(1, 1, 6, 3, 3, 1), k=rng.randint(1, 5))
    lines = [to_line(replace(exchange, sequence=n)) for n, exchange in enumerate(chosen)]
    data = HEADER + b"".join(lines)
    if not block:
        return data
    whole = yaml.load(data, Loader=yaml.CSafeLoader)
    if rng.random() < 0.5:
        for interaction in whole["interactions"]:
            del interaction["response"]["tonearm"]
    return yamlserializer.serialize(whole).encode()


def _pack(rng: random.Random, data: bytes) -> bytes:
    level = rng.choice((-5, 1, 3, 9))
    return zstandard.ZstdCompressor(level=level, write_checksum=True).compress(data)


# What happens to them

TOKENS = (
    *(b"\0", b"\n", b"\r\n", b"\n\n- ", b"\n- {", b'"', b"\\", b"'", b"{", b"}", b"[", b"]", b","),
    *(b": ", b"- ", b"# ", b"&a ", b"*a", b"<<: ", b"? ", b"| ", b">-\n", b"---\n", b"...\n"),
    *(b"!!binary ", b"!!python/name:os.system ", b"!!timestamp ", b"!!float ", b"!!set "),
    *(b"!%1b[2J ", b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\x7f", b"\xed\xa0\x80"),
    *(b"\\ud800", b"\\u0000", b"null", b"true", b"NaN", b"1e999", b"-0", b"0x1F", b"1_0", b"1:30"),
    *(b"9" * 19, b"9" * 400, b"9" * 5000, b"version: 2\n", b"version: 1\n", b"interactions:\n"),
)

VALUES = (
    *(None, True, False, 0, -1, 2**63, 10**400, -(10**4000), 1.5, 1e308, "", "x", "1", "é", "\0"),
    *("\ud800", "\u2028", "!!binary", "2026-11-20", [], [[]], [None], {}, {"": ""}, "y" * 70_000),
    *("\x1b[2J\n", {"\x1b\n": [1]}, {"!!binary": "AA=="}, {"!!binary": "é"}, {"!!binary": "A"}),
    *({"!!binary": 1}, {"format": 9}),
)


def _mutate(rng: random.Random, data: bytes, steps: list[str]) -> bytes:
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        step = rng.choice(PLAIN_STEPS)
        steps.append(step.__name__.strip("_"))
        data = step(rng, data)
    return data


def _mutate_packed(rng: random.Random, data: bytes, steps: list[str]) -> bytes:
    step = rng.choice(PACKED_STEPS)
    steps.append(f"packed {step.__name__.strip('_')}")
    return step(rng, data)


def _span(rng: random.Random, data: bytes) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + int(2 ** rng.uniform(0, 10)))


def _flip(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data or b"\0")
    for _ in range(rng.randint(1, 4)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _insert(rng: random.Random, data: bytes) -> bytes:
    place, token = rng.randint(0, len(data)), rng.choice(TOKENS)
    return data[:place] + token + data[place:]


def _junk(rng: random.Random, data: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + rng.randbytes(rng.randint(1, 64)) + data[end:]


def _delete(rng: random.Random, data: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + data[end:]


def _copy(rng: random.Random, data: bytes) -> bytes:
    start, end = _span(rng, data)
    place = rng.randint(0, len(data))
    return data[:place] + data[start:end] * rng.choice((1, 1, 2, 50)) + data[place:]


def _cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randint(0, len(data))]


def _zeros(rng: random.Random, data: bytes) -> bytes:
    start, end = _span(rng, data)
    return data[:start] + bytes(end - start) + data[end:]


def _lines(rng: random.Random, data: bytes) -> bytes:
    """Drop, double, swap or join lines."""
    lines = data.splitlines(keepends=True) or [b""]
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    match rng.randrange(4):
        case 0:
            del lines[one]
        case 1:
            lines.insert(other, lines[one])
        case 2:
            lines[one], lines[other] = lines[other], lines[one]
        case _:
            lines[one] = lines[one].rstrip(b"\n")
    return b"".join(lines)


def _ends(rng: random.Random, data: bytes) -> bytes:
    return data.replace(b"\n", rng.choice((b"\r\n", b"\r", b"\n\n", b" \n", b"\xc2\x85")))


def _coding(rng: random.Random, data: bytes) -> bytes:
    """Store the text as an editor might: in another coding, or with a mark in front."""
    coding = rng.choice(("utf-16", "utf-8-sig", "latin-1", "utf-32"))
    return data.decode("utf-8", "replace").encode(coding, "replace")


def _value(rng: random.Random, data: bytes) -> bytes:
    """Put something else in the place of one value of one interaction."""
    lines = data.split(b"\n")
    own = [n for n, line in enumerate(lines) if line.startswith(b"- {")]
    if not own:
        return _insert(rng, data)
    number = rng.choice(own)
    try:
        whole = json.loads(_untag(lines[number][2:]))
    except (ValueError, RecursionError):
        return _insert(rng, data)
    parent, key = rng.choice(list(_places([whole])))
    match rng.randrange(4):
        case 0 if isinstance(parent, dict):
            del parent[key]
        case 1 if isinstance(parent, dict):
            parent[rng.choice(("", "\x1b[2J\n", "x" * 2000, "body", "json", "exact"))] = parent[key]
        case _:
            parent[key] = copy.deepcopy(rng.choice(VALUES))
    text = json.dumps(whole, ensure_ascii=rng.random() < 0.7)
    lines[number] = b"- " + text.encode("utf-8", "surrogatepass")
    return b"\n".join(lines)


def _facts(rng: random.Random, data: bytes) -> bytes:
    """Hide hostile facts in the text that is there for numbers YAML cannot hold."""
    places = {"sequence": 1, "duration_us": 1, "chunks": {"bytes": "9", "us": "9"}, "pin": {}}
    name = rng.choice((*places, "error", "redaction", "exact", "outcome", "started_at"))
    value = copy.deepcopy(rng.choice(VALUES))
    if rng.random() < 0.3:
        part = rng.choice(("headers", "body", "uri", "method", "status"))
        name, value = "exact", {rng.choice(("request", "response")): {part: value}}
    text = json.dumps({name: value})
    if rng.random() < 0.1:
        text = "[" * 20_000
    wrapped = json.dumps(json.dumps({"format": 1, "json": text}))
    return re.sub(rb'"tonearm":\{.*\}', b'"tonearm":' + json.loads(wrapped).encode() + b"}}", data)


def _bomb(rng: random.Random, data: bytes) -> bytes:
    """Write little that costs a careless reader much."""
    n = rng.choice((500, 20_000, 200_000))
    place = rng.randint(0, len(data))
    end = data.rfind(b"\n", 0, place) + 1
    bombs = (
        b"[" * n,
        b"- " * n,
        b'{"a":' * n,
        b'- {"!!binary' + b'"\\' * n,
        b"- {" + b'!!binary "A' * n,
        b"- " + b'"' * n,
        b"\n" * n,
        b"- {}\n" * (n // 10),
        b"a: &a [x,x,x,x,x,x,x,x]\n" + b"b: &b [*a,*a,*a,*a,*a,*a,*a,*a]\n" * 20,
        b"? " * n,
        b"&a " * n,
        b"#" * n,
    )
    return data[:end] + rng.choice(bombs) + data[end if rng.random() < 0.5 else place :]


def _reference(rng: random.Random, data: bytes) -> bytes:
    """Drop, repeat or misspell references to parts."""
    found = list(re.finditer(rb"\0[0-9a-f]{64}\0", data))
    one = rng.choice(found)
    new = rng.choice(
        (b"", one[0] * 2, one[0] * 5000, one[0].upper(), one[0][:-1], rng.choice(found)[0], b"\0")
    )
    return data[: one.start()] + new + data[one.end() :]


def _tail(rng: random.Random, data: bytes) -> bytes:
    return data + rng.choice((rng.randbytes(9), b"\0", b"\n", data, data[:20]))


def _head(rng: random.Random, data: bytes) -> bytes:
    """Change the header of a frame, where sizes and flags are."""
    changed = bytearray(data or b"\0")
    changed[rng.randrange(min(18, len(changed)))] = rng.randrange(256)
    return bytes(changed)


def _burst(rng: random.Random, data: bytes) -> bytes:
    """Put a frame there that holds much."""
    size = rng.choice((1 << 20, 1 << 24)) if rng.random() < 0.98 else (1 << 30) + 1
    if size > 1 << 30:  # claims more than may be unpacked, and holds nothing
        return b"\x28\xb5\x2f\xfd\xe4" + size.to_bytes(8, "little") + b"\1\0\0" + bytes(4)
    fill = rng.choice((b"\0", b"[", b"\n", b"- "))
    return zstandard.ZstdCompressor(write_checksum=True).compress(fill * (size // len(fill)))


def _frames(rng: random.Random, data: bytes) -> bytes:
    """Add a frame, a skippable one, or leave out checksum or size."""
    plain = zstandard.ZstdDecompressor().decompress(data)
    skippable = b"\x50\x2a\x4d\x18\3\0\0\0abc"
    return rng.choice(
        (
            skippable + data,
            data + skippable,
            data + data,
            zstandard.ZstdCompressor().compress(plain),
            zstandard.ZstdCompressor(write_checksum=True, write_content_size=False).compress(plain),
        )
    )


Step = Callable[[random.Random, bytes], bytes]
PLAIN_STEPS: tuple[Step, ...] = (
    *(_flip, _insert, _junk, _delete, _copy, _cut, _zeros, _lines, _ends, _coding),
    *(_flip, _insert, _value, _value, _value, _value, _facts, _lines, _bomb),
)
PACKED_STEPS: tuple[Step, ...] = (
    *(_flip, _junk, _delete, _cut, _zeros, _tail, _head, _frames, _burst),
)


def _places(value: object) -> Iterator[tuple[dict | list, object]]:
    """Yield every place of a value: the container, and the key or index in it."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])


# What they still hold


def _untag(text: bytes) -> bytes:
    """Return a line's JSON with tagged texts as objects; found by walking, text by text."""
    parts, place = [], 0
    while (start := text.find(b'"', place)) >= 0:
        end = start + 1
        while end < len(text) and text[end : end + 1] != b'"':
            end += 2 if text[end : end + 1] == b"\\" else 1
        end += 1
        lead = text[place:start]
        if lead.endswith(b"!!binary "):
            lead, tagged = lead.removesuffix(b"!!binary "), b'{"!!binary":%b}'
        else:
            tagged = b"%b"
        parts += [lead, tagged % text[start:end]]
        place = end
    return b"".join([*parts, text[place:]])


def _bodies(interaction: object) -> tuple[bytes, bytes] | None:
    try:
        asked, answered = interaction["request"], interaction["response"]
        return _body(asked.get("body")), _body(answered["body"].get("string"))
    except (KeyError, TypeError, AttributeError, ValueError):
        return None


def _body(body: object) -> bytes:
    match body:
        case None:
            return b""
        case bytes():
            return body
        case str():
            return body.encode()
        case {"!!binary": str(text)}:
            return base64.b64decode(text, validate=True)
        case list() | dict() if "!!binary" not in body:  # as vcrpy's stub for aiohttp leaves it
            return json.dumps(body).encode()
    raise ValueError(f"not a body: {type(body)}")


def by_line(data: bytes) -> tuple[Found, int]:
    """Return the exchanges of the lines that hold one, and how many other lines there are."""
    found, other = [], 0
    for line in data.replace(b"\r\n", b"\n").split(b"\n")[HEADER.count(b"\n") :]:
        try:
            bodies = _bodies(json.loads(_untag(line[2:]))) if line.startswith(b"- ") else None
        except (ValueError, RecursionError):
            bodies = None
        if bodies is not None:
            found.append(bodies)
        elif line.strip():
            other += 1
    return found, other


def by_yaml(data: bytes) -> Found | None:
    """Return the exchanges that PyYAML finds, ``None`` where it cannot or must not look."""
    if _NESTED.search(data) or len(data) > 1 << 18:
        return None
    try:
        whole = yaml.load(data, Loader=yaml.CSafeLoader)
        found = [_bodies(interaction) for interaction in whole["interactions"]]
    except (yaml.YAMLError, ValueError, LookupError, TypeError, RecursionError, OverflowError):
        return None
    return found if None not in found else None


def unpacked(data: bytes) -> bytes | None:
    """Return what zstd finds in a whole frame."""
    try:
        unpacker = zstandard.ZstdDecompressor().decompressobj()
        plain = unpacker.decompress(data)
    except zstandard.ZstdError:
        return None
    return plain if unpacker.eof and not unpacker.unused_data else None


# The verdict


def judge(case: Case, folder: Path) -> str:
    """Load a case and return in a word how that ended.

    Raises:
        Violation: Loading broke a promise.
    """
    sealed = case.layout not in (LINES, BLOCK)
    path = folder / ("c.yaml.zst" if sealed else "c.yaml")
    path.write_bytes(case.data)
    _lay_out(folder / "blobs", case.blobs)
    try:
        cassette = load(path)
    except CassetteError as err:
        return _judge_error(err)
    except BaseException as err:
        raise Violation(f"{type(err).__name__}: {err}") from err
    plain = unpacked(case.data) if sealed else case.data
    if plain is None:
        raise Violation("a sealed file was read that zstd does not take for whole")
    if plain.startswith(b"\0"):
        plain = case.whole
    got = [(exchange.request.body, exchange.response.body) for exchange in cassette.exchanges]
    _compare(plain, got, torn=cassette.torn is not None, foreign=cassette.foreign)
    return "torn" if cassette.torn else "foreign" if cassette.foreign else "whole"


def _lay_out(folder: Path, blobs: dict[str, bytes]) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    if blobs:
        folder.mkdir()
    for name, data in blobs.items():
        (folder / f"{name}.zst").write_bytes(data)


def _judge_error(err: CassetteError) -> str:
    if "c.yaml" not in str(err) or not str(err).isprintable() or len(str(err)) > 1000:
        raise Violation(f"an error that is no line for a human: {str(err)[:200]!r}")
    if "failed with status" in err.problem:
        raise Violation(f"the child has a fault of its own: {err}")
    return "killed" if "was ended by" in err.problem else "refused"


def _compare(plain: bytes, got: Found, *, torn: bool, foreign: bool) -> None:
    if foreign:
        expected = by_yaml(plain)
        if expected is not None and got != expected:
            raise Violation(f"{len(got)} exchanges read, PyYAML finds {len(expected)}")
        return
    expected, other = by_line(plain)
    if torn and got == expected[: len(got)]:
        return
    if got != expected or other:
        raise Violation(f"{len(got)} read, {len(expected)} there, {other} lines unmentioned")


@contextmanager
def quick_children() -> Iterator[None]:
    """Let children that read YAML be forks of this process, which spares the interpreter's start.

    They run the same code under the same limits.
    """
    run = subprocess.run
    foreign.subprocess.run = _fork
    try:
        yield
    finally:
        foreign.subprocess.run = run


def _fork(command, *, input, timeout, **_options):
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as answered:
        asked.write(input)
        asked.seek(0)
        child = os.fork()
        if child == 0:
            _be_the_reader(asked.fileno(), answered.fileno())
        _, status = os.waitpid(child, 0)
        answered.seek(0)
        code = os.waitstatus_to_exitcode(status)
        return subprocess.CompletedProcess(command, code, stdout=answered.read(), stderr=b"")


def _be_the_reader(stdin: int, stdout: int) -> None:
    try:
        _foreign.sys.stdin = open(stdin, encoding="utf-8", closefd=False)  # noqa: SIM115
        _foreign.sys.stdout = open(stdout, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        _foreign.main()
        _foreign.sys.stdout.flush()
    except BaseException:
        os._exit(1)
    os._exit(0)
