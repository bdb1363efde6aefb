"""What could be a secret does not reach the disk, and the exchange says what was taken."""

import gzip
import json
import zlib
from dataclasses import replace
from itertools import accumulate

import httpx
import ollama
import pytest
import vcr

from tests import tapes
from tests.cassette import samples
from tonearm import wire
from tonearm.cassette import CassetteWriter, is_raw, keep_raw, load, redact
from tonearm.cassette.format import to_line
from tonearm.model import Chunk, Link
from tonearm.redaction import Redactor
from tonearm.stitch import Stitcher

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
        "secrets": {},
    }


def test_an_exchange_without_secrets_says_that_it_was_looked_at():
    redacted = redact(samples.streamed())

    assert redacted == replace(
        samples.streamed(),
        redaction={"request_headers": [], "response_headers": [], "uri": [], "secrets": {}},
    )


def test_redacting_twice_is_redacting_once():
    once = redact(exchange_with_secrets())

    assert redact(once) == once


def test_what_was_kept_raw_can_be_redacted_later():
    kept = keep_raw(exchange_with_secrets())

    assert kept == replace(exchange_with_secrets(), redaction={"off": True})
    assert is_raw(kept)
    assert redact(kept) == redact(exchange_with_secrets())
    assert not is_raw(redact(kept))


def test_an_address_that_is_none_is_taken_out():
    request = replace(samples.streamed().request, uri="http://[::1/?key=sk-1")

    redacted = redact(replace(samples.streamed(), request=request))

    assert (redacted.request.uri, redacted.redaction["uri"]) == ("redacted", ["address"])


def test_a_list_that_makes_no_sense_is_replaced():
    """A cassette of a stranger is redacted too."""
    odd = {"request_headers": "authorization", "uri": 5, "note": "kept", "secrets": {"x": "y"}}

    redacted = redact(replace(samples.streamed(), redaction=odd))

    assert redacted.redaction == {
        "request_headers": [],
        "response_headers": [],
        "uri": [],
        "secrets": {},
        "note": "kept",
    }


PASSWORD = "Harbor!x81kQ2"
TOKEN = "ghp_" + "a1B2" * 9


@pytest.fixture
def redactor():
    return Redactor(bytes(32))


def with_bodies(exchange, *, asked=None, answered=None, headers=None):
    request, response = exchange.request, exchange.response
    answered = response.body if answered is None else answered
    return replace(
        exchange,
        request=replace(request, body=request.body if asked is None else asked),
        response=replace(
            response,
            body=answered,
            headers=response.headers if headers is None else headers,
        ),
    )


def in_pieces(text, name="content"):
    """Return a streamed answer of two characters a line, every line a piece of the body."""
    cut = [text[n : n + 2] for n in range(0, len(text), 2)]
    lines = [
        json.dumps({"message": {"role": "assistant", "content": "", name: c}, "done": False})
        for c in cut
    ]
    lines.append(json.dumps({"message": {"role": "assistant", "content": ""}, "done": True}))
    data = [f"{line}\n".encode() for line in lines]
    ends = list(accumulate(map(len, data)))
    return replace(
        with_bodies(samples.streamed(), answered=b"".join(data)),
        chunks=tuple(Chunk(end, n / 8) for n, end in enumerate(ends)),
    )


def test_bodies_without_secrets_are_the_very_same_objects(redactor):
    before = samples.streamed()

    after = redact(before, redactor)

    assert after.request.body is before.request.body
    assert after.response.body is before.response.body
    assert after.chunks is before.chunks


def test_what_was_found_is_counted_and_not_said(redactor):
    asked = json.dumps({"messages": [{"role": "user", "content": f"password: {PASSWORD}"}]})

    after = redact(with_bodies(in_pieces(f"use {TOKEN}"), asked=asked.encode()), redactor)

    assert after.redaction["secrets"] == {"github_token": 1, "password": 1}
    line = to_line(after)
    assert PASSWORD.encode() not in line
    assert TOKEN.encode() not in line


def test_redacting_bodies_twice_is_redacting_once(redactor):
    asked = json.dumps({"messages": [{"role": "user", "content": f"password: {PASSWORD}"}]})
    once = redact(with_bodies(in_pieces(f"use {TOKEN}"), asked=asked.encode()), redactor)

    assert redact(once, redactor) == once
    assert redact(once, Redactor(bytes(32))) == once


@pytest.mark.parametrize("escaped", [False, True])
def test_pieces_end_where_lines_end_also_when_lines_get_shorter(redactor, escaped):
    before = in_pieces(f"é use {TOKEN}, 🎬", "thinking")
    if escaped:
        body = before.response.body.replace(b"gh", b"\\u0067h")
        lines = body.splitlines(keepends=True)
        ends = accumulate(map(len, lines))
        chunks = tuple(Chunk(end, old.at_s) for end, old in zip(ends, before.chunks, strict=True))
        before = replace(with_bodies(before, answered=body), chunks=chunks)

    after = redact(before, redactor)

    body = after.response.body
    assert [chunk.end for chunk in after.chunks] == list(
        accumulate(len(line) for line in body.splitlines(keepends=True))
    )
    assert [chunk.at_s for chunk in after.chunks] == [chunk.at_s for chunk in before.chunks]
    assert (len(body) < len(before.response.body)) == escaped
    said = wire.exchange_reply(after).message["thinking"]
    assert (said[:6], said[-3:], len(said)) == ("é use ", ", 🎬", 49)
    assert wire.exchange_reply(after).done


