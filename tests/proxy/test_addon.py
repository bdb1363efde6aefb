"""The hooks, one at a time."""

import logging

import pytest
from mitmproxy.connection import ConnectionState
from mitmproxy.test import taddons, tflow, tutils

from tonearm import wire
from tonearm.model import Outcome
from tonearm.proxy.addon import Recorder
from tonearm.proxy.tally import Tally


@pytest.fixture
def captures():
    return []


@pytest.fixture
def tally():
    return Tally()


@pytest.fixture
def recorder(captures, tally):
    times = iter(range(1000))
    return Recorder(captures.append, tally, clock=lambda: float(next(times)), now=lambda: "now")


def flow(path="/api/chat", method="POST"):
    request = tutils.treq(method=method.encode(), path=path.encode(), content=b'{"model": "m"}')
    found = tflow.tflow(req=request)
    found.live = True
    return found


def respond(found, recorder, *pieces):
    found.response = tutils.tresp(content=None)
    recorder.responseheaders(found)
    for piece in pieces:
        found.response.stream(piece)


@pytest.mark.parametrize("path", [*sorted(wire.INFERENCE), "/api/chat?x=1", "/v1/messages/"])
def test_inference_is_recorded(recorder, captures, path):
    found = flow(path)

    recorder.requestheaders(found)
    respond(found, recorder, b"abc", b"")

    assert [c.exchange().response.body for c in captures] == [b"abc"]
    assert captures[0].exchange().request.body == b'{"model": "m"}'


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/tags"),
        ("GET", "/api/chat"),
        ("OPTIONS", "/api/chat"),
        ("POST", "/api/pull"),
        ("POST", "/api/blobs/sha256:00"),
        ("POST", "/api/chatter"),
        ("GET", "/v1/models"),
        ("POST", "/v1/audio/transcriptions"),
        ("POST", "//[/api/chat"),
    ],
)
def test_everything_else_streams_through_in_both_directions(
    recorder, captures, tally, method, path
):
    found = flow(path, method)

    recorder.requestheaders(found)
    found.response = tutils.tresp()
    recorder.responseheaders(found)
    recorder.response(found)

    assert found.request.stream is True
    assert found.response.stream is True
    assert captures == []
    assert tally.passed == 1


def test_an_exchange_is_finished_once_whoever_says_so_first(recorder, captures):
    """mitmproxy may end a flow by the empty piece, ``response``, ``error`` and ``done``."""
    found = flow()
    recorder.requestheaders(found)
    respond(found, recorder, b"abc", b"")

    recorder.response(found)
    found.error = tflow.terr()
    recorder.error(found)
    recorder.done()

    assert [c.outcome for c in captures] == [Outcome.COMPLETE]


def test_a_response_without_a_body_is_finished_by_its_hook(recorder, captures):
    found = flow()
    recorder.requestheaders(found)
    respond(found, recorder)

    recorder.response(found)

    assert captures[0].exchange().response.body == b""
    assert captures[0].outcome is Outcome.COMPLETE


def broken(recorder, *, response, client_gone):
    found = flow()
    recorder.requestheaders(found)
    if response:
        respond(found, recorder, b"par", b"tial")
    else:
        found.response = None
    found.client_conn.state = ConnectionState.CLOSED if client_gone else ConnectionState.OPEN
    found.error = tflow.terr("went wrong")
    recorder.error(found)
    return found


@pytest.mark.parametrize(
    ("response", "client_gone", "outcome", "status", "body"),
    [
        (True, True, Outcome.CLIENT_ABORTED, 200, b"partial"),
        (False, True, Outcome.CLIENT_ABORTED, 499, b""),
        (True, False, Outcome.UPSTREAM_ABORTED, 200, b"partial"),
    ],
)
def test_a_broken_exchange_says_who_broke_it_and_keeps_the_bytes(
    recorder, captures, response, client_gone, outcome, status, body
):
    broken(recorder, response=response, client_gone=client_gone)

    exchange = captures[0].exchange()
    assert exchange.outcome is outcome
    assert (exchange.response.status, exchange.response.body) == (status, body)
    assert exchange.error == "went wrong"


@pytest.mark.parametrize(
    ("pieces", "outcome"),
    [
        ((b'{"done":false}\n', b'{"done":', b"true}\n"), Outcome.COMPLETE),
        ((b"data: {}\n\n", b"data: [DONE]\n\n"), Outcome.COMPLETE),
        ((b'event: message_stop\ndata: {"type":"message_stop"}\n\n',), Outcome.COMPLETE),
        ((b'event: x\r\ndata: {"type":"response.completed"}\r\n\r\n',), Outcome.COMPLETE),
        ((b'{"done":true}',), Outcome.CLIENT_ABORTED),
        ((b'{"done":false}\n',), Outcome.CLIENT_ABORTED),
        ((b"data: [DONE]\n\n", b"data: {}\n\n"), Outcome.CLIENT_ABORTED),
        ((b'{"done":true}\n', b"no JSON\n"), Outcome.CLIENT_ABORTED),
        ((), Outcome.CLIENT_ABORTED),
    ],
)
def test_a_client_may_leave_at_the_last_word(recorder, captures, pieces, outcome):
    found = flow()
    recorder.requestheaders(found)
    respond(found, recorder, *pieces)
    found.client_conn.state = ConnectionState.CLOSED
    found.error = tflow.terr("went wrong")
    recorder.error(found)

    exchange = captures[0].exchange()
    assert exchange.outcome is outcome
    assert (exchange.error is None) is (outcome is Outcome.COMPLETE)
    assert exchange.response.body == b"".join(pieces)


