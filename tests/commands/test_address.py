"""Addresses in the forms that Ollama's own variable takes."""

import pytest

from tonearm.commands._address import upstream
from tonearm.errors import UsageError


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("example", "http://example:11434"),
        ("example:1234", "http://example:1234"),
        (":1234", "http://127.0.0.1:1234"),
        ("http://example", "http://example:80"),
        ("https://example", "https://example:443"),
        ("http://example:1234/", "http://example:1234"),
        ("http://example/ollama/", "http://example:80/ollama"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("[::]:1234", "http://[::1]:1234"),
        ("[::1]", "http://[::1]:11434"),
        (' "example" ', "http://example:11434"),
    ],
)
def test_the_environment_names_the_server(text, url):
    assert upstream(None, {"OLLAMA_HOST": text}) == url


def test_what_is_given_comes_before_the_environment():
    assert upstream("http://a:1", {"OLLAMA_HOST": "b"}) == "http://a:1"


@pytest.mark.parametrize("text", ["ftp://x", "http://", "x:port", "http://[x"])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(UsageError, match="no address of an Ollama server"):
        upstream(text, {})
