"""What Go says of a text that is not JSON.

Words and order of checks: golang:encoding/json/scanner.go@1.26.
"""

from __future__ import annotations

CUT = "unexpected EOF"

_BLANK = b" \t\r\n"
_LITERALS = {ord("t"): b"true", ord("f"): b"false", ord("n"): b"null"}
_DIGITS = b"0123456789"
_HEX = b"0123456789abcdefABCDEF"


class _Mistake(Exception):
    """Where a text stops to be JSON."""


def mistake(text: bytes) -> str:
    """Return Go's error for a text; ``CUT`` where nothing is wrong but its end."""
    try:
        _Scanner(text).value()
    except _Mistake as err:
        return str(err)
    except IndexError:
        return CUT
    return CUT


class _Scanner:
    """Reads one value; reading past the end is an ``IndexError``."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._at = 0

    def value(self) -> None:
        """Read a value of any kind, without recursion."""
        ends: list[int] = []
        self._skip_blank()
        while True:
            opened = self._one()
            if opened:
                ends.append(opened)
                self._skip_blank()
                if self._text[self._at] != opened:
                    self._key(ends)
                    continue
            else:
                ends.append(0)
            while ends:
                if ends[-1]:
                    self._at += 1  # the closing bracket
                ends.pop()
                if not ends:
                    return
                self._skip_blank()
                sign = self._text[self._at]
                if sign == ord(","):
                    self._at += 1
                    self._skip_blank()
                    self._key(ends)
                    break
                if sign != ends[-1]:
                    where = "object key:value pair" if ends[-1] == ord("}") else "array element"
                    self._fail(f"after {where}")

    def _one(self) -> int:
        """Read a value that holds no others, or an opening bracket; return what would close it."""
        sign = self._text[self._at]
        if sign in b"{[":
            self._at += 1
            return ord("}") if sign == ord("{") else ord("]")
        if sign == ord('"'):
            self._string()
        elif sign in _LITERALS:
            self._literal(_LITERALS[sign])
        elif sign == ord("-") or sign in _DIGITS:
            self._number()
        else:
            self._fail("looking for beginning of value")
        return 0

    def _key(self, ends: list[int]) -> None:
        """Read what stands before a value: in an object, its name."""
        if ends[-1] != ord("}"):
            return
        if self._text[self._at] != ord('"'):
            self._fail("looking for beginning of object key string")
        self._string()
        self._skip_blank()
        if self._text[self._at] != ord(":"):
            self._fail("after object key")
        self._at += 1
        self._skip_blank()

    def _string(self) -> None:
        self._at += 1
        while (sign := self._text[self._at]) != ord('"'):
            if sign < 0x20:
                self._fail("in string literal")
            self._at += 1
            if sign == ord("\\"):
                self._escape()
        self._at += 1

    def _escape(self) -> None:
        sign = self._text[self._at]
        if sign not in b'bfnrt\\/"u':
            self._fail("in string escape code")
        self._at += 1
        for _ in range(4 if sign == ord("u") else 0):
            if self._text[self._at] not in _HEX:
                self._fail("in \\u hexadecimal character escape")
            self._at += 1

    def _literal(self, word: bytes) -> None:
        for n, wanted in enumerate(word):
            if self._text[self._at] != wanted:
                name = word.decode()
                self._fail(f"in literal {name} (expecting {_quoted(word[n])})")
            self._at += 1

    def _number(self) -> None:
        if self._text[self._at] == ord("-"):
            self._at += 1
            if self._text[self._at] not in _DIGITS:
                self._fail("in numeric literal")
        if self._text[self._at] == ord("0"):
            self._at += 1
        else:
            self._digits()
        if self._text[self._at] == ord("."):
            self._at += 1
            if self._text[self._at] not in _DIGITS:
                self._fail("after decimal point in numeric literal")
            self._digits()
        if self._text[self._at] in b"eE":
            self._at += 1
            if self._text[self._at] in b"+-":
                self._at += 1
            if self._text[self._at] not in _DIGITS:
                self._fail("in exponent of numeric literal")
            self._digits()

    def _digits(self) -> None:
        while self._text[self._at] in _DIGITS:
            self._at += 1

    def _skip_blank(self) -> None:
        while self._text[self._at] in _BLANK:
            self._at += 1

    def _fail(self, why: str) -> None:
        raise _Mistake(f"invalid character {_quoted(self._text[self._at])} {why}")


def _quoted(sign: int) -> str:
    """Return a byte as Go quotes it, which takes it for a character of Latin-1."""
    if sign == ord("'"):
        return r"'\''"
    if sign == ord('"'):
        return "'\"'"
    text = repr(chr(sign))[1:-1]
    return f"'{text}'"
