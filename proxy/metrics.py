"""Tell Prometheus how the recorder is doing.

The text format is version 0.0.4. Nothing here names a model, a path or a client, so the figures can
be shown to whoever may look at a dashboard.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections.abc import Callable, Mapping

from aiohttp import web

from tonearm.errors import CaptureError
from tonearm.proxy.address import Address
from tonearm.proxy.tally import Tally

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
SAMPLE_S = 0.1


class Delay:
    """How long traffic has to wait for the recorder's event loop, sampled by a timer.

    All that the recorder adds to an answer is added on that loop: what a timer waits beyond its
    time, a piece of an answer that came just then has waited too.
    """

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS_S) + 1)
        self.sum_s = 0.0

    def add(self, delay_s: float) -> None:
        """Take one sample."""
        self.counts[bisect_left(BUCKETS_S, delay_s)] += 1
        self.sum_s += delay_s

    async def sample(self) -> None:
        """Take samples until cancelled."""
        while True:
            due_s = time.monotonic() + SAMPLE_S
            await asyncio.sleep(SAMPLE_S)
            self.add(max(0.0, time.monotonic() - due_s))


def exposition(tally: Tally, delay: Delay, *, backlog: int, backlog_bytes: int) -> str:
    """Return all figures in Prometheus' text format."""
    lines: list[str] = []

    def put(name: str, kind: str, text: str, values: Mapping[str, float]) -> None:
        lines.extend((f"# HELP tonearm_{name} {text}", f"# TYPE tonearm_{name} {kind}"))
        lines.extend(f"tonearm_{name}{labels} {value:g}" for labels, value in values.items())

    def labelled(name: str, counts: Mapping[str, int]) -> dict[str, float]:
        return {f'{{{name}="{_escape(k)}"}}': n for k, n in sorted(counts.items())}

    put("recorded_total", "counter", "Exchanges synced to the disk.", {"": tally.recorded})
    text = "Exchanges that killed recorders had begun, recorded since."
    put("recovered_total", "counter", text, {"": tally.recovered})
    by_outcome = labelled("outcome", tally.outcomes)
    put("exchanges_total", "counter", "Exchanges seen, by how they ended.", by_outcome)
    put("passed_total", "counter", "Other requests, let through unrecorded.", {"": tally.passed})
    put("dropped_total", "counter", "Exchanges lost.", labelled("reason", tally.losses()))
    put("refused_total", "counter", "Requests not let in.", labelled("reason", tally.refused))
    put("bytes_total", "counter", "Bytes of bodies copied.", {"": tally.copied_bytes})
    put("queue_exchanges", "gauge", "Exchanges that wait for the disk.", {"": backlog})
    put("queue_bytes", "gauge", "Bytes of bodies that wait for the disk.", {"": backlog_bytes})
    text = "How long a piece of an answer had to wait for the recorder, sampled."
    put("added_latency_seconds", "histogram", text, _histogram(delay))
    return "\n".join(lines) + "\n"


def _histogram(delay: Delay) -> dict[str, float]:
    total = 0
    values: dict[str, float] = {}
    for limit, count in zip((*BUCKETS_S, float("inf")), delay.counts, strict=True):
        total += count
        values[f'_bucket{{le="{"+Inf" if limit == float("inf") else f"{limit:g}"}"}}'] = total
    return values | {"_sum": delay.sum_s, "_count": total}


def _escape(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


class MetricsServer:
    """Answers ``GET /metrics`` while it runs."""

    def __init__(self, listen: Address, text: Callable[[Delay], str]) -> None:
        self._listen = listen
        self._text = text
        self._delay = Delay()
        self._runner: web.AppRunner | None = None
        self._sampler: asyncio.Task[None] | None = None

    async def start(self) -> Address:
        """Listen, and return the address that was taken.

        Raises:
            CaptureError: The address cannot be listened on.
        """
        app = web.Application()
        app.router.add_get("/metrics", self._answer)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._listen.host, self._listen.port)
        try:
            await site.start()
        except OSError as err:
            await self.stop()
            where = self._listen.authority
            raise CaptureError(f"cannot listen on {where} for --metrics: {err.strerror}") from err
        self._sampler = asyncio.create_task(self._delay.sample())
        host, port, *_ = self._runner.addresses[0]
        return Address(host=host, port=port)

    async def stop(self) -> None:
        """Stop answering."""
        if self._sampler is not None:
            self._sampler.cancel()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        text = self._text(self._delay)
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE})
