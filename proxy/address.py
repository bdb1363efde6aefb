"""Addresses of Ollama and of the recorder."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from tonearm.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A scheme, a host and a port."""

    scheme: str = "http"
    host: str
    port: int

    @property
    def authority(self) -> str:
        """Host and port as they stand in a URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The address as a client would be given it, without a slash at the end."""
        return f"{self.scheme}://{self.authority}"

    @property
    def variables(self) -> dict[str, str]:
        """The environment in which the usual clients find a server here."""
        return {
            "OLLAMA_HOST": self.url,
            "OLLAMA_BASE_URL": self.url,
            "OPENAI_BASE_URL": f"{self.url}/v1",
            "ANTHROPIC_BASE_URL": self.url,
        }

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def same_place(self, other: Address) -> bool:
        """Return whether a server on one address would take the connections to the other."""
        hosts = self.host == other.host or (self.loopback and other.loopback)
        return hosts and self.port == other.port != 0


def parse_upstream(url: str) -> Address:
    """Return the address in the URL of an Ollama server.

    Raises:
        UsageError: The URL has a path.
    """
    parts = urlsplit(url)
    if parts.path.strip("/"):
        raise UsageError(f"upstream {url}: an address with a path cannot be recorded")
    port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    return Address(scheme=parts.scheme, host=parts.hostname or "127.0.0.1", port=port)


def parse_listen(text: str, *, remote: bool = False, option: str = "--listen") -> Address:
    """Return an address on which the recorder is to listen; port 0 lets the system choose.

    Args:
        text: As on the command line.
        remote: Whether other machines may reach it.
        option: What the command line calls it.

    Raises:
        UsageError: The text is not ``HOST:PORT``, or other machines could reach the address.
    """
    try:
        parts = urlsplit(f"//{text.strip()}")
        host, port = parts.hostname, parts.port
    except ValueError as err:
        raise UsageError(f"{option} {text}: {err}") from err
    if not host or port is None or parts.path:
        raise UsageError(f"{option} {text}: expected HOST:PORT, for example 127.0.0.1:11435")
    address = Address(host=host, port=port)
    if not address.loopback and not remote:
        raise UsageError(
            f"{option} {text}: other machines could reach this address; "
            "use 127.0.0.1, ::1 or localhost, or see --allow-remote"
        )
    return address
