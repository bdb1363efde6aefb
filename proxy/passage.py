"""One request and its answer as they pass through a relay: what they are, not where the bytes go.

The recorder is told of them by the same hooks that mitmproxy calls, with mitmproxy's own values, so
that it need not know which way a request took.
"""

from __future__ import annotations

import re

from mitmproxy import flow as flows
from mitmproxy import http
from mitmproxy.connection import Client, Server
from mitmproxy.net.http import http1
from mitmproxy.net.http.validate import validate_headers

from tonearm.proxy.addon import Recorder
from tonearm.proxy.body import Body

HEAD_END = re.compile(rb"\r?\n\r?\n")
LINE_END = re.compile(rb"\r?\n")
INFORMATIONAL = range(100, 200)


def read_request(data: bytes) -> tuple[http.Request, int] | None:
    """Return the request at the beginning of some data and the length of its head.

    ``None`` means that it is not wholly there, or that it is not of the plain kind which can be
    passed on as it is: mitmproxy then has to see what to make of it.
    """
    end = data.find(b"\r\n\r\n") + 4
    head = data[:end]
    lines = head[:-4].split(b"\r\n")
    if end < 4 or any(odd in line for line in lines for odd in (b"\r", b"\n", b"\0")):
        return None
    try:
        request = http1.read_request_head(lines)
        validate_headers(request)
        http1.expected_http_body_size(request)
    except ValueError:
        return None
    headers = request.headers
    if request.http_version != "HTTP/1.1" or "upgrade" in headers or "expect" in headers:
        return None
    return request, end


class Passage:
    """One flow, from the head of its request to the end of its answer."""

    def __init__(
        self, recorder: Recorder, client: Client, server: Server, request: http.Request
    ) -> None:
        self._recorder = recorder
        self._head = b""
        self._kept: list[bytes] = []
        self._over = False
        self.upload = Body(http1.expected_http_body_size(request))
        self.answer: Body | None = None
        """The body of the answer, once its head is there."""
        self.flow = http.HTTPFlow(client, server, live=True)
        self.flow.request = request
        recorder.requestheaders(self.flow)

    @property
    def ended(self) -> bool:
        """Whether both the request and the answer came to their ends."""
        return self._over and self.upload.ended

    @property
    def last(self) -> bool:
        """Whether the connection can carry no request after this one."""
        messages = (self.flow.request, self.flow.response)
        return any(m and http1.connection_close(m.http_version, m.headers) for m in messages)

    def send(self, data: bytes) -> None:
        """Take note of bytes that go to the server; of none, where the request has no body.

        Raises:
            h11.ProtocolError: They are no body of a request.
        """
        stream = self.flow.request.stream
        for piece in self.upload.take(data):
            if callable(stream):
                stream(piece)
            elif not stream:
                self._kept.append(piece)
        if not self.upload.ended:
            return
        if callable(stream):
            stream(b"")
        elif not stream:
            self.flow.request.data.content = b"".join(self._kept)
        self._recorder.request(self.flow)

    def begin_answer(self, data: bytes) -> tuple[bytes, bytes]:
        """Return what goes to the client, and what of it belongs to the body of the answer.

        Nothing goes before the head is whole, for the answer to what is no answer is ours to give.

        Raises:
            ValueError: This is no answer.
        """
        whole = self._head + data
        end = HEAD_END.search(whole)
        if end is None:
            self._head = whole
            return b"", b""
        self._head, body = b"", whole[end.end() :]
        response = http1.read_response_head(LINE_END.split(whole[: end.start()]))
        validate_headers(response)
        if response.status_code in INFORMATIONAL:
            out, rest = self.begin_answer(body)
            return whole[: end.end()] + out, rest
        self._answered(response)
        return whole, body

    def _answered(self, response: http.Response) -> None:
        self.answer = Body(http1.expected_http_body_size(self.flow.request, response))
        self.flow.response = response
        self._recorder.responseheaders(self.flow)

    def receive(self, data: bytes) -> None:
        """Take note of bytes of the answer's body.

        Raises:
            h11.ProtocolError: They are no such body.
        """
        assert self.answer is not None
        assert self.flow.response is not None
        stream = self.flow.response.stream
        for piece in self.answer.take(data):
            if callable(stream):
                stream(piece)
        if self.answer.ended:
            self._received()

    def close_answer(self) -> None:
        """Take note that the server has closed the connection.

        Raises:
            h11.ProtocolError: The answer was not at its end.
        """
        assert self.answer is not None
        if not self._over:
            self.answer.close()
            self._received()

    def _received(self) -> None:
        if self._over:
            return
        self._over = True
        assert self.flow.response is not None
        stream = self.flow.response.stream
        if callable(stream):
            stream(b"")
        self._recorder.response(self.flow)
        self.flow.live = False

    def break_off(self, problem: str) -> None:
        """Take note that nothing more will come; nothing happens where nothing more was to come."""
        if self._over:
            return
        self._over = True
        self.flow.error = flows.Error(problem)
        self._recorder.error(self.flow)
        self.flow.live = False
