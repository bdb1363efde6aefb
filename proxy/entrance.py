"""Listen for clients of a proxy for one server, and see which way each connection takes.

A connection begins in a relay. What a relay cannot pass on goes to mitmproxy as if mitmproxy had
accepted it, so nothing is lost but the shorter way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from mitmproxy.net.free_port import get_free_port
from mitmproxy.proxy.mode_servers import ServerInstance, ServerManager
from mitmproxy.proxy.mode_specs import ProxyMode

from tonearm.proxy.addon import Recorder
from tonearm.proxy.address import Address
from tonearm.proxy.gate import Gate
from tonearm.proxy.relay import Relay, Route


class Entrance:
    """A listening socket, and the relays of the clients that came through it."""

    def __init__(
        self,
        recorder: Recorder,
        gate: Gate,
        *,
        upstream: Address,
        mode: str,
        manager: ServerManager,
        admit: Callable[[Relay], None],
    ) -> None:
        """Prepare to listen.

        Args:
            recorder: Watches what passes.
            gate: Is asked of every request.
            upstream: The server, which speaks plain HTTP.
            mode: ``reverse:`` with the server's URL or ``regular``, in mitmproxy's words.
            manager: Keeps the connections that mitmproxy takes over.
            admit: Told of every new client.
        """
        self.relays: dict[str, Relay] = {}
        """Those of clients that are connected now, the oldest first, by client id."""
        self._admit = admit
        self._server: asyncio.Server | None = None
        spec = ProxyMode.parse(mode)
        self._mitmproxy: ServerInstance[ProxyMode] = ServerInstance.make(spec, manager)
        self._route = Route(
            upstream=upstream,
            mode=spec,
            recorder=recorder,
            gate=gate,
            enter=self._enter,
            leave=self._leave,
            hand_over=self._hand_over,
        )

    async def listen(self, address: Address) -> Address:
        """Listen, and return the address that was taken.

        Raises:
            OSError: The address cannot be listened on.
        """
        port = address.port or get_free_port()  # the same for all addresses of one name
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Relay(self._route), address.host, port)
        host, port, *_ = self._server.sockets[0].getsockname()
        return Address(host=host, port=port)

    def close(self) -> None:
        """Let nobody else in."""
        if self._server is not None:
            self._server.close()

    def _enter(self, relay: Relay) -> None:
        self.relays[relay.client.id] = relay
        self._admit(relay)

    def _leave(self, relay: Relay) -> None:
        self.relays.pop(relay.client.id, None)

    def _hand_over(self, transport: asyncio.Transport, data: bytes) -> None:
        """Do what asyncio's own ``start_server`` does with a new connection."""
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader, self._mitmproxy.handle_stream)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(data)
