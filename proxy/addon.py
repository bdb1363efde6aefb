"""Record every inference request that passes the proxy.

The addon only watches: it never edits, delays or drops a flow. A hook that fails costs the record,
which is counted as lost, and never the traffic, because the agent in front of the proxy is doing
real work. No hook does I/O, and none waits.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from weakref import WeakSet

from mitmproxy import http
from mitmproxy.net.http import status_codes
from mitmproxy.proxy.layer import NextLayer

from tonearm import wire
from tonearm.model import HttpRequest, Outcome
from tonearm.proxy.address import Address
from tonearm.proxy.capture import Capture
from tonearm.proxy.gate import Gate
from tonearm.proxy.refusal import http_layer, refusal
from tonearm.proxy.tally import Tally
from tonearm.proxy.tee import Breaker, Tee

logger = logging.getLogger(__name__)


def utc_now() -> str:
    """Return the time of day as cassettes write it, fine enough to tell exchanges apart."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


STREAM_BYTES = 64 << 10
"""A request that is longer is passed on while it comes; a shorter one comes in one piece anyway."""


def _is_large(request: http.Request) -> bool:
    """Return whether a request is to be passed on before it has come to its end."""
    if "transfer-encoding" in request.headers:
        return True
    length = request.headers.get("content-length", "0")
    return length.isdecimal() and int(length[:20]) > STREAM_BYTES


def _note_request(capture: Capture, flow: http.HTTPFlow) -> None:
    capture.request_body = flow.request.raw_content or b""
    capture.request_fields = flow.request.headers.fields


def _note_response(capture: Capture, response: http.Response) -> None:
    capture.reason = response.reason
    capture.response_fields = response.headers.fields
    capture.status = response.status_code


def fail_open[Argument](
    hook: Callable[[Recorder, Argument], None],
) -> Callable[[Recorder, Argument], None]:
    """Make a hook that cannot raise; mitmproxy itself guards against ``Exception`` alone."""

    @functools.wraps(hook)
    def guarded(self: Recorder, argument: Argument) -> None:
        try:
            hook(self, argument)
        except BaseException as err:
            with suppress(BaseException):  # counting is part of the recorder that fails
                self.give_up(argument, f"recorder fault in {hook.__name__}: {type(err).__name__}")
                logger.exception("the recorder failed, the traffic goes on")

    return guarded