def test_an_upstream_without_an_answer_is_recorded_with_what_the_client_got(recorder, captures):
    broken(recorder, response=False, client_gone=False)

    exchange = captures[0].exchange()
    assert exchange.outcome is Outcome.UPSTREAM_ERROR
    assert exchange.response.status == 502
    assert b'{"error": "tonearm: ' in exchange.response.body


def test_a_request_that_mitmproxy_refuses_is_a_400(recorder, captures):
    found = flow()
    found.response = None
    found.error = tflow.terr("Received an invalid header")
    recorder.requestheaders(found)
    recorder.error(found)

    response = captures[0].exchange().response
    assert (response.status, response.reason) == (400, "Bad Request")
    assert b"refused this request" in response.body


def test_what_is_under_way_when_the_proxy_stops_is_recorded_as_that(recorder, captures):
    """mitmproxy ends with neither ``response`` nor ``error`` for flows under way."""
    streaming, waiting = flow(), flow()
    recorder.requestheaders(streaming)
    recorder.requestheaders(waiting)
    respond(streaming, recorder, b"half")

    recorder.done()
    assert streaming.response.stream(b"more") == b"more"

    first, second = (c.exchange() for c in captures)
    assert (first.outcome, first.response.body) == (Outcome.PROXY_STOPPED, b"half")
    assert (second.outcome, second.response.status) == (Outcome.PROXY_STOPPED, 503)


@pytest.mark.parametrize("fault", [ValueError, MemoryError, SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("part", ["now", "clock", "sink"])
def test_no_hook_raises_whatever_part_of_the_recorder_fails(tally, caplog, fault, part):
    """The record is lost and counted, and the response streams all the same."""

    def fail(*_):
        raise fault

    sound = {"now": lambda: "now", "clock": lambda: 0.0, "sink": lambda capture: None}
    parts = sound | {part: fail}
    recorder = Recorder(parts["sink"], tally, clock=parts["clock"], now=parts["now"])
    found = flow()

    recorder.requestheaders(found)
    found.response = tutils.tresp(content=None)
    recorder.responseheaders(found)
    stream = found.response.stream
    assert stream is True or [stream(p) for p in (b"a", b"")] == [b"a", b""]
    recorder.response(found)
    recorder.done()

    assert sum(tally.lost.values()) == 1
    assert fault.__name__ in next(iter(tally.lost))
    assert "the traffic goes on" in caplog.text


def test_the_log_of_a_fault_holds_no_body(tally, caplog):
    def fail(capture):
        raise ValueError

    recorder = Recorder(fail, tally)
    found = flow()
    found.request.content = b'{"messages": ["a secret"]}'
    caplog.set_level(logging.DEBUG)

    recorder.requestheaders(found)
    respond(found, recorder, b"another secret", b"")

    assert tally.lost
    assert "secret" not in caplog.text


def test_a_tee_that_keeps_failing_is_switched_off_and_every_loss_counted(tally):
    """After three broken copies the recorder leaves the streams alone."""
    taken = []
    calls = iter(range(1000))

    def clock():
        if next(calls) % 3 == 1:  # the second of: request, piece, end
            raise OSError
        return 0.0

    recorder = Recorder(taken.append, tally, clock=clock)
    for _ in range(3):
        found = flow()
        recorder.requestheaders(found)
        respond(found, recorder, b"text", b"")
    assert [c.exchange().outcome for c in taken] == [Outcome.TRUNCATED] * 3

    found = flow()
    recorder._clock = lambda: 0.0
    recorder.requestheaders(found)
    found.response = tutils.tresp(content=None)
    recorder.responseheaders(found)
    recorder.response(found)

    assert found.response.stream is True
    assert tally.lost == {"copying is switched off after several faults": 1}


def test_mitmproxy_finds_the_hooks(recorder, captures):
    """The whole life of a flow, called by mitmproxy's own manager."""
    import asyncio

    async def cycle():
        with taddons.context(recorder) as context:
            await context.cycle(recorder, flow_with_response())

    def flow_with_response():
        found = flow()
        found.response = tutils.tresp()
        return found

    asyncio.run(cycle())
    assert [c.outcome for c in captures] == [Outcome.COMPLETE]


def test_connections_with_something_under_way_are_known(recorder):
    found, other = flow(), flow("/api/tags", "GET")
    recorder.requestheaders(found)
    recorder.requestheaders(other)
    assert recorder.busy_clients() == {found.client_conn.id, other.client_conn.id}

    found.live = other.live = False
    assert recorder.busy_clients() == set()