def test_the_length_in_the_header_is_that_of_the_new_body(redactor):
    answer = b'{"message": {"content": "\\u0067hp_' + b"a1B2" * 9 + b'"}, "done": true}'
    headers = (("Content-Type", "application/json"), ("content-length", str(len(answer))))

    after = redact(with_bodies(samples.whole(), answered=answer, headers=headers), redactor)

    assert after.response.headers[1] == ("content-length", str(len(after.response.body)))
    assert len(after.response.body) == len(answer) - 5


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_packed_body_is_unpacked_where_it_has_a_secret(redactor, coding, pack):
    plain = in_pieces(f"use {TOKEN}")
    headers = (("Content-Type", "application/x-ndjson"), ("Content-Encoding", coding))
    body = pack(plain.response.body)
    packed = replace(
        with_bodies(plain, answered=body, headers=headers),
        chunks=(Chunk(len(body) // 2, 0.1), Chunk(len(body), 0.2)),
    )

    after = redact(packed, redactor)

    assert after.response.body == redact(plain, redactor).response.body
    assert after.response.headers == headers[:1]
    assert after.chunks[-1].end == len(after.response.body)


def test_a_packed_body_without_secrets_stays_packed(redactor):
    headers = (("Content-Encoding", "gzip"),)
    body = gzip.compress(samples.streamed().response.body)

    after = redact(with_bodies(samples.streamed(), answered=body, headers=headers), redactor)

    assert (after.response.body, after.response.headers) == (body, headers)


def test_a_body_that_nobody_can_read_is_withheld(redactor):
    headers = (("Content-Encoding", "br"), ("Content-Length", "9"))

    after = redact(
        with_bodies(samples.streamed(), answered=b"\x0b\x04secrets", headers=headers), redactor
    )

    assert (after.response.body, after.response.headers) == (b"", (("Content-Length", "0"),))
    assert {chunk.end for chunk in after.chunks} == {0}
    assert after.redaction["secrets"] == {"withheld": 1}
    assert redact(after, redactor) == after


def test_texts_around_the_bodies_are_redacted_too(redactor):
    before = samples.streamed()
    before = replace(
        before,
        error=f"cannot reach http://u:{PASSWORD}@h/",
        request=replace(
            before.request,
            uri=f"http://127.0.0.1:11434/api/chat/{TOKEN}",
            headers=(("User-Agent", f"agent {TOKEN}"),),
        ),
    )

    after = redact(before, redactor)

    assert PASSWORD.encode() not in to_line(after)
    assert TOKEN.encode() not in to_line(after)
    assert after.request.headers[0][1].startswith("agent ghp_")


def agent():
    """A loop in which a password is asked for, given, used and said again."""
    secret = {"user": "root", "password": PASSWORD}
    return tapes.loop(
        "log in for me",
        [
            (tapes.calls("read", path=".env"), tapes.result(f"PASSWORD={PASSWORD}\nTOKEN={TOKEN}")),
            (tapes.calls("login", **secret), tapes.result(f"welcome, token {TOKEN}")),
        ],
        tapes.says(f"I used {PASSWORD} and am in."),
    )


def test_a_redacted_tool_loop_stitches_as_it_did(redactor):
    plain, redacted = Stitcher(), Stitcher()
    exchanges = [redact(exchange, redactor) for exchange in agent()]

    placed = [redacted.add(exchange) for exchange in exchanges]

    assert placed == [plain.add(exchange) for exchange in agent()]
    assert [p.link for p in placed] == [Link.START, Link.NEXT, Link.NEXT]
    lines = b"".join(map(to_line, exchanges))
    assert PASSWORD.encode() not in lines
    assert TOKEN.encode() not in lines


def test_a_loop_goes_on_after_a_restart(redactor):
    """Another process with the same key puts in the same stand-ins."""
    first, second, third = agent()
    stitcher = Stitcher()

    placed = [
        stitcher.add(redact(exchange, by))
        for exchange, by in ((first, redactor), (second, redactor), (third, Redactor(bytes(32))))
    ]

    assert [p.link for p in placed] == [Link.START, Link.NEXT, Link.NEXT]


def test_an_answer_stands_in_the_next_history_as_it_was_given(redactor):
    """The stream brought the secret in pieces, the history brings it whole."""
    stand_in = redact(in_pieces(f"it is {TOKEN}."), redactor)
    said = wire.exchange_reply(stand_in).message["content"]
    history = [tapes.user("?"), tapes.says(f"it is {TOKEN}.")]

    after = redact(tapes.exchange(history, tapes.says("ok")), redactor)

    assert json.loads(after.request.body)["messages"][1]["content"] == said


def test_stock_vcrpy_replays_a_redacted_cassette(tmp_path, redactor):
    path = tmp_path / "redacted.yaml"
    with CassetteWriter(path) as writer:
        writer.append(redact(in_pieces(f"é it is {TOKEN}."), redactor))
    expected = wire.exchange_reply(load(path).exchanges[0]).message["content"]

    with vcr.use_cassette(str(path), record_mode="none"):
        client = ollama.Client(host="http://127.0.0.1:11434", trust_env=False)
        parts = client.chat("m", [{"role": "user", "content": "?"}], stream=True)
        said = "".join(part.message.content or "" for part in parts)

    assert said == expected
    assert TOKEN not in said
    assert len(said) == len(f"é it is {TOKEN}.")


def test_httpx_reads_a_redacted_body_by_its_length(tmp_path, redactor):
    path = tmp_path / "redacted.yaml"
    answer = json.dumps({"message": {"content": TOKEN}, "done": True}).encode()
    headers = (("Content-Type", "application/json"), ("Content-Length", str(len(answer))))
    with CassetteWriter(path) as writer:
        writer.append(
            redact(with_bodies(samples.whole(), answered=answer, headers=headers), redactor)
        )

    with vcr.use_cassette(str(path), record_mode="none"):
        reply = httpx.post(samples.URI, json={})

    assert int(reply.headers["content-length"]) == len(reply.content)
    assert TOKEN not in reply.text
