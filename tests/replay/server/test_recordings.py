"""A client asks, a recording answers, or it is said why none does."""

import json
import logging
from dataclasses import replace

import httpx
import pytest

from tests.proxy.harness import run
from tests.replay.server.harness import (
    MODEL,
    answered,
    asks,
    line,
    streamed,
    visited,
    whole,
    without_pin,
)
from tonearm.cassette import seal
from tonearm.model import Outcome
from tonearm.redaction import Redactor
from tonearm.replay.server.question import parse_pointer
from tonearm.replay.server.repertoire import Repeat

HISTORY = [{"role": "user", "content": f"message {n}"} for n in range(40)]


def talk(folder, exchanges, *bodies, path="/api/chat", **options):
    """Ask a server of the exchanges, and return the answers and the server."""

    async def scenario():
        async with visited(folder, *exchanges, **options) as (server, client):
            found = [await client.post(path, json=body) for body in bodies]
        return found, server.source

    return run(scenario())


def error(response):
    return response.json()["error"]


def test_a_miss_names_the_nearest_recording_and_what_differs(tmp_path):
    """In the error that the client shows; its status is none that clients try again after."""
    recorded = asks("q", options={"temperature": 0, "seed": 7})
    exchanges = [streamed(asks("other")), streamed(recorded), streamed(asks("more", think=True))]

    (answer,), source = talk(
        tmp_path, exchanges, recorded | {"options": {"temperature": 0.7, "seed": 7}}
    )

    assert answer.status_code == 400
    assert error(answer) == (
        "tonearm: no recording for POST /api/chat: it is nearest to a.yaml#1, from which it "
        "differs in: options.temperature: recorded 0, asked 0.7"
    )
    (miss,) = source.ledger.misses
    assert miss.lines() == [
        "no recording for POST /api/chat: it is nearest to a.yaml#1, from which it differs in",
        "  options.temperature: recorded 0, asked 0.7",
    ]


def test_a_long_history_is_recognised_by_its_messages(tmp_path):
    exchanges = [
        streamed({"model": MODEL, "messages": HISTORY[:n], "tools": []}) for n in (10, 20, 40)
    ]
    changed = [*HISTORY[:5], {"role": "user", "content": "changed"}, *HISTORY[6:20]]

    (answer,), _ = talk(tmp_path, exchanges, {"model": MODEL, "messages": changed, "tools": []})

    assert "a.yaml#1" in error(answer)
    assert 'messages[5].content: recorded "message 5", asked "changed"' in error(answer)


def test_of_recordings_equally_near_the_one_with_the_likest_words_is_named(tmp_path):
    exchanges = [streamed(asks(text)) for text in ("weather in Rome", "the capital of Peru", "x")]

    (answer,), _ = talk(tmp_path, exchanges, asks("the capital of Chile"))

    assert "a.yaml#1" in error(answer)


def test_a_miss_of_a_kind_that_was_not_recorded_says_what_was(tmp_path):
    exchanges = [streamed(asks("a")), streamed(asks("b"))]

    (answer,), _ = talk(tmp_path, exchanges, {"model": MODEL, "input": "a"}, path="/api/embed")

    assert error(answer) == (
        "tonearm: no recording for POST /api/embed: nothing of the kind was recorded; "
        "there are 2 of POST /api/chat"
    )


def test_a_model_that_is_not_there_is_ollamas_error_first(tmp_path):
    (answer,), source = talk(tmp_path, [streamed(asks("a"))], asks("a") | {"model": "nope"})

    assert answer.status_code == 404
    assert error(answer).startswith("model 'nope' not found; tonearm: no recording for POST")
    assert len(source.ledger.misses) == 1


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/v1/chat/completions", {"type": "invalid_request_error", "param": None, "code": None}),
        ("/v1/messages", {"type": "invalid_request_error"}),
    ],
)
def test_a_miss_has_the_form_of_the_interface_that_was_asked(tmp_path, path, shape):
    exchange = answered(asks("a"), 200, (), b"{}", path=path)

    (answer,), _ = talk(tmp_path, [exchange], asks("b"), path=path)

    body = answer.json()
    assert answer.status_code == 400
    assert body["error"].items() >= shape.items()
    assert "messages[0].content" in body["error"]["message"]
    assert (body.get("type"), "request_id" in body) == (
        ("error", True) if path == "/v1/messages" else (None, False)
    )


def test_stream_is_a_difference_where_an_answer_cannot_be_converted(tmp_path):
    path = "/v1/responses"
    exchange = answered(asks("a", stream=True), 200, (), b"data: [DONE]\n\n", path=path)

    (answer,), _ = talk(tmp_path, [exchange], asks("a"), path=path)

    assert answer.json()["error"]["message"].endswith("stream: recorded true, asked false")


def test_many_differences_are_counted_beyond_the_first(tmp_path):
    options = {f"o{n:02}": n for n in range(20)}

    (answer,), source = talk(
        tmp_path,
        [streamed(asks("a", options=options))],
        asks("a", options=dict.fromkeys(options, "x")),
    )

    assert error(answer).endswith("and 17 more")
    assert len(source.ledger.misses[0].lines()) == 12
    assert source.ledger.misses[0].lines()[-1] == "  and 10 more"


def test_a_miss_is_explained_although_the_cassette_has_gone(tmp_path):
    async def scenario():
        async with visited(tmp_path, streamed(asks("a"))) as (_, client):
            (tmp_path / "a.yaml").unlink()
            return await client.post("/api/chat", json=asks("b"))

    assert error(run(scenario())).endswith("the cassettes cannot be read any more")


