"""Keep web pages out, by the rules with which Ollama on loopback keeps them out.

A page of any site may send requests to a loopback address. Ollama answers only where the ``Host``
is a local name, which stops a name that was rebound to 127.0.0.1, and where the ``Origin``, if
there is one, is local or an application's. Recordings are nobody else's business either.
Rules: ollama:server/routes.go and ollama:envconfig/config.go@v0.33.0.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from tonearm.replay.server.reply import Fields, Plain

_MAX_HOSTS = 64
"""How many names that were found local are remembered; a rule takes microseconds to apply."""

_LOCAL_SUFFIXES = (".localhost", ".local", ".internal")

_ORIGINS = (
    *(
        f"{scheme}://{host}{port}"
        for host in ("localhost", "127.0.0.1", "0.0.0.0")
        for scheme in ("http", "https")
        for port in ("", ":*")
    ),
    "app://*",
    "file://*",
    "tauri://*",
    "vscode-webview://*",
    "vscode-file://*",
    "chrome-extension://*",
    "safari-extension://*",
    "safari-web-extension://*",
    "moz-extension://*",
    "ms-browser-extension://*",
)

_PREFLIGHT: Fields = (
    (
        "Access-Control-Allow-Headers",
        "Authorization,Content-Type,User-Agent,Accept,X-Requested-With,Openai-Beta,"
        "X-Stainless-Arch,X-Stainless-Async,X-Stainless-Custom-Poll-Interval,"
        "X-Stainless-Helper-Method,X-Stainless-Lang,X-Stainless-Os,X-Stainless-Package-Version,"
        "X-Stainless-Poll-Helper,X-Stainless-Retry-Count,X-Stainless-Runtime,"
        "X-Stainless-Runtime-Version,X-Stainless-Timeout",
    ),
    ("Access-Control-Allow-Methods", "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"),
    ("Access-Control-Max-Age", "43200"),
    ("Vary", "Access-Control-Request-Method"),
    ("Vary", "Access-Control-Request-Headers"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the guard says of a request."""

    refusal: Plain | None = None
    """The answer to a request that does not get to the source."""
    fields: bytes = b""
    """Header lines that the answer has to carry, whichever it is."""


_ADMITTED = Entry()


class Guard:
    """Decides by two header fields whether a request is answered at all."""

    def __init__(self, origins: Sequence[str] = ()) -> None:
        """Take further origins, ``*`` in them standing for anything, as ``OLLAMA_ORIGINS`` does."""
        self._origins = (*origins, *_ORIGINS)
        self._names = {"", "localhost", socket.gethostname().lower()}
        self._hosts: set[str] = set()

    def check(self, method: str, host: str, origin: str | None) -> Entry:
        """Return whether a request may pass, and what its answer has to carry."""
        if origin is None or origin in {f"http://{host}", f"https://{host}"}:
            if not self._admits(host):
                return Entry(refusal=Plain(status=403))
            if method == "OPTIONS" and self._is_known(_name(host)):
                return Entry(refusal=Plain(status=204))
            return _ADMITTED
        if not any(fnmatchcase(origin, pattern) for pattern in self._origins):
            return Entry(refusal=Plain(status=403))
        refusal = None
        if method == "OPTIONS":
            refusal = Plain(status=204, fields=_PREFLIGHT)
        elif not self._admits(host):
            refusal = Plain(status=403)
        return Entry(refusal=refusal, fields=_cors(origin))

    def _admits(self, host: str) -> bool:
        if host in self._hosts:
            return True
        if not self._is_local(host):
            return False
        if len(self._hosts) < _MAX_HOSTS:
            self._hosts.add(host)
        return True

    def _is_local(self, host: str) -> bool:
        name = _name(host)
        if self._is_known(name):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or address.is_private or address.is_unspecified

    def _is_known(self, name: str) -> bool:
        return name in self._names or name.endswith(_LOCAL_SUFFIXES)


def _cors(origin: str) -> bytes:
    value = origin.encode("latin-1", "replace")
    return b"Access-Control-Allow-Origin: %b\r\nVary: Origin\r\n" % value


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return host
