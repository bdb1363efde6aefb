"""Bodies lose their secrets and nothing else, request after request."""

import json

import pytest

from tests.redaction.generator import ndjson
from tonearm.redaction import Redactor
from tonearm.redaction.edits import apply

PASSWORD = "Harbor!x81kQ2"
TOKEN = "ghp_" + "a1B2" * 9


@pytest.fixture
def redactor():
    return Redactor(bytes(32))


def body(*messages: dict, **more) -> bytes:
    return json.dumps({"model": "m", "messages": messages, **more}, ensure_ascii=False).encode()


def user(text: str) -> dict:
    return {"role": "user", "content": text}


def test_a_body_without_secrets_is_the_very_same_object(redactor):
    harmless = body(user("how many r are in strawberry? é"))

    redacted = redactor.request(harmless)

    assert redacted.body is harmless
    assert (redacted.edits, redacted.found) == ((), {})
    assert redactor.response(harmless).body is harmless


def test_only_the_bytes_of_the_secret_change(redactor):
    before = body(user(f"é use {TOKEN} 🎬"))

    redacted = redactor.request(before)

    (edit,) = redacted.edits
    assert before[edit.start : edit.end].decode() == TOKEN
    assert redacted.body == apply(before, redacted.edits)
    assert len(redacted.body) == len(before)
    assert redacted.found == {"github_token": 1}


def test_the_same_secret_has_the_same_stand_in_in_every_spelling(redactor):
    """Escaped, in an address, cut to pieces: it means the same everywhere, and does so after."""
    card = "5513 6819 5738 7448"
    texts = [
        body(user(f"card {card}")),
        body(user("https://h/?api_key=5513%206819%205738%207448&x=y")),
        body(user("@")).replace(b"@", b"\\u0035513 6819 5738 744\\u0038"),
        json.dumps({"tool_calls": [{"arguments": json.dumps({"n": card})}]}).encode(),
    ]

    found = {_digits(redactor.request(text).body.decode()) for text in texts}

    assert len(found) == 1
    assert found != {card.replace(" ", "")}


def _digits(text: str) -> str:
    return "".join(c for c in text.replace("%20", "") if c.isdigit())


def test_a_history_that_comes_again_is_redacted_as_before(redactor):
    long = "lorem ipsum " * 200
    first = [user(f"{long} password: {PASSWORD}")]
    second = [*first, {"role": "assistant", "content": "ok"}, user(f"{long} and now?")]

    once = json.loads(redactor.request(body(*first)).body)
    again = json.loads(redactor.request(body(*second)).body)
    other = json.loads(Redactor(bytes(32)).request(body(*second)).body)

    assert again["messages"][:1] == once["messages"]
    assert again == other
    assert PASSWORD not in json.dumps(again)


def test_a_password_is_found_again_where_nothing_gives_it_away(redactor):
    redacted = redactor.request(body(user(f"password: {PASSWORD}"), user(f"I typed {PASSWORD}.")))
    answer = redactor.response(ndjson(_Pieces(), f"So {PASSWORD} it is", "content").encode())

    said = "".join(json.loads(line)["message"]["content"] for line in answer.body.splitlines())
    assert PASSWORD not in redacted.body.decode()
    assert redacted.found["password"] == 2
    assert said[3:16] == json.loads(redacted.body)["messages"][1]["content"][8:21]


class _Pieces:
    """Cuts every two characters."""

    def randint(self, low: int, high: int) -> int:
        return 2


def test_a_secret_that_comes_in_pieces_leaves_every_line_valid(redactor):
    text = f'é "{TOKEN}" \\ 🎬'
    before = ndjson(_Pieces(), text, "thinking").encode()

    redacted = redactor.response(before)

    lines = [json.loads(line) for line in redacted.body.splitlines()]
    said = "".join(line["message"].get("thinking", "") for line in lines)
    assert len(lines) == len(before.splitlines())
    assert (said[:3], said[-5:], len(said)) == (text[:3], text[-5:], len(text))
    assert TOKEN not in said
    assert redacted.found == {"github_token": 1}


def test_log_probs_do_not_tell_what_the_text_no_longer_says(redactor):
    entries = [{"token": c, "logprob": -0.1, "bytes": list(c.encode())} for c in TOKEN]
    answer = {"message": {"role": "assistant", "content": TOKEN}, "logprobs": entries, "done": True}
    harmless = answer | {"message": {"role": "assistant", "content": "hello"}}

    assert json.loads(redactor.response(json.dumps(answer).encode()).body)["logprobs"] == []
    kept = json.dumps(harmless).encode()
    assert redactor.response(kept).body is kept


def test_token_ids_of_a_prompt_with_a_secret_are_taken_out_of_what_follows(redactor):
    """A client of ``/api/generate`` sends back the ids that it got, and they spell the prompt."""
    ids = list(range(100, 140))
    asked = redactor.request(json.dumps({"prompt": f"password: {PASSWORD}"}).encode())
    answer = json.dumps({"response": "ok", "done": True, "context": ids}).encode()

    answered = redactor.response(answer, asked=bool(asked.found))
    follow_up = redactor.request(json.dumps({"prompt": "more", "context": ids}).encode())

    assert json.loads(answered.body)["context"] == []
    assert json.loads(follow_up.body)["context"] == []
    assert follow_up.found == {"token_ids": 1}


def test_token_ids_of_a_harmless_prompt_stay(redactor):
    answer = json.dumps({"response": "ok", "context": list(range(40))}).encode()

    assert redactor.response(answer).body is answer


def test_findings_of_a_text_say_where_in_characters():
    text = f"é🎬 token: {TOKEN}"

    redacted, (finding,) = Redactor(bytes(32)).text(text)

    assert (finding.kind, finding.spans) == ("github_token", ((10, 50),))
    assert redacted[:10] == text[:10]


def test_other_keys_make_other_stand_ins():
    text = f"token: {TOKEN}"

    assert Redactor(bytes(32)).text(text)[0] != Redactor(b"o" * 32).text(text)[0]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\\",
        "\ud800",
        "\0",
        "{",
        '{"a',
        '"\\u12',
        "%",
        "%zz",
        "data:",
        "=" * 50,
        "a@b",
        "\\u0000n",
    ],
)
def test_odd_texts_come_back(text):
    assert Redactor(bytes(32)).text(text) == (text, [])


def test_an_image_with_a_secret_keeps_its_pixels_and_loses_the_rest(redactor):
    from tests.redaction.test_images import decoded, picture

    before = picture("PNG", comment=f"token: {TOKEN}")
    label = "data:image/png;base64,"
    request = body({"role": "user", "images": [_b64(before)], "url": label + _b64(before)})

    message = json.loads(redactor.request(request).body)["messages"][0]

    after = _unb64(message["images"][0])
    assert decoded(after) == decoded(before)
    assert TOKEN.encode() not in after
    assert message["url"] == "data:image/webp;base64," + message["images"][0]


def _b64(data: bytes) -> str:
    import base64

    return base64.b64encode(data).decode()


def _unb64(text: str) -> bytes:
    import base64

    return base64.b64decode(text)


def test_of_a_long_text_in_base64_only_the_secret_changes(redactor):
    text = "a harmless line\n" * 100 + f"token: {TOKEN}\n"

    redacted = redactor.request(body(user(_b64(text.encode()))))

    after = _unb64(json.loads(redacted.body)["messages"][0]["content"]).decode()
    assert after[:1600] == text[:1600]
    assert TOKEN not in after
