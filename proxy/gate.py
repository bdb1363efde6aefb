"""Decide which requests are let in, so that the recorder opens nothing that Ollama keeps shut.

The rules, in the order in which they are asked:

- No forwarding: a request names a path of the one upstream, never another server.
- The token, where there is one. It is taken out of the request before anything else sees it.
- Ollama's own guard against web pages that reach loopback by a name of their own, wherever the
  upstream does not keep that guard itself (ollama:server/routes.go@v0.33.0).
"""

from __future__ import annotations

import hmac
import ipaddress
import json
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mitmproxy import http

from tonearm.proxy.address import Address
from tonearm.proxy.tally import Tally

MAX_HEAD_BYTES = 1 << 20
"""What Go's server takes, and so Ollama; mitmproxy itself would collect a head without end."""

HEAD_S = 10.0
"""How long the head of a request may take from its first byte to its last."""

LOCAL_ENDS = (".localhost", ".local", ".internal")

TOKEN_HEADERS = ("authorization", "x-api-key")
"""Where clients of Ollama's and OpenAI's kind, and where Anthropic's, put their key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The answer to a request that is not let in."""

    status: int
    problem: str


@dataclass(kw_only=True)
class Gate:
    """What is asked of each request, and which connections are slow to make one."""

    tally: Tally
    forwards_to: Address | None = None
    """The one server that requests may name, where clients know that this is a proxy."""
    token: str | None = None
    """What a request must carry; ``None`` lets everyone in who can connect."""
    guards_host: bool = False
    """Whether names that are not this machine's are refused here."""
    max_head_bytes: int = MAX_HEAD_BYTES
    clock: Callable[[], float] = time.monotonic
    _begun: dict[str, float] = field(default_factory=dict)

    def refusal(self, request: http.Request) -> Refusal | None:
        """Return why a request is not let in, ``None`` where it is; takes the token out of it."""
        if self.forwards_to is not None:
            if request.first_line_format != "absolute" or not self._is_upstream(request):
                upstream = self.forwards_to.url
                return self._count(403, f"it passes requests to {upstream} and to no other server")
        elif request.first_line_format != "relative":
            return self._count(400, "it is no proxy; ask for a path")
        if self.token is not None and not self._take_token(request.headers):
            return self._count(401, "its token is missing or wrong")
        if self.guards_host and self.token is None and not is_local(request.host_header or ""):
            return self._count(403, "the Host header names another machine")
        return None

    def too_long(self) -> Refusal:
        """Return what to say to a head that is longer than allowed."""
        return self._count(431, f"its head is longer than {self.max_head_bytes} bytes")

    def invalid(self) -> Refusal:
        """Return what to say to a head that cannot be read."""
        return self._count(400, "it is not valid HTTP")

    def _count(self, status: int, problem: str) -> Refusal:
        self.tally.refused[problem] += 1
        return Refusal(status=status, problem=problem)

    def _is_upstream(self, request: http.Request) -> bool:
        named = Address(scheme=request.scheme, host=request.host, port=request.port)
        return self.forwards_to is not None and named.same_place(self.forwards_to)

    def _take_token(self, headers: http.Headers) -> bool:
        found = False
        for name in TOKEN_HEADERS:
            value = headers.get(name, "")
            scheme, _, rest = value.partition(" ")
            key = rest.strip() if scheme.lower() == "bearer" else value
            given = key.encode("utf-8", "surrogateescape")
            if hmac.compare_digest(given, (self.token or "").encode()):
                del headers[name]
                found = True
        return found

    def reading(self, client: str) -> None:
        """Note that a client has begun a head and not ended it."""
        self._begun.setdefault(client, self.clock())

    def read(self, client: str) -> None:
        """Note that a client has ended its head, or is gone."""
        self._begun.pop(client, None)

    def overdue(self) -> list[str]:
        """Return the ids of the clients that take too long over a head."""
        limit = self.clock() - HEAD_S
        return [client for client, begun_s in self._begun.items() if begun_s < limit]


def error_body(path: str, status: int, text: str) -> bytes:
    """Return the body of an error as the clients of one protocol expect it."""
    if path.startswith("/v1/messages"):
        kind = {401: "authentication_error", 403: "permission_error"}.get(
            status, "invalid_request_error" if status < 500 else "api_error"
        )
        return json.dumps({"type": "error", "error": {"type": kind, "message": text}}).encode()
    if path.startswith("/v1/"):
        kind = "invalid_request_error" if status < 500 else "api_error"
        error = {"message": text, "type": kind, "param": None, "code": None}
        return json.dumps({"error": error}).encode()
    return json.dumps({"error": text}).encode()


def is_local(authority: str) -> bool:
    """Return whether a name can only mean this machine or its network, as Ollama judges it."""
    host = authority.lower()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        own = ("", "localhost", socket.gethostname().lower())
        return host in own or host.endswith(LOCAL_ENDS)
    return address.is_loopback or address.is_private or address.is_unspecified