class Recorder:
    """Follow flows through mitmproxy's hooks and hand the finished ones on."""

    name = "tonearm"

    def __init__(
        self,
        sink: Callable[[Capture], None],
        tally: Tally,
        *,
        gate: Gate | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], str] = utc_now,
    ) -> None:
        self._sink = sink
        self._tally = tally
        self._gate = gate or Gate(tally=tally)
        self._clock = clock
        self._now = now
        self._breaker = Breaker()
        self._open: dict[http.HTTPFlow, Capture] = {}
        self._seen: WeakSet[http.HTTPFlow] = WeakSet()

    def busy_clients(self) -> set[str]:
        """Return the ids of the client connections on which something is under way.

        A flow is under way until its last byte was handed to the client, which is after its
        ``response`` hook.
        """
        return {flow.client_conn.id for flow in self._seen if flow.live}

    @fail_open
    def next_layer(self, asking: NextLayer) -> None:
        """Choose what reads a new connection."""
        asking.layer = asking.layer or http_layer(asking, self._gate)

    @fail_open
    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Decide whether a request is to be recorded; all others stream through."""
        self._seen.add(flow)
        request = flow.request
        if wire.endpoint(HttpRequest(method=request.method, uri=request.url)) is None:
            request.stream = True
            self._tally.passed += 1
            return
        large = _is_large(request)
        request.stream = large  # before anything that could fail
        capture = Capture(
            method=request.method,
            uri=request.url,
            started_at=self._now(),
            started_s=self._clock(),
            refused=flow.error is not None,
        )
        if large:
            capture.upload = Tee(clock=self._clock)
            request.stream = capture.upload
        self._open[flow] = capture

    def under_way(self) -> list[Capture]:
        """Return what is being recorded and has been asked in full; any thread may ask."""
        return [capture for capture in list(self._open.values()) if capture.request_fields]

    @fail_open
    def request(self, flow: http.HTTPFlow) -> None:
        """Note what was asked, now that all of it is there."""
        capture = self._open.get(flow)
        if capture is not None:
            _note_request(capture, flow)

    @fail_open
    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Let the response stream, through a tee where it is to be recorded."""
        assert flow.response is not None
        flow.response.stream = True  # before anything that could fail
        capture = self._open.get(flow)
        if capture is None or self._breaker.open:
            return
        _note_response(capture, flow.response)
        capture.tee = Tee(clock=self._clock, on_end=functools.partial(self.end, flow))
        flow.response.stream = capture.tee

    @fail_open
    def end(self, flow: http.HTTPFlow) -> None:
        """Finish a flow whose response body came to its end."""
        self._finish(flow, Outcome.COMPLETE)

    response = end

    @fail_open
    def error(self, flow: http.HTTPFlow) -> None:
        """Finish a flow that broke off."""
        if not flow.client_conn.connected:
            outcome = Outcome.CLIENT_ABORTED
        elif flow.response is not None:
            outcome = Outcome.UPSTREAM_ABORTED
        else:
            outcome = Outcome.UPSTREAM_ERROR
        self._finish(flow, outcome)

    def done(self) -> None:
        """Finish what is still under way when the proxy stops; mitmproxy tells no one else."""
        for flow in list(self._open):
            self.stopped(flow)

    @fail_open
    def stopped(self, flow: http.HTTPFlow) -> None:
        """Finish a flow that the proxy's end cuts off."""
        self._finish(flow, Outcome.PROXY_STOPPED)

    def give_up(self, subject: object, reason: str) -> None:
        """Forget the record of a flow and count it as lost."""
        if isinstance(subject, http.HTTPFlow):
            self._open.pop(subject, None)
            self._tally.lose(reason)

    def _finish(self, flow: http.HTTPFlow, outcome: Outcome) -> None:
        """Hand a flow's capture on; nothing happens when that was done before."""
        capture = self._open.pop(flow, None)
        if capture is None:
            return
        capture.ended_s = self._clock()
        if outcome is Outcome.CLIENT_ABORTED and capture.has_ended:
            outcome = Outcome.COMPLETE  # some clients leave as soon as they have read that
        capture.outcome = outcome
        _note_request(capture, flow)
        if outcome is not Outcome.COMPLETE:
            capture.error = flow.error.msg if flow.error else "the recorder was stopped"
        if flow.response is not None:
            _note_response(capture, flow.response)
        elif outcome is Outcome.UPSTREAM_ERROR:
            self._record_refusal(capture, flow)
        self._hand_on(capture)

    def _hand_on(self, capture: Capture) -> None:
        if capture.tee is None and capture.status and not capture.own_body:
            self._tally.lose("copying is switched off after several faults")
            return
        capture.stop()
        tees = [tee for tee in (capture.upload, capture.tee) if tee is not None]
        if tees:
            self._breaker.count(fault=any(tee.fault for tee in tees))
        self._tally.outcomes[capture.outcome] += 1
        self._tally.copied_bytes += capture.size_bytes
        self._sink(capture)

    def _record_refusal(self, capture: Capture, flow: http.HTTPFlow) -> None:
        """Record the answer that the client got in the upstream's place."""
        upstream = Address(
            scheme=flow.request.scheme, host=flow.request.host, port=flow.request.port
        )
        capture.status = 400 if capture.refused else 502
        capture.reason = status_codes.RESPONSES[capture.status]
        capture.response_fields = ((b"content-type", b"application/json"),)
        capture.own_body = refusal(
            flow.request.path,
            capture.status,
            capture.error or "",
            upstream=upstream.url,
            reached=flow.server_conn.timestamp_tcp_setup is not None,
        )
