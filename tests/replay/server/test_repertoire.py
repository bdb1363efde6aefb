"""Which recording answers, and what happens when a request comes again."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.replay.server.harness import MODEL, answered, asks, last, line, streamed, whole
from tonearm.model import Outcome
from tonearm.replay.server.question import parse_pointer
from tonearm.replay.server.repertoire import Absent, Found, Repeat, Repertoire
from tonearm.replay.server.reply import Asked

CASSETTE = Path("a.yaml")
COUNTED = {"stream": True, "stream_options": {"include_usage": True}}
PROMPT = {"model": MODEL, "prompt": "a"}
WHOLE = b'{"model":"m","choices":[{"text":"b","index":0,"finish_reason":"stop"}]}'
STREAMED = b"data: %b\n\ndata: [DONE]\n\n" % WHOLE


def repertoire(*exchanges, **options):
    found = Repertoire(**options)
    for position, exchange in enumerate(exchanges):
        found.add(exchange, CASSETTE, position)
    return found


def asked(body, path="/api/chat", **more):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Asked(method="POST", target=path, path=path, body=text, **more)


def names(repertoire, *requests):
    """Return the recordings that answer requests, one after another; a reason where none does."""
    found = [repertoire.take(request) for request in requests]
    return [f.recording.name if isinstance(f, Found) else f.reason for f in found]


def test_a_request_is_found_however_it_is_spelled():
    found = repertoire(streamed(asks("a")), streamed(asks("b", options={"seed": 1})))
    other = b'{"options":{"seed":1.0}, "messages":[{"content":"b", "role":"user"}], "model":"%b"}'

    assert names(found, asked(other % MODEL.encode())) == ["a.yaml#1"]


def test_what_differs_is_absent():
    found = repertoire(streamed(asks("a")))

    assert names(found, asked(asks("A"))) == [None]
    assert names(found, asked(asks("a"), "/api/generate")) == [None]


def test_a_query_does_not_count():
    """Its values do not reach a cassette: they could be secrets."""
    found = repertoire(streamed(asks("a"), path="/api/chat?key=redacted"))

    assert names(found, asked(asks("a"))) == ["a.yaml#0"]


@pytest.mark.parametrize(
    ("repeat", "then"),
    [
        (Repeat.LAST, ["a.yaml#2", "a.yaml#2"]),
        (Repeat.CYCLE, ["a.yaml#0", "a.yaml#2"]),
        (
            Repeat.ONCE,
            ["it was recorded 2 times, and that was served before (--repeat once)"] * 2,
        ),
    ],
)
def test_recordings_of_one_request_come_in_order_and_then_again(repeat, then):
    found = repertoire(streamed(asks("a")), streamed(asks("b")), streamed(asks("a")), repeat=repeat)

    assert names(found, *[asked(asks("a"))] * 4) == ["a.yaml#0", "a.yaml#2", *then]


def test_another_spelling_of_a_request_takes_its_turn():
    found = repertoire(streamed(asks("a")), streamed(asks("a")))
    spelled = json.dumps(asks("a"), indent=1).encode()

    assert names(found, asked(asks("a")), asked(spelled)) == ["a.yaml#0", "a.yaml#1"]


def test_free_members_match_any_value():
    found = repertoire(
        streamed(asks("a", options={"seed": 1})), free=[parse_pointer("options.seed")]
    )

    assert names(found, asked(asks("a", options={"seed": 2}))) == ["a.yaml#0"]


def test_an_answer_of_the_other_form_is_converted_where_there_is_no_better_one():
    found = repertoire(whole(asks("a", stream=False)))

    taken = found.take(asked(asks("a")))

    assert taken.converted
    assert b'"done_reason":"stop"' in taken.framed.whole
    assert b"Transfer-Encoding: chunked" in taken.framed.whole


def test_an_answer_of_the_same_form_comes_first():
    found = repertoire(whole(asks("a", stream=False)), streamed(asks("a")))

    assert names(found, asked(asks("a")), asked(asks("a", stream=False))) == [
        "a.yaml#1",
        "a.yaml#0",
    ]


def test_recordings_of_one_request_come_in_the_order_of_their_time():
    """Cassettes of the same second come in any order."""
    late, early = (
        replace(streamed(asks("a")), started_at=f"2026-11-21T11:18:28.{ms}+00:00")
        for ms in ("585", "529")
    )
    found = repertoire(late, early, late)

    assert names(found, *[asked(asks("a"))] * 3) == ["a.yaml#1", "a.yaml#0", "a.yaml#2"]


@pytest.mark.parametrize(
    ("wanted", "recorded", "first"),
    [
        ({}, [COUNTED, {"stream": True}], "a.yaml#0"),
        ({}, [{"stream": True}, COUNTED], "a.yaml#1"),
        ({"stream": True}, [{}, COUNTED], "a.yaml#1"),
        (COUNTED, [{"stream": True}, {}], "a.yaml#1"),
        (COUNTED, [{"stream": True}], "a.yaml#0"),
    ],
)
def test_of_other_forms_the_one_that_tells_more_comes_first(wanted, recorded, first):
    """With the counts, and if there is a choice in pieces."""
    path = "/v1/completions"
    exchanges = [
        answered(PROMPT | form, 200, (), STREAMED if form else WHOLE, path=path)
        for form in recorded
    ]

    assert names(repertoire(*exchanges), asked(PROMPT | wanted, path)) == [first]


def test_other_endpoints_are_not_converted():
    body = {"model": "m", "input": "a"}
    found = repertoire(answered(body | {"stream": True}, 200, (), b"data: 1", path="/v1/responses"))

    assert names(found, asked(body, "/v1/responses")) == [None]


def test_a_stream_that_broke_off_cannot_be_had_in_one_piece():
    found = repertoire(streamed(asks("a"), line("x"), outcome=Outcome.UPSTREAM_ABORTED))

    (reason,) = names(found, asked(asks("a", stream=False)))

    assert reason.startswith("a.yaml#0 cannot be had in one piece")


@pytest.mark.parametrize("outcome", [Outcome.CLIENT_ABORTED, Outcome.PROXY_STOPPED])
def test_what_the_server_did_not_break_off_is_played_only_for_want_of_a_whole_one(outcome):
    """A client that went away and asked again has never seen a broken answer."""
    broken = streamed(asks("a"), line("x"), outcome=outcome)

    assert names(repertoire(broken), asked(asks("a"))) == ["a.yaml#0"]
    both = repertoire(broken, streamed(asks("a")))
    assert names(both, asked(asks("a")), asked(asks("a"))) == ["a.yaml#1", "a.yaml#1"]
    assert both.unasked() == []


def test_failures_of_the_server_come_in_their_turn():
    failed = streamed(asks("a"), line("x"), outcome=Outcome.UPSTREAM_ABORTED)
    found = repertoire(failed, streamed(asks("a")))

    assert names(found, *[asked(asks("a"))] * 2) == ["a.yaml#0", "a.yaml#1"]


@pytest.mark.parametrize(
    ("status", "outcome"), [(499, Outcome.CLIENT_ABORTED), (42, Outcome.COMPLETE)]
)
def test_what_has_no_answer_is_not_played_and_says_why(status, outcome):
    silent = answered(asks("a"), status, (), b"", outcome=outcome, error="Client disconnected.")
    found = repertoire(silent)

    (reason,) = names(found, asked(asks("a")))

    assert reason == "a.yaml#0 has no answer that could be played: Client disconnected."
    assert found.unasked() == []


def test_what_was_never_asked_for_is_known():
    found = repertoire(streamed(asks("a")), streamed(asks("b")), streamed(asks("a")))
    names(found, asked(asks("a")))

    assert [recording.name for recording in found.unasked()] == ["a.yaml#1", "a.yaml#2"]


def test_a_recording_that_is_added_later_is_found():
    found = repertoire(streamed(asks("a"), last()))
    assert isinstance(found.take(asked(asks("b"))), Absent)

    found.add(streamed(asks("b")), CASSETTE, 1)

    assert names(found, asked(asks("b"))) == ["a.yaml#1"]


def test_bodies_that_were_asked_are_not_kept():
    """Histories would fill the memory many times over."""
    found = repertoire(streamed(asks("x" * 1000)))

    assert [r.exchange.request.body for r in found] == [b""]
    assert [r.body for r in found] == [None]
