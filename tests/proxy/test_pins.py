"""What the server says of itself goes into every answered exchange."""

import asyncio
import json

import pytest

from tests.proxy.harness import Upstream, run
from tonearm.errors import WireError
from tonearm.model import Exchange, HttpRequest, HttpResponse
from tonearm.proxy.pins import PinBook, ask

SERVER = "http://127.0.0.1:11434"


class Server:
    """Answers as Ollama would, and remembers what it was asked."""

    def __init__(self):
        self.version = "0.24.0"
        self.num_ctx = 4096
        self.down = False
        self.asked = []

    def __call__(self, server, path, body=None):
        self.asked.append((server, path))
        if self.down:
            raise OSError("no route")
        return {
            "/api/version": {"version": self.version},
            "/api/ps": {
                "models": [{"name": "m:latest", "digest": "d1", "context_length": self.num_ctx}]
            },
            "/api/show": {"modelfile": "FROM x\nRENDERER gemma4\nPARSER gemma4", "details": {}},
            "/api/tags": {"models": [{"name": "m:latest", "digest": "d1"}]},
        }[path]

    def paths(self):
        """Return what was asked since the last call."""
        paths = [path for _, path in self.asked]
        self.asked.clear()
        return paths


@pytest.fixture
def server():
    return Server()


@pytest.fixture
def book(server):
    return PinBook(server)


def pin(book, *, starts, model="m", status=200, options=None):
    body = {"model": model, "messages": []} | ({"options": options} if options else {})
    exchange = Exchange(
        request=HttpRequest(
            method="POST", uri=f"{SERVER}/api/chat", body=json.dumps(body).encode()
        ),
        response=HttpResponse(status=status),
    )
    return book.pin(exchange, body, starts=starts)


def test_the_pin_names_the_engine_and_the_options_sent(book):
    found = pin(book, starts=True, options={"temperature": 0})

    assert (found.model, found.server_version, found.digest) == ("m", "0.24.0", "d1")
    assert (found.renderer, found.parser, found.num_ctx) == ("gemma4", "gemma4", 4096)
    assert found.options == {"temperature": 0}


def test_the_server_that_answered_is_the_one_that_is_asked(book, server):
    pin(book, starts=True)

    assert {url for url, _ in server.asked} == {SERVER}


def test_later_turns_of_a_conversation_ask_nothing(book, server):
    first = pin(book, starts=True)
    server.paths()

    assert pin(book, starts=False) == first
    assert server.paths() == []


def test_a_new_conversation_asks_only_what_may_have_changed(book, server):
    pin(book, starts=True)
    server.paths()
    server.num_ctx = 8192

    assert pin(book, starts=True).num_ctx == 8192
    assert server.paths() == ["/api/version", "/api/ps"]


def test_an_upgraded_server_gets_a_new_pin(book, server):
    pin(book, starts=True)
    server.version = "0.33.0"

    assert pin(book, starts=True).server_version == "0.33.0"


def test_a_server_that_does_not_answer_costs_the_pin_and_is_not_asked_at_every_turn(
    book, server, caplog
):
    server.down = True

    assert pin(book, starts=True) is None
    assert pin(book, starts=False) is None
    assert server.paths() == ["/api/version"]
    assert "no pin for model m: no route" in caplog.text

    server.down = False
    assert pin(book, starts=True) is not None


@pytest.mark.parametrize("refused", [{"status": 404}, {"status": 502}, {"model": ""}])
def test_nothing_is_asked_about_what_was_not_answered(book, server, refused):
    assert pin(book, starts=True, **refused) is None
    assert server.paths() == []


def asked(answer, path="/api/version", body=None):
    """Ask a real server for something, from a thread as the writer does."""

    async def scenario():
        async with Upstream(answer) as upstream:
            found = await asyncio.to_thread(ask, upstream.address.url, path, body)
            return found, upstream.seen

    return run(scenario())


def test_a_get_and_a_post_bring_the_answer():
    async def answer(exchange):
        await exchange.answer(b'{"version": "1"}')

    found, seen = asked(answer)
    assert found == {"version": "1"}
    assert (seen[0].method, seen[0].path) == ("GET", "/api/version")

    _, seen = asked(answer, "/api/show", {"model": "m"})
    assert (seen[0].method, json.loads(seen[0].body)) == ("POST", {"model": "m"})


@pytest.mark.parametrize("body", [b"not json", b"[]", b"{" * 100_000])
def test_an_answer_that_is_no_object_is_a_wire_error(body):
    async def answer(exchange):
        await exchange.answer(body)

    with pytest.raises(WireError, match="/api/version"):
        asked(answer)


def test_an_error_of_the_server_is_a_wire_error():
    async def answer(exchange):
        await exchange.answer(b'{"error": "gone"}', status="404 Not Found")

    with pytest.raises(WireError, match="answered with HTTP 404"):
        asked(answer)


def test_a_server_that_hangs_up_or_speaks_no_http_is_an_error_that_costs_only_the_pin():
    async def garbage(exchange):
        exchange.writer.write(b"SSH-2.0\r\n\r\n")
        exchange.close()

    async def silence(exchange):
        exchange.close()

    for answer in (garbage, silence):
        with pytest.raises((OSError, WireError)):
            asked(answer)
