"""Who may ask, as measured on Ollama 0.24.0."""

import pytest

from tonearm.replay.server.guard import Guard

LOCAL = "127.0.0.1:11435"
PAGE = "http://localhost:3000"


def status(method="GET", host=LOCAL, origin=None, guard=None):
    refusal = (guard or Guard()).check(method, host, origin).refusal
    return refusal and refusal.status


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost",
        "LOCALHOST:1",
        "127.0.0.1:1",
        "[::1]:1",
        "foo.local",
        "a.internal:80",
        "10.0.0.7",
    ],
)
def test_local_names_are_admitted(host):
    guard = Guard()

    assert [status(host=host, guard=guard) for _ in range(2)] == [None, None]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:11435", "8.8.8.8", "localhost.evil", "[::x"]
)
def test_names_that_were_bent_to_loopback_are_not(host):
    assert status(host=host) == 403
    assert status(host=host, origin=f"http://{host}") == 403
    assert status(host=host, origin=PAGE) == 403


@pytest.mark.parametrize(
    "origin",
    [
        PAGE,
        "https://127.0.0.1",
        "app://x",
        "tauri://localhost",
        "chrome-extension://abc",
        f"http://{LOCAL}",
    ],
)
def test_local_pages_and_applications_may_ask(origin):
    assert status(origin=origin) is None


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://localhost.evil.example"])
def test_other_pages_may_not(origin):
    assert status(origin=origin) == 403
    assert status("OPTIONS", origin=origin) == 403


def test_origins_can_be_added():
    guard = Guard(["https://*.example"])

    assert status(origin="https://ui.example", guard=guard) is None


def test_a_page_may_read_its_answer():
    assert Guard().check("GET", LOCAL, PAGE).fields == (
        b"Access-Control-Allow-Origin: http://localhost:3000\r\nVary: Origin\r\n"
    )
    assert Guard().check("GET", LOCAL, None).fields == b""
    assert Guard().check("GET", LOCAL, "http://evil.example").fields == b""


def test_a_browser_that_asks_first_is_told_what_it_may():
    entry = Guard().check("OPTIONS", LOCAL, PAGE)

    fields = dict(entry.refusal.fields)
    assert entry.refusal.status == 204
    assert fields["Access-Control-Allow-Methods"] == "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"
    assert "X-Stainless-Retry-Count" in fields["Access-Control-Allow-Headers"]


def test_options_without_an_origin_depends_on_the_name():
    assert status("OPTIONS", host="localhost:1") == 204
    assert status("OPTIONS", host="127.0.0.1:1") is None
