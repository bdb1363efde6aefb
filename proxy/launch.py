"""Run mitmproxy inside this process, with no more of it than recording needs.

The stock addons cost a third to a half of the time of a request, and some of them would reach
further than a recorder should. Left are those that listen, connect and speak HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import logging
import os
import re
import time
from collections.abc import Callable, Collection

from mitmproxy import options
from mitmproxy.addons import core, next_layer, proxyserver, tlsconfig
from mitmproxy.connection import Client
from mitmproxy.master import Master
from mitmproxy.proxy.layer import NextLayer
from mitmproxy.proxy.server import ConnectionHandler

from tonearm.errors import CaptureError
from tonearm.proxy.addon import Recorder
from tonearm.proxy.address import Address
from tonearm.proxy.entrance import Entrance
from tonearm.proxy.gate import Gate
from tonearm.proxy.refusal import fit
from tonearm.proxy.relay import Relay
from tonearm.proxy.tally import Tally

logger = logging.getLogger(__name__)

IDLE_TIMEOUT_S = 24 * 60 * 60
"""mitmproxy cuts what is silent for this long; loading a model and reading a prompt are silent."""

POLL_S = 0.02
SWEEP_S = 1.0
HANG_UP_S = 5.0


class Proxy:
    """A proxy in front of one upstream, watched by a recorder.

    All of it runs on one event loop, which ``start`` must be called from.
    """

    def __init__(
        self,
        recorder: Recorder,
        *,
        upstream: Address,
        listen: Address,
        mode: str = "reverse",
        gate: Gate | None = None,
        max_clients: int | None = None,
        relaying: bool = True,
    ) -> None:
        """Prepare a proxy.

        Args:
            recorder: Watches what passes.
            upstream: The server.
            listen: Where clients connect.
            mode: How traffic gets here, in mitmproxy's words.
            gate: Is asked of every request.
            max_clients: How many may be connected; by default as many as there are files for.
            relaying: Whether what is plain may go past mitmproxy.
        """
        self._recorder = recorder
        self._upstream = upstream
        self._listen = listen
        self._mode = mode
        self._gate = gate or Gate(tally=Tally())
        self._max_clients = max_clients or most_clients()
        self._server = proxyserver.Proxyserver()
        plain = mode in ("reverse", "regular") and upstream.scheme == "http"
        self._relaying = relaying and plain
        self._entrance: Entrance | None = None
        self._master: Master | None = None
        self._task: asyncio.Task[None] | None = None
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> Address:
        """Listen, and return the address that was taken.

        Raises:
            CaptureError: The address cannot be listened on.
        """
        # Its errors come as exceptions below; two reports of one thing would only confuse.
        logging.getLogger(proxyserver.__name__).setLevel(logging.CRITICAL)
        ready = _Ready(asyncio.get_running_loop().create_future())
        self._master = Master(self._options())
        self._master.addons.add(
            core.Core(), self._server, self._recorder, next_layer.NextLayer(), self, ready
        )
        if self._upstream.scheme == "https":
            self._master.addons.add(tlsconfig.TlsConfig())
        self._master.options.update(
            connection_strategy="lazy",  # no upstream connection for a client that never asks
            # Ollama on this machine refuses foreign names; that guard must not be lifted. Where the
            # gate keeps that guard, a server elsewhere is told its own name.
            keep_host_header=not self._gate.guards_host,
            allow_hosts=[] if self._mode in ("reverse", "regular") else self._places(),
        )
        self._task = asyncio.create_task(self._master.run())
        await asyncio.wait({self._task, ready.future}, return_when=asyncio.FIRST_COMPLETED)
        address = await (self._open_entrance() if self._relaying else self._address())
        self._sweeper = asyncio.create_task(self._sweep())
        return address

    async def _open_entrance(self) -> Address:
        self._entrance = Entrance(
            self._recorder,
            self._gate,
            upstream=self._upstream,
            mode=self._spec,
            manager=self._server,
            admit=self._admit,
        )
        try:
            return await self._entrance.listen(self._listen)
        except OSError as err:
            await self.stop()
            raise CaptureError(_cannot_listen(self._listen, err)) from err

    async def _address(self) -> Address:
        failure = next((s.last_exception for s in self._server.servers if s.last_exception), None)
        if failure is None and self._server.listen_addrs():
            host, port, *_ = self._server.listen_addrs()[0]
            return Address(host=host, port=port)
        if failure is None and any(server.is_running for server in self._server.servers):
            return self._listen  # the local mode takes traffic from programs, not from a port
        await self.stop()
        raise CaptureError(_cannot_listen(self._listen, failure)) from failure

    def _options(self) -> options.Options:
        return options.Options(
            mode=[self._spec],
            listen_host=self._listen.host,
            listen_port=self._listen.port,
            server=not self._relaying,
            tcp_timeout=IDLE_TIMEOUT_S,
        )

    @property
    def _spec(self) -> str:
        return f"reverse:{self._upstream.url}" if self._mode == "reverse" else self._mode

    def _places(self) -> list[str]:
        """Return patterns for the upstream's addresses; traffic to others passes unread."""
        own = self._upstream
        hosts = {own.host, *(("127.0.0.1", "::1", "localhost") if own.loopback else ())}
        return [f"^{re.escape(host)}:{own.port}$" for host in sorted(hosts)]

    def next_layer(self, asking: NextLayer) -> None:
        """Have the gate asked in every mode; mitmproxy calls this after its own choice."""
        fit(asking.layer, asking.context, self._gate)

    def client_connected(self, client: Client) -> None:
        """Make room for a client that mitmproxy has accepted, or turn it away."""
        if not self._make_room(client.id):
            client.error = "too many clients"

    def _admit(self, relay: Relay) -> None:
        if not self._make_room(relay.client.id):
            relay.close()

    def _make_room(self, newcomer: str) -> bool:
        """Close the connection of an idle client where there are too many clients."""
        relays = len(self._entrance.relays) if self._entrance else 0
        if relays + len(self._server.connections) <= self._max_clients:
            return True
        busy = self._recorder.busy_clients()
        for name, close in self._clients().items():
            if name != newcomer and name not in busy:
                close()
                return True
        return False

    def _clients(self) -> dict[str, Callable[[], None]]:
        """Return what closes the connection of each client, by the client's id."""
        relays = self._entrance.relays.values() if self._entrance else ()
        closers = {relay.client.id: relay.close for relay in relays}
        for handler in self._server.connections.values():
            closers[handler.client.id] = functools.partial(_close, handler)
        return closers

    async def _sweep(self) -> None:
        """Close connections on which a request does not get on."""
        while True:
            await asyncio.sleep(SWEEP_S)
            for name in self._gate.overdue():
                self._gate.read(name)
                if (handler := self._server.connections.get(name)) is not None:
                    _close(handler)

    @property
    def busy(self) -> int:
        """How many clients have something under way."""
        return len(self._recorder.busy_clients())

    async def drain(self, grace_s: float, cut: asyncio.Event) -> None:
        """Take no more requests and let those under way finish, until the grace ends or a cut.

        Connections on which nothing is under way are closed, as a server does that goes away.
        """
        await self._stop_listening()
        deadline = time.monotonic() + grace_s
        while busy := self._recorder.busy_clients():
            if cut.is_set() or time.monotonic() >= deadline:
                break
            self._hang_up(spared=busy)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(cut.wait(), POLL_S)

    async def stop(self) -> None:
        """End everything; what is still under way is recorded as cut off by us."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        await self._stop_listening()
        self._recorder.done()
        self._hang_up()
        deadline = time.monotonic() + HANG_UP_S
        while self._clients() and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(POLL_S)
        if self._master is not None and self._task is not None:
            self._master.shutdown()
            await self._task

    async def _stop_listening(self) -> None:
        if self._entrance is not None:
            self._entrance.close()
        await self._server.servers.update([])

    def _hang_up(self, spared: Collection[str] = ()) -> None:
        """Close client connections as soon as what was written to them is sent."""
        for name, close in self._clients().items():
            if name not in spared:
                close()


def _close(handler: ConnectionHandler) -> None:
    transport = handler.transports.get(handler.client)
    if transport and transport.writer:
        transport.writer.close()


SPARE_FILES = 64
MOST_CLIENTS = 4096


def most_clients() -> int:
    """Return how many clients fit: each takes two of the files that the process may have open."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return MOST_CLIENTS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * MOST_CLIENTS + SPARE_FILES
    soft = wanted if soft == resource.RLIM_INFINITY else soft
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, min(MOST_CLIENTS, (soft - SPARE_FILES) // 2))


class _Ready:
    """Tells when mitmproxy has tried to listen."""

    def __init__(self, future: asyncio.Future[None]) -> None:
        self.future = future

    def running(self) -> None:
        """Take mitmproxy's word for it."""
        self.future.set_result(None)


def _cannot_listen(address: Address, failure: Exception | None) -> str:
    number = failure.errno if isinstance(failure, OSError) else None
    if number == errno.EADDRINUSE:
        return (
            f"cannot listen on {address.authority}: the port is in use; stop the other program, "
            "or choose another port with --listen"
        )
    why = os.strerror(number) if number else failure
    return f"cannot listen on {address.authority}: {why}; choose another address with --listen"
