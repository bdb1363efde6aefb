"""What could be a secret does not reach the disk, and the exchange says what was taken."""

from dataclasses import replace

from tests.cassette import samples
from tonearm.cassette import redact
from tonearm.cassette.format import to_line

SECRETS = (
    ("Authorization", "Bearer sk-1"),
    ("Cookie", "session=sk-2"),
    ("X-API-Key", "sk-3"),
    ("Proxy-Authorization", "Basic sk-4"),
    ("X-Whatever", "sk-5"),
    ("x-whatever", "sk-6"),
)


def exchange_with_secrets():
    exchange = samples.streamed()
    return replace(
        exchange,
        request=replace(
            exchange.request,
            headers=exchange.request.headers + SECRETS,
            uri="http://user:sk-7@127.0.0.1:11434/api/chat?key=sk-8&key=sk-9&debug=#sk-10",
        ),
        response=replace(
            exchange.response, headers=(*exchange.response.headers, ("Set-Cookie", "id=sk-11"))
        ),
    )


def test_only_known_headers_pass():
    redacted = redact(exchange_with_secrets())

    assert redacted.request.headers == samples.streamed().request.headers
    assert redacted.response.headers == samples.streamed().response.headers
    assert b"sk-" not in to_line(redacted)


def test_the_address_loses_user_query_and_fragment():
    redacted = redact(exchange_with_secrets())

    assert redacted.request.uri == "http://127.0.0.1:11434/api/chat?redacted"


def test_what_was_taken_is_listed_by_name():
    assert redact(exchange_with_secrets()).redaction == {
        "request_headers": [
            "authorization",
            "cookie",
            "proxy-authorization",
            "x-api-key",
            "x-whatever",
        ],
        "response_headers": ["set-cookie"],
        "uri": ["fragment", "query", "user"],
    }


def test_an_exchange_without_secrets_says_that_it_was_looked_at():
    redacted = redact(samples.streamed())

    assert redacted == replace(
        samples.streamed(),
        redaction={"request_headers": [], "response_headers": [], "uri": []},
    )


def test_redacting_twice_is_redacting_once():
    once = redact(exchange_with_secrets())

    assert redact(once) == once


def test_an_address_that_is_none_is_taken_out():
    request = replace(samples.streamed().request, uri="http://[::1/?key=sk-1")

    redacted = redact(replace(samples.streamed(), request=request))

    assert (redacted.request.uri, redacted.redaction["uri"]) == ("redacted", ["address"])


def test_a_list_that_makes_no_sense_is_replaced():
    """A cassette of a stranger is redacted too."""
    odd = {"request_headers": "authorization", "uri": 5, "note": "kept"}

    redacted = redact(replace(samples.streamed(), redaction=odd))

    assert redacted.redaction == {
        "request_headers": [],
        "response_headers": [],
        "uri": [],
        "note": "kept",
    }
