"""Stand-ins: what is written in the place of a secret.

A stand-in is made from the secret and a key alone, so that the same secret has the same stand-in
wherever it occurs, and has its length and the classes of its characters, so that a text means what
it meant before. Its last letters and digits prove, to who has the key, that it is one; what is
redacted again stays as it is.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict
from itertools import count

_LOWER = b"abcdefghijklmnopqrstuvwxyz"
_UPPER = _LOWER.upper()
_DIGITS = b"123456789"
"""Without 0, which must not begin a number."""
_HEX = b"abcdef"

_IS_HEX = re.compile(rb"[0-9a-f]{8,}|[0-9a-f]{4,}(?:-[0-9a-f]{4,})+")
_ALNUM = re.compile(rb"[A-Za-z0-9]")
_SPACED = re.compile(rb"[+(]?[A-Z0-9][A-Z0-9 ().+-]*")
"""Numbers that are written in groups: cards, accounts, telephones."""
_MAIL = re.compile(rb"[^@\s]+@[^@\s]+?(\.[a-z]{2,4})?")
_MARK = re.compile(
    rb"sk-|gh[a-z]_|gl[a-z]{2}-?|xox[a-z]|xapp|hf_|npm_|pypi|[rs]k_|AKIA|ASIA|AIza|eyJ|http"
)
"""By which a reader knows whose key it is; never more than four characters."""

_LONGEST_RUN = 5
"""So many characters of a secret may stay together, at most."""
_PROOF = 5
"""How many characters prove that a stand-in is one; half of them in a short one."""
_CHECKED = 16 << 10
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
"""A number of JSON, which stays one: it stands there without quotes."""
_DIGIT = re.compile(rb"[0-9]")
_REMEMBERED = 512
_SHORTEST = 6
"""A secret with fewer letters and digits has no room for a proof."""


class StandIns:
    """The stand-ins of one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._made: OrderedDict[tuple[bytes, bool], bytes] = OrderedDict()

    def make(self, secret: bytes, *, strict: bool = False) -> bytes:
        """Return the stand-in of a secret: as long, and never with six of its characters in a row.

        A secret with few letters and digits becomes a row of ``x``.

        Args:
            secret: What is to be replaced.
            strict: Keep nothing of it, not even what tells its kind or separates its groups.
        """
        asked = (secret, strict)
        if asked not in self._made:
            self._made[asked] = self._new(secret, strict)
            if len(self._made) > _REMEMBERED:
                self._made.popitem(last=False)
        return self._made[asked]

    def _new(self, secret: bytes, strict: bool) -> bytes:
        number = _NUMBER.fullmatch(secret) is not None
        if len(_free(secret)) < _SHORTEST:
            return _DIGIT.sub(b"1", secret) if number else b"x" * len(secret)
        fixed = frozenset(_signs(secret)) if number else frozenset()
        text = self._attempt(secret, 0, fixed if strict or number else _kept(secret))
        attempts = count(1)
        while shares_run(secret, text) or (number and not _NUMBER.fullmatch(text)):
            text = self._attempt(secret, next(attempts), fixed)
        return text

    def is_made(self, text: bytes) -> bool:
        """Return whether a text is a stand-in of this key."""
        places = _free(text)
        if len(places) < _SHORTEST and _NUMBER.fullmatch(text):
            return _DIGIT.sub(b"1", text) == text
        if not text.strip(b"x") or len(places) < _SHORTEST:
            return not text.strip(b"x")
        return all(text[place] == char for place, char in self._proof(text, places).items())

    def _attempt(self, secret: bytes, attempt: int, kept: frozenset[int]) -> bytes:
        chars = bytearray(secret)
        noise = self._noise(b"stand-in %d" % attempt, secret, len(secret))
        alphabets = _alphabets(secret)
        for at, old in enumerate(secret):
            if at not in kept:
                alphabet = alphabets.get(old, b"-_").replace(bytes((old,)), b"")
                chars[at] = alphabet[noise[at] % len(alphabet)]
        for at, char in self._proof(bytes(chars), _free(bytes(chars))).items():
            chars[at] = char
        return bytes(chars)

    def _proof(self, text: bytes, places: list[int]) -> dict[int, int]:
        """Return the characters that must stand at the last places, given all the others."""
        length = min(_PROOF, len(places) // 2)
        last = places[-length:]
        said = bytes(text[place] for place in places[:-length])
        classes = bytes(_class(text[place]) for place in last)
        noise = self._noise(b"proof", said + b" " + classes, length)
        hexadecimal = _IS_HEX.fullmatch(text) is not None
        return {
            place: _pick(text[place], hexadecimal, byte)
            for place, byte in zip(last, noise, strict=True)
        }

    def _noise(self, purpose: bytes, data: bytes, length: int) -> bytes:
        """Return bytes that look random to who does not have the key."""
        seed = hmac.digest(self._key, purpose + b"\0" + data, "sha256")
        return hashlib.shake_256(seed).digest(length)


def shares_run(secret: bytes, text: bytes, longest: int = _LONGEST_RUN) -> bool:
    """Return whether more than so many characters of a secret stand together in a text.

    What is very long is not compared: that a run stays is a chance of one in many millions.
    """
    if len(secret) > _CHECKED:
        return False
    size = longest + 1
    runs = {secret[at : at + size] for at in range(len(secret) - longest)}
    return any(text[at : at + size] in runs for at in range(len(text) - longest))


def _free(text: bytes) -> list[int]:
    """Return the places of letters and digits, without the last part of a mail address."""
    mail = _MAIL.fullmatch(text)
    end = mail.start(1) if mail and mail[1] else len(text)
    return [found.start() for found in _ALNUM.finditer(text, 0, end)]


def _signs(number: bytes) -> list[int]:
    """Return the places of all that is no digit in a number."""
    return [at for at, char in enumerate(number) if not chr(char).isdigit()]


def _kept(secret: bytes) -> frozenset[int]:
    """Return the places that keep their character: what tells the kind, what separates groups."""
    mark = _MARK.match(secret)
    places = set(range(mark.end())) if mark else set()
    separators = b" \t\r\n="
    if _SPACED.fullmatch(secret):
        separators = b" ().+-"
    elif mail := _MAIL.fullmatch(secret):
        separators = b"@.+-_"
        places.update(range(*mail.span(1)))
    places.update(at for at, char in enumerate(secret) if char in separators)
    return frozenset(places)


def _alphabets(secret: bytes) -> dict[int, bytes]:
    """Return what may replace a letter or digit; everything else becomes ``-`` or ``_``."""
    letters = _HEX if _IS_HEX.fullmatch(secret) else _LOWER
    return (
        dict.fromkeys(_LOWER, letters)
        | dict.fromkeys(_UPPER, _UPPER)
        | dict.fromkeys(b"0123456789", _DIGITS)
        | dict.fromkeys(range(0x80, 0x100), _LOWER)
    )


def _class(char: int) -> int:
    """Return the first character of a letter's or digit's class."""
    return next(group[0] for group in (_LOWER, _UPPER, b"0123456789") if char in group)


def _pick(char: int, hexadecimal: bool, noise: int) -> int:
    alphabet = {_LOWER[0]: _HEX if hexadecimal else _LOWER, _UPPER[0]: _UPPER}.get(
        _class(char), _DIGITS
    )
    return alphabet[noise % len(alphabet)]