def test_a_miss_is_explained_from_a_cassette_that_was_sealed_meanwhile(tmp_path):
    async def scenario():
        async with visited(tmp_path, streamed(asks("a"))) as (_, client):
            seal(tmp_path / "a.yaml")
            return await client.post("/api/chat", json=asks("b"))

    assert error(run(scenario())).endswith('recorded "a", asked "b"')


def test_a_body_that_is_no_json_is_explained_too(tmp_path):
    async def scenario():
        async with visited(tmp_path, streamed(asks("a"))) as (_, client):
            return await client.post("/api/chat", content=b'{"model": \xff\x1b[31m')

    text = error(run(scenario()))
    assert "a.yaml#0" in text
    assert text.isprintable()


def test_recorded_http_errors_come_again(tmp_path):
    exchange = whole(asks("a"), {"error": "engine died"}, status=500)

    (answer,), source = talk(tmp_path, [exchange], asks("a"))

    assert (answer.status_code, answer.json()) == (500, {"error": "engine died"})
    assert source.ledger.served == 1


def test_a_recorded_error_within_a_stream_comes_again(tmp_path):
    exchange = streamed(asks("a"), line("x"), b'{"error":"engine died"}\n')

    (answer,), _ = talk(tmp_path, [exchange], asks("a"))

    assert answer.status_code == 200
    assert answer.text.splitlines()[-1] == '{"error":"engine died"}'


def test_a_conversion_is_said_and_counted(tmp_path, caplog):
    (answer,), source = talk(tmp_path, [whole(asks("a", stream=False))], asks("a"))

    assert json.loads(answer.text.splitlines()[0])["message"]["content"] == "hello"
    assert "a.yaml#0 was recorded in one piece and is converted" in caplog.text
    assert (source.ledger.served, source.ledger.converted) == (1, 1)


def test_a_recording_that_the_server_did_not_break_off_is_named_when_played(tmp_path, caplog):
    broken = replace(
        streamed(asks("a"), line("x"), outcome=Outcome.CLIENT_ABORTED), error="Client disconnected."
    )

    async def scenario():
        async with visited(tmp_path, broken) as (_, client):
            with pytest.raises(httpx.RemoteProtocolError):
                await client.post("/api/chat", json=asks("a"))

    run(scenario())
    assert "a.yaml#0 breaks off: Client disconnected." in caplog.text


def test_a_request_asked_too_often_is_a_miss_that_says_so(tmp_path):
    (_, answer), _ = talk(
        tmp_path, [streamed(asks("a"))], *[asks("a")] * 2, stock={"repeat": Repeat.ONCE}
    )

    assert error(answer) == (
        "tonearm: no recording for POST /api/chat: it was recorded once, and that was served "
        "before (--repeat once)"
    )


def test_what_is_free_is_no_difference(tmp_path):
    stock = {"free": [parse_pointer("options.seed")]}
    exchanges = [streamed(asks("a", options={"seed": 1}))]

    (hit, miss), _ = talk(
        tmp_path, exchanges, *[asks(t, options={"seed": 2}) for t in "ab"], stock=stock
    )

    assert hit.status_code == 200
    assert "seed" not in error(miss)


def test_models_are_known_from_requests_where_there_are_no_pins(tmp_path):
    exchange = without_pin(streamed(asks("a")))

    (loaded, unknown), source = talk(tmp_path, [exchange], {"model": MODEL}, {"model": "nope"})

    assert loaded.json()["done_reason"] == "load"
    assert unknown.status_code == 404
    assert (source.ledger.standing, source.ledger.misses) == (2, [])


def test_a_recorded_answer_outdoes_one_from_the_pins(tmp_path):
    exchange = whole({"model": MODEL}, {"model": MODEL, "done": True, "done_reason": "recorded"})

    (answer,), _ = talk(tmp_path, [exchange], {"model": MODEL})

    assert answer.json()["done_reason"] == "recorded"


def test_answers_are_named_where_the_log_is_talkative(tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="tonearm"):
        talk(tmp_path, [streamed(asks("secret words"))], asks("secret words"))

    assert "POST /api/chat: a.yaml#0" in caplog.text
    assert "secret" not in caplog.text


SECRET = "sk-proj-" + "Zq7Rw2Xk9Lm4Vb8Nc3Hd6Tf1" * 2


def redacted(folder, text):
    """Return a recording as a shelf with a key of its own has it."""
    redactor = Redactor.of_shelf(folder)
    exchange = streamed(asks(text))
    body = redactor.request(exchange.request.body).body
    assert SECRET.encode() not in body
    request = replace(exchange.request, body=body)
    return replace(exchange, request=request, redaction={"secrets": {"openai_key": 1}})


def test_a_request_with_a_secret_is_known_by_its_stand_in(tmp_path):
    exchange = redacted(tmp_path, f"my key is {SECRET}")

    (hit, miss), _ = talk(
        tmp_path, [exchange], asks(f"my key is {SECRET}"), asks(f"your key is {SECRET}")
    )

    assert hit.status_code == 200
    assert "a.yaml#0" in error(miss)
    assert SECRET not in miss.text


def test_without_the_shelfs_key_it_is_said_that_secrets_hide_requests(tmp_path, caplog):
    exchange = redacted(tmp_path, f"my key is {SECRET}")

    (answer,), _ = talk(tmp_path / "elsewhere", [exchange], asks(f"my key is {SECRET}"))

    assert answer.status_code == 400
    assert "the shelf's key is not here" in caplog.text
    assert not (tmp_path / "elsewhere" / ".tonearm").exists()
