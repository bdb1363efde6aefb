"""A recording as an arm."""

import asyncio
import json

from tonearm.arms import recorded
from tonearm.model import (
    ChatRequest,
    Exchange,
    HttpRequest,
    HttpResponse,
    Layer,
    Outcome,
    Pin,
    Turn,
)

BODY = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


def turn(reply, *, status=200, index=0, **fields):
    data = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
    exchange = Exchange(
        request=HttpRequest(method="POST", uri="http://h/api/chat"),
        response=HttpResponse(status=status, body=data),
        **fields,
    )
    return Turn(
        cassette="t",
        conversation=0,
        index=index,
        request=ChatRequest(body=BODY),
        exchange=exchange,
    )


def reply(content, **more):
    return {"message": {"role": "assistant", "content": content}, "done": True, **more}


def test_what_was_recorded_is_the_take():
    pin = Pin(model="m", server_version="1")

    take = recorded.take(turn(reply("x", eval_duration=2_000_000_000), pin=pin).exchange)

    assert (take.arm, take.answer.content) == ("recorded", "x")
    assert (take.pin.server_version, take.pin.options["temperature"]) == ("1", 0.8)
    assert take.timing.decode_s == 2.0
    assert set(take.blind) == {Layer.RENDER, Layer.DECODE}


def test_log_probs_that_the_client_asked_for_show_the_completion():
    tokens = [{"token": "<|turn>", "logprob": -1.0}]

    take = recorded.take(turn(reply("x", logprobs=tokens)).exchange)

    assert take.decoded.completion == "<|turn>"
    assert Layer.DECODE not in take.blind


def test_a_recording_that_broke_off_has_no_answer_and_says_why():
    cut = turn(
        b'{"message":{"content":"par', outcome=Outcome.CLIENT_ABORTED, error="client went away"
    )

    take = recorded.take(cut.exchange)

    assert take.error == "client_aborted: client went away"
    assert take.answer is None


def test_a_recorded_refusal_keeps_the_servers_words():
    take = recorded.take(turn({"error": "model 'm' not found"}, status=404).exchange)

    assert (take.error, take.wire.status) == ("model 'm' not found", 404)


def test_a_recorded_page_that_is_not_ollamas_is_an_error():
    assert "is not JSON" in recorded.take(turn(b"<html>", status=502).exchange).error


def test_the_same_request_is_answered_in_recorded_order():
    arm = recorded.Recorded([turn(reply("one")), turn(reply("two"), index=1)])

    async def main():
        return [(await arm.play(ChatRequest(body=BODY))).answer.content for _ in range(3)]

    assert asyncio.run(main()) == ["one", "two", "two"]


def test_a_request_that_was_not_recorded_has_no_answer():
    arm = recorded.Recorded([])

    assert asyncio.run(arm.play(ChatRequest(body=BODY))).error == "this request was not recorded"
