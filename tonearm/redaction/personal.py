"""Numbers and addresses that belong to a person: cards, accounts, telephones, mail."""

from __future__ import annotations

import re

from tonearm.redaction.detector import Detector, personal
from tonearm.redaction.linear import Match
from tonearm.redaction.view import View

_CARD_LENGTHS = (
    (re.compile(r"4"), {16, 19}),
    (re.compile(r"5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720)"), {16}),
    (re.compile(r"3[47]"), {15}),
    (re.compile(r"3(?:0[0-5]|[689])"), {14}),
    (re.compile(r"35(?:2[89]|[3-8])"), {16}),
    (re.compile(r"6(?:011|4[4-9]|5|2)"), {16, 17, 18, 19}),
)
"""Which numbers the card companies give out: first digits and lengths."""

_MEASURE = re.compile(
    rb"\s?(?:ns|us|\xc2\xb5s|ms|s|sec|seconds|bytes|[kKMGT]?i?B|tokens|\w*[_(])\b"
)
_COUNTED = re.compile(
    rb"(?:duration|time|stamp|_ns|count|size|offset|seed|hash|rowid|bytes|total|epoch)\W{0,12}$",
    re.I,
)
_BEFORE = 24
"""Bytes before a number that may say what it counts."""


def _is_card(view: View, match: Match) -> bool:
    start, end = match.span(1)
    text = view.data[start:end].decode("latin-1")
    digits = re.sub(r"\D", "", text)
    known = any(p.match(digits) and len(digits) in sizes for p, sizes in _CARD_LENGTHS)
    if not known or len(set(digits)) < 2 or _luhn(digits):
        return False
    if digits == text:
        before = view.data[max(start - _BEFORE, 0) : start]
        return not (_MEASURE.match(view.data, end) or _COUNTED.search(before))
    groups = re.split(r"[ -]", text)
    return len({c for c in text if c in " -"}) == 1 and all(2 <= len(g) <= 7 for g in groups)


def _luhn(digits: str) -> int:
    """Return the check sum of a card number, 0 where it is right."""
    doubled = (sum(divmod(2 * int(digit), 10)) for digit in digits[-2::-2])
    return (sum(map(int, digits[-1::-2])) + sum(doubled)) % 10


def _is_account(view: View, match: Match) -> bool:
    """Return whether the check sum of an IBAN is right."""
    number = re.sub(r"\s", "", view.data[match.start(1) : match.end(1)].decode("latin-1"))
    moved = number[4:] + number[:4]
    return 15 <= len(number) <= 34 and int("".join(str(int(c, 36)) for c in moved)) % 97 == 1


_ADDED = re.compile(rb"(?:^|\n)(?:[-+]|@@)[^\n]*\n$")
_LINE = 256
"""Bytes in which the line before a number tells that it stands in a diff."""


def _is_phone(view: View, match: Match) -> bool:
    start, end = match.span(1)
    data = view.data
    text = data[start:end]
    count = sum(map(text.count, b"0123456789"))
    follows = data[end : end + 1]
    if not 8 <= count <= 15 or follows.isalnum() or follows == b"_":
        return False
    if text[1:].isdigit() and _ADDED.search(data, max(start - _LINE, 0), start):
        return False
    return not re.search(rb"\d{4}-\d\d-\d\d", text)


def _is_called(view: View, match: Match) -> bool:
    """Return whether a number behind a word such as ``tel`` has as many digits as one dials."""
    text = view.data[match.start(1) : match.end(1)]
    dated = re.fullmatch(rb"\d{4}[.-]\d\d[.-]\d\d.*|\d+\.\d+|(?:\d{1,3}\.){3}\d{1,3}", text)
    return 7 <= sum(map(text.count, b"0123456789")) <= 15 and not dated


_RESERVED = re.compile(
    rb"(?i)@(?:.*\.)?(?:example(?:\.(?:com|org|net|edu))?|[^@]*\.(?:example|test|invalid|localhost))$"
)
_FILES = frozenset(
    b"png jpg jpeg gif svg webp ico css js ts jsx tsx py rb rs go java kt cpp hpp json yaml yml"
    b" toml md txt html xml lock sh so dll exe zip gz whl map min git".split()
)


def _is_mail(view: View, match: Match) -> bool:
    start, end = match.span(1)
    text = view.data[start:end]
    local, _, domain = text.partition(b"@")
    if local in (b"git", b"hg", b"svn"):
        return False
    if domain.rpartition(b".")[2].lower() in _FILES or b".." in text:
        return False
    return not _RESERVED.search(text)


_CALL = (
    rb"(?i)\b(?:tel|telephone|phone|mobile|cell|fax|whatsapp|sms|call)(?:[ _-]?(?:number|no|nr))?"
    rb"[\"']?\s*[.:=#]*\s*[\"']?"
)

DETECTORS: tuple[Detector, ...] = (
    personal(
        "credit_card",
        rb"\d[ -]?\d[ -]?\d[ -]?\d[ -]?\d[ -]?\d[ -]?\d[ -]?\d[ -]?\d[ -]?\d[ -]?\d[ -]?\d[ -]?\d",
        rb"(?:^|[^\w.+-])(\d(?:[ -]?\d){12,18})(?:$|[^\w.-]|[.-](?:$|[^\w]))",
        _is_card,
    ),
    personal(
        "iban",
        rb"[A-Z][A-Z]\d\d[ A-Z0-9]",
        rb"\b([A-Z]{2}\d{2}(?:[A-Z0-9]{11,30}|(?: [A-Z0-9]{4}){2,7}(?: [A-Z0-9]{1,4})?))\b",
        _is_account,
    ),
    personal(
        "phone",
        rb"\+[1-9][\d (.-]",
        rb"(?:^|[^\w+.-])(\+[1-9]\d{0,2}[ .-]?(?:\(\d{1,4}\)[ .-]?)?"
        rb"\d{1,14}(?:[ .-]?\d{2,5}){0,5})",
        _is_phone,
    ),
    personal(
        "phone",
        rb"\d\d\d[)-] ?\d\d\d-\d",
        rb"(?:^|[^\w+.-])(\([2-9]\d{2}\) ?\d{3}-\d{4}|[2-9]\d{2}-[2-9]\d{2}-\d{4})",
        _is_phone,
    ),
    personal(
        "phone",
        _CALL + rb"[(+]?\d",
        _CALL + rb"([(+]?\d[\d ().-]{5,24}\d)",
        _is_called,
    ),
    personal(
        "email",
        rb"@[A-Za-z0-9-]+\.[A-Za-z]",
        rb"([A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,5}\.[A-Za-z]{2,24})\b",
        _is_mail,
    ),
)
