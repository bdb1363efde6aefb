"""Addresses that the recorder takes and refuses."""

import pytest

from tonearm.errors import UsageError
from tonearm.proxy.address import Address, parse_listen, parse_upstream


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port"),
    [
        ("http://127.0.0.1:11434", "http", "127.0.0.1", 11434),
        ("http://box:8080/", "http", "box", 8080),
        ("http://box", "http", "box", 80),
        ("https://box", "https", "box", 443),
        ("http://[::1]:11434", "http", "::1", 11434),
    ],
)
def test_the_upstream_is_read_from_a_url(url, scheme, host, port):
    assert parse_upstream(url) == Address(scheme=scheme, host=host, port=port)


def test_an_upstream_with_a_path_is_refused():
    with pytest.raises(UsageError, match="path"):
        parse_upstream("http://gateway/ollama")


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("127.0.0.1:11435", "http://127.0.0.1:11435"),
        ("localhost:0", "http://localhost:0"),
        ("[::1]:9", "http://[::1]:9"),
        ("127.8.8.8:1", "http://127.8.8.8:1"),
    ],
)
def test_the_recorder_listens_on_loopback(text, url):
    assert parse_listen(text).url == url


@pytest.mark.parametrize("text", ["0.0.0.0:1", "[::]:1", "192.168.1.5:11435", "example.org:80"])
def test_no_other_machine_is_let_in(text):
    with pytest.raises(UsageError, match="other machines could reach this address"):
        parse_listen(text)


def test_other_machines_are_let_in_where_that_is_wanted():
    assert parse_listen("0.0.0.0:1", remote=True).url == "http://0.0.0.0:1"


@pytest.mark.parametrize("text", ["", "127.0.0.1", "127.0.0.1:x", ":80", "127.0.0.1:80/x", "::1"])
def test_a_listen_address_that_is_none_is_a_usage_error(text):
    with pytest.raises(UsageError, match="--listen"):
        parse_listen(text)


def test_two_spellings_of_one_place_are_recognised():
    own = parse_listen("127.0.0.1:11435")

    assert parse_upstream("http://localhost:11435").same_place(own)
    assert parse_upstream("http://[::1]:11435").same_place(own)
    assert not parse_upstream("http://127.0.0.1:11434").same_place(own)
    assert not parse_upstream("http://box:11435").same_place(own)
    assert not parse_upstream("http://127.0.0.1:1").same_place(parse_listen("127.0.0.1:0"))
