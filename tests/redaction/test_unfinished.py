"""What of an unfinished answer may be written."""

import json
import random

import pytest

from tonearm.redaction import Redactor
from tonearm.redaction.unfinished import HELD_BYTES, settled_end

SECRETS = {
    "a key": "ghp_" + "a1B2c3D4e5" * 4,
    "a long word": "eyJhbGciOiJIUzI1NiJ9." + "q9Z" * 200 + "." + "s7" * 40,
    "a card": "4111 1111 1111 1111",
    "an account": "DE89 3704 0044 0532 0130 00",
    "a password": "password: hunter2isnotsafe99",
    "a private key": "-----BEGIN RSA PRIVATE KEY-----\n"
    + "\n".join("MIIEpAIBAAKCAQEA7bq8vZ4xQ2mYcR0uW5tJ1kLpNfGhSdXaEoIyUbTz" for _ in range(9))
    + "\n-----END RSA PRIVATE KEY-----",
}


def ollama(pieces, field="content"):
    return b"".join(
        json.dumps({"message": {"role": "assistant", field: piece}, "done": False}).encode() + b"\n"
        for piece in pieces
    )


def events(pieces):
    return b"".join(
        b"data: "
        + json.dumps({"choices": [{"index": 0, "delta": {"content": p}}]}).encode()
        + b"\n\n"
        for p in pieces
    )


def cut_up(text, chance):
    pieces = []
    while text:
        size = chance.randint(1, 7)
        pieces.append(text[:size])
        text = text[size:]
    return pieces


def text_of(body):
    lines = [line.removeprefix(b"data: ") for line in body.split(b"\n") if line.strip()]
    values = [json.loads(line) for line in lines]
    return "".join(
        v["message"]["content"] if "message" in v else v["choices"][0]["delta"]["content"]
        for v in values
    )


def words(text, size=6):
    return {text[n : n + size] for n in range(len(text) - size + 1)}


@pytest.mark.parametrize("stream", [ollama, events])
@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_no_part_of_a_secret_is_settled_while_it_grows(stream, secret):
    """Every state of the answer is redacted and cut, as a journal does it."""
    chance = random.Random(3)
    before, after = "It says this. " * 40, " and then it goes on for a while." * 20
    pieces = cut_up(before + secret + after, chance)
    redactor = Redactor(b"k" * 32)
    hidden = secret.removeprefix("password: ")
    forbidden = words(hidden) - words("-----BEGIN RSA PRIVATE KEY-----\n-----END")
    seen = ""
    for n in range(1, len(pieces) + 1, 4):
        body = stream(pieces[:n])
        lines = body.count(b"\n", 0, settled_end(body))
        clean = redactor.response(body).body
        seen = text_of(b"\n".join(clean.split(b"\n")[:lines]))
        assert not forbidden & words(seen)

    assert seen.startswith(before)
    assert len(seen) > len(before + secret), "what has ended is settled"


def test_the_end_of_an_answer_is_kept_back():
    body = ollama(["some "] * 200)

    kept = body[: settled_end(body)]

    assert kept.endswith(b"}\n")
    assert 0 <= len("some " * 200) - len(text_of(kept)) - HELD_BYTES <= 5


def test_a_word_that_has_not_ended_is_kept_back_whatever_its_length():
    body = ollama(["some "] * 200 + ["x" * 50] * 100)

    assert text_of(body[: settled_end(body)]) == "some " * 199


def test_thoughts_are_settled_once_they_have_ended():
    thoughts = ollama(["thinking"] * 100, field="thinking")
    body = thoughts + ollama(["word "] * 100)

    assert settled_end(body) > len(thoughts)


@pytest.mark.parametrize(
    "body",
    [b"", b'{"message": {"content": "all at once', b"\x1f\n{", b'{"a": 1}\n{"b": 2}\n'],
)
def test_of_what_is_no_stream_of_text_nothing_is_settled(body):
    assert settled_end(body) == 0


def test_a_line_that_has_not_ended_is_kept_back():
    body = ollama(["some "] * 200)

    assert settled_end(body + b'{"message": {"content": "ghp_abc') <= len(body)
