"""Whether what stands in the place of a secret is one: not a variable, a placeholder or a word."""

from __future__ import annotations

import re

_SHORTEST = 6
LONGEST = 4096
"""Bytes; whatever is longer is a document."""

_PLACEHOLDER = re.compile(
    rb"""(?ix)
    ^ (?: < [^>]* >? | \{{1,2} [^}]* \}{0,2} | \[ [^\]]* \]? | %\(? \w+ \)? [s%]? | \$\{ .*
        | \$\(? [a-z_]\w* \)? | (.)\1* | .{0,6}? (?:\*{3,} | x{4,} | \.{3,}) .{0,4} ) $
    | (?:^|[\W_]) (?: your | placeholder | redacted | change_?me | dummy | insert ) (?:$|[\W_])
    """
)
_WORDS = re.compile(
    rb"""(?ix)
    (?:^|[\W_]) (?: my | the | fake | sample | here | todo | example | none | null | true | false
        | undefined | string | required | optional | hidden | masked | empty | test ) (?:$|[\W_])
    | password | passwd | secret | token | credential | api_?key
    """
)
"""Words that make a text a placeholder, if there is next to nothing else in it."""
_CODE = re.compile(
    rb"""(?x)
    (?: os | process | env | ENV | System | config | settings | self | this | args | secrets | vault
        | getpass | getenv | input | str | bytes | base64 | json | new | await | function | lambda
        ) [.(\[\s]
    | [a-z_]+ \( | [A-Za-z_]+ (?:(?:\.|::|->)[A-Za-z_]+)+ [!?]? \( | [A-Za-z_]+ \(\)
    | (?: Optional | Union | Literal | Annotated | [Ll]ist | [Dd]ict | [Tt]ype | [Tt]uple
        | Callable | Final | Required | Sequence | Iterable | Mapping | ClassVar ) \[
    | [a-z_]\w* (?:\.[a-z_]\w*)+ $
    """
)
_WORD = rb"(?:[A-Z]?[a-z]+|[A-Z]+)"
_SLUG_PART = rb"(?:" + _WORD + rb"{1,4}(?:\d{1,2}" + _WORD + rb"{0,2})?|v?\d{1,4}[a-zA-Z]{0,2})"
_SLUG = re.compile(rb"_?" + _SLUG_PART + rb"(?:[-_./:]{1,3}" + _SLUG_PART + rb")*[-_./:]?")
_UNIT = re.compile(rb"\d+(?:\.\d+)?[a-zA-Z%]{0,3}")
_PATH = re.compile(rb"\.{0,2}/[\w./-]*|[A-Za-z]:\\.*|[a-z]+://[^@]*", re.DOTALL)
_BRACKET = re.compile(rb"[(\[{<]")
_STRONG = re.compile(rb"[^A-Za-z0-9\s._/:-]")
_WEAK_PASSWORDS = frozenset(
    b"password passwd pass pwd pw secret changeme postgres root admin user guest".split()
)


def password(value: bytes, *, quoted: bool) -> bool:
    """Return whether a text behind ``password`` and the like is one."""
    if not _possible(value, quoted=quoted):
        return False
    if _PATH.fullmatch(value):
        return False
    return bool(re.search(rb"\d", value) or _STRONG.search(value))


def token(value: bytes, *, quoted: bool) -> bool:
    """Return whether a text behind ``token``, ``api_key`` and the like is one."""
    if not _possible(value, quoted=quoted) or len(value) < 8:
        return False
    if not quoted and _BRACKET.search(value):
        return False
    if _PATH.fullmatch(value) or _SLUG.fullmatch(value) or _UNIT.fullmatch(value):
        return False
    lower, upper, digit = (re.search(c, value) for c in (rb"[a-z]", rb"[A-Z]", rb"\d"))
    return bool((digit and (lower or upper)) or (lower and upper and len(value) >= 20))


def parameter(value: bytes) -> bool:
    """Return whether a text in an address, behind ``api_key=`` and the like, is a secret."""
    if len(value) < _SHORTEST or len(value) > LONGEST or _is_placeholder(value):
        return False
    return bool(re.search(rb"\d", value) or len(value) >= 20)


def url_password(value: bytes) -> bool:
    """Return whether the password of an address is one; what everyone knows is none."""
    return value.lower() not in _WEAK_PASSWORDS and not _is_placeholder(value)


def bearer(value: bytes) -> bool:
    """Return whether a text behind ``Bearer`` is a token and not the next word."""
    if len(value) < 8 or _is_placeholder(value):
        return False
    lower, upper, digit = (re.search(c, value) for c in (rb"[a-z]", rb"[A-Z]", rb"\d"))
    return bool(digit or (lower and upper and len(value) >= 20)) and not _SLUG.fullmatch(value)


def cookie(value: bytes) -> bool:
    """Return whether the value of a cookie could let somebody in."""
    return len(value) >= 8 and bool(re.search(rb"\d", value) or len(value) >= 16)


def _possible(value: bytes, *, quoted: bool) -> bool:
    if not _SHORTEST <= len(value) <= LONGEST or re.search(rb"\s", value):
        return False
    return not _is_placeholder(value) and (quoted or not _CODE.match(value))


def _is_placeholder(value: bytes) -> bool:
    if _PLACEHOLDER.search(value):
        return True
    few = len(re.findall(rb"\d", value)) <= 2 and not _STRONG.search(value)
    return few and _WORDS.search(value) is not None
