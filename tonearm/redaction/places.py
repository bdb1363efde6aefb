"""Secrets that have no form of their own and are known by where they stand."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterator

from tonearm.redaction import plausible
from tonearm.redaction.codes import escaped, quoted, unescaped, unquoted
from tonearm.redaction.detector import Detector, Hit, Rank, by_place
from tonearm.redaction.linear import Match, compile_bytes
from tonearm.redaction.view import View, joined

_PASSWORD = (
    rb"pass(?:word|wd|phrase|code)|passwort|pwd|(?:\b|_)pass\b|\bpsk\b|(?:\b|_)pw\b"
    rb"|mot de passe|wachtwoord|requirepass|bindpw|senha"
    + "|contraseña|hasło|пароль|密码|密碼|パスワード|비밀번호".encode()
)
_TOKEN = (
    rb"secret|token|credential|(?:api|access|auth|account|private|encryption|signing|ssh|master"
    rb"|subscription|shared|session|license|client|app|service)[ _.-]?key|--key"
    rb"|(?-i:[A-Z0-9]_(?:KEY|PAT)\b)"
)
_ASSIGNED = (
    rb"(?i)(?:" + _PASSWORD + rb"|" + _TOKEN + rb")[\w.-]*(?:[ \t](?:for|of)[ \t][\w.@-]+)?"
    # name = value, name: value, "name": "value", | name | value |, the password is value
    rb"(?:[\"'\]]*[ \t]*(?:=>|:=|==?|:|\xef\xbc\x9a|\||[ \t]is:?[ \t])[ \t]*"
    # --name value
    rb"|[ \t]"
    # "name": "name", "value": "value"
    rb"|[\"'][ \t]*,\s*[\"']value[\"'][ \t]*:[ \t]*"
    # "name" value="value"
    rb"|[\"'][ \t]+value[ \t]*=[ \t]*"
    # <name>value</name>
    rb"|>)"
)
_NAME = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-"
_LONGEST_NAME = 64
_SAYS = re.compile(rb"(?i)(?:[:=>|]|\xef\xbc\x9a)\s*$|\bis:?\s$")
_TAG = re.compile(rb"[^=]>$")
_COMMANDS = re.compile(rb"[A-Z][A-Z0-9]*_[A-Z0-9_]*[ \t]$|(?:requirepass|bindpw)[ \t]$")
"""Names that a value may follow after a space: of the environment, and in some files."""
_NOT_A_SECRET = re.compile(
    rb"(?i)(?:name|[._-]id|Id|path|file|url|uri|ref|type|version|arn|hint|policy|length|count|label"
    rb"|field|limit|usage|expires?(?:_in|_at)?|expiry|expiration|ttl)[\"'\]\s]*[=:>]+\s*$|public|tokeniz"
)
_IS_PASSWORD = re.compile(_PASSWORD, re.IGNORECASE)
_DOUBLE = re.compile(rb'"((?:[^"\\\r\n]|\\[^\r\n])*)"?')
_SINGLE = re.compile(rb"'((?:[^'\\\r\n]|\\[^\r\n])*)'")
_BARE = re.compile(rb"[^\s\"'`<\\]*+(?:\\[^\s\"'nrtbfu\\/][^\s\"'`<\\]*+)*+")
_IN_ADDRESS = re.compile(rb"[^\s\"'`<>\\&#;]+")
_TRAILING = b".,;:!?)]}>"


def _assigned() -> Callable[[View], Iterator[Hit]]:
    pattern = compile_bytes(_ASSIGNED)

    def find(view: View) -> Iterator[Hit]:
        at = bare_end = 0
        while match := pattern.search(view.data, at):
            at = match.end()
            if at >= bare_end and (bare := _BARE.match(view.data, at)):
                bare_end = bare.end()  # once for all names within, or a long text takes forever
            hit = _value(view, match, bare_end)
            if hit is not None:
                yield hit
                at = max(at, hit.end if hit.view is view else at)

    return find


def _value(view: View, match: Match, bare_end: int) -> Hit | None:
    """Return the secret behind a name, ``None`` where there is none."""
    data, at = view.data, match.end()
    window = data[max(match.start() - _LONGEST_NAME, 0) : match.start()]
    before = window.rstrip(_NAME)
    name = window[len(before) :] + data[match.start() : at]
    if _NOT_A_SECRET.search(name) or not (
        _SAYS.search(name) or name.startswith(b"--") or _is_command(name, data[at : at + 1])
    ):
        return None
    if before[-1:] in (b"?", b"&"):
        return _parameter(view, at)
    for form in (_DOUBLE, _SINGLE):
        if found := form.match(data, at, at + plausible.LONGEST + 2):
            return _checked(view, *found.span(1), name, quoted=True)
    if bare_end - at > plausible.LONGEST or (
        _TAG.search(name) and data[bare_end : bare_end + 1] != b"<"
    ):
        return None
    end = at + len(data[at:bare_end].rstrip(_TRAILING))
    return _checked(view, at, end, name, quoted=False)


def _is_command(name: bytes, follows: bytes) -> bool:
    """Return whether a value may follow a name after a space, as in SQL and in shells."""
    return name[-1:] in b" \t" and (follows in (b"'", b'"') or _COMMANDS.search(name) is not None)


def _checked(view: View, start: int, end: int, name: bytes, *, quoted: bool) -> Hit | None:
    inner, start, end = _unescaped(view, start, end)
    data = inner.data
    while end - start > 1 and data[start] == data[end - 1] and data[start] in b"\"'":
        start, end = start + 1, end - 1  # the value is a JSON text itself, or quoted for a shell
    is_password = _IS_PASSWORD.search(name) is not None
    check = plausible.password if is_password else plausible.token
    if not check(data[start:end], quoted=quoted):
        return None
    kind = "password" if is_password else "secret"
    return Hit(kind=kind, rank=Rank.PLACE, view=inner, start=start, end=end)


def _parameter(view: View, at: int) -> Hit | None:
    found = _IN_ADDRESS.match(view.data, at, at + plausible.LONGEST + 2)
    if found is None:
        return None
    inner, start, end = _decoded(view, at, found.end())
    if not plausible.parameter(inner.data[start:end]):
        return None
    return Hit(kind="secret", rank=Rank.PLACE, view=inner, start=start, end=end)


def _decoded(view: View, start: int, end: int) -> tuple[View, int, int]:
    """Return where a value of an address or a cookie stands without its percent-encoding."""
    if quoted(view.data[start:end]):
        inner = unquoted(view, start, end)
        return inner, 0, len(inner.data)
    return _unescaped(view, start, end)


def _unescaped(view: View, start: int, end: int) -> tuple[View, int, int]:
    """Return where a value stands without the escapes that it is spelled with."""
    if escaped(view.data[start:end]):
        inner = unescaped(joined(view, [(start, end)]))
        return inner, 0, len(inner.data)
    return view, start, end


_COOKIES = compile_bytes(
    rb"(?i)\b(?:set-)?cookie[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?([^\r\n\"'\\]+)"
)
_COOKIE = re.compile(rb"([^\s=;,]+)=([^\s;,]+)")
_ATTRIBUTES = frozenset(b"path domain expires max-age samesite version comment".split())


def _cookies(view: View) -> Iterator[Hit]:
    for match in _COOKIES.finditer(view.data):
        for pair in _COOKIE.finditer(view.data, *match.span(1)):
            if pair[1].lower() in _ATTRIBUTES or not plausible.cookie(pair[2]):
                continue
            inner, start, end = _decoded(view, *pair.span(2))
            yield Hit(kind="cookie", rank=Rank.PLACE, view=inner, start=start, end=end)


def _is_signature(view: View, match: Match) -> bool:
    return re.search(rb"\d", _first(match)) is not None


def _is_user_token(view: View, match: Match) -> bool:
    return plausible.token(_first(match), quoted=True)


def _is_session(view: View, match: Match) -> bool:
    return plausible.token(_first(match), quoted=True) and len(_first(match)) >= 16


def _is_basic(view: View, match: Match) -> bool:
    """Return whether a text is ``user:password`` in base64."""
    text = _first(match)
    try:
        plain = base64.b64decode(text + b"=" * (-len(text) % 4), altchars=b"-_")
    except binascii.Error:
        return False
    return b":" in plain and plain.isascii() and plain.decode().isprintable()


def _is_bearer(view: View, match: Match) -> bool:
    return plausible.bearer(_first(match))


def _is_authorization(view: View, match: Match) -> bool:
    return plausible.token(_first(match), quoted=True)


def _is_url_password(view: View, match: Match) -> bool:
    return plausible.url_password(_first(match))


def _is_user_password(view: View, match: Match) -> bool:
    return plausible.password(_first(match), quoted=True)


def _first(match: Match) -> bytes:
    return match[1] or b""


_OPTIONS = rb"[ \t](?:[^\n|;&\"']*[ \t])?"
_COMMAND_LINES = (
    rb"login[ \t]+\S+\s+password[ \t]+",  # in .netrc
    rb"sshpass[ \t]+-p[ \t]*",
    rb"redis-cli" + _OPTIONS + rb"-a[ \t]+",
    rb"mysql(?:dump|admin)?" + _OPTIONS + rb"-p",
    rb"(?:docker|podman|helm|az)" + _OPTIONS + rb"login" + _OPTIONS + rb"-p[ \t]+",
    rb"identified[ \t]+by[ \t]+",
)
"""What stands before a password that is given to a program."""

DETECTORS: tuple[Detector, ...] = (
    Detector(trigger=_ASSIGNED, find=_assigned()),
    Detector(trigger=rb"(?i)cookie[\"']?[ \t]*[:=]", find=_cookies),
    by_place(
        "session",
        rb"(?i)(?:id|sess|session|token)=",
        rb"(?i)\b(?:php|j|asp)?(?:sess(?:ion)?[._-]?(?:id)?|sid|connect\.sid|laravel_session"
        rb"|remember_token|[cx]srf[._-]?token)=([^\s;\"'&\\<>]+)",
        _is_session,
    ),
    by_place(
        "basic_auth",
        rb"(?i)basic[ \t]",
        rb"(?i)\bbasic[ \t]{1,4}([A-Za-z0-9+/_-]{6,}={0,2})",
        _is_basic,
    ),
    by_place(
        "basic_auth",
        rb"(?i)(?:\b_|[\"'])auth[\"']?[ \t]*[:=]",
        rb"(?i)(?:\b_|[\"'])auth[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?([A-Za-z0-9+/]{8,}={0,2})",
        _is_basic,
    ),
    by_place(
        "signature",
        rb"(?i)\b(?:sig|signature|x-amz-signature|x-goog-signature)=",
        rb"(?i)\b(?:sig|signature|x-amz-signature|x-goog-signature)=([A-Za-z0-9%+/_-]{32,}={0,2})",
        _is_signature,
    ),
    by_place(
        "bearer",
        rb"(?i)bearer[ \t]",
        rb"(?i)\bbearer[ \t]{1,4}[\"']?([A-Za-z0-9._~+/:-]{8,}=*)",
        _is_bearer,
    ),
    by_place(
        "authorization",
        rb"(?i)authorization[\"']?[ \t]*[:=]",
        rb"(?i)\bauthorization[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']?"
        rb"(?:(?:token|apikey|key|digest|negotiate|ssws|hmac)[ \t]{1,4})?([^\s\"'\\,]{8,})",
        _is_authorization,
    ),
    by_place(
        "url_password",
        rb"://[^\s/@:]*:[^\s/]*@",
        rb"\b[A-Za-z][A-Za-z0-9+.-]{1,30}://[^\s/:@\"'<>\\]{0,100}:([^\s/\"'<>\\]+)@[\w\[$-]",
        _is_url_password,
    ),
    by_place(
        "url_token",
        rb"://[A-Za-z0-9_-]+(?::[\w-]*)?@",
        rb"\b[A-Za-z][A-Za-z0-9+.-]{1,30}://([A-Za-z0-9_-]{20,})(?::[\w-]*)?@",
        _is_user_token,
    ),
    by_place(
        "password",
        rb"(?i)\b(?:sshpass[ \t]+-p|redis-cli[ \t]|mysql|login[ \t]|identified[ \t]+by)",
        rb"(?i)\b(?:" + b"|".join(_COMMAND_LINES) + rb")[\"']?([^\s\"'\\]+)",
        _is_user_password,
    ),
    by_place(
        "password",
        rb"(?i)\|[ \t]*sudo[ \t]+-",
        rb"(?i)\becho[ \t]+(?:-n[ \t]+)?[\"']?([^\s\"'\\|]+)[\"']?[ \t]*\|[ \t]*sudo[ \t]+-\w*S",
        _is_user_password,
    ),
    by_place(
        "password",
        rb"\s(?:-u|--user|--proxy-user)[ \t=]",
        rb"(?:^|\s)(?:-u|--user|--proxy-user)[ \t=]{1,4}[\"']?[^\s:\"'\\]{1,64}:([^\s\"'\\]+)",
        _is_user_password,
    ),
)
