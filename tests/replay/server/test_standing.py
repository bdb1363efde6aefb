"""What clients ask besides inference, beside what Ollama 0.24.0 answered."""

import json
from datetime import UTC, datetime

import pytest

from tests.proxy.harness import run
from tests.replay.server.harness import MODEL, PIN
from tonearm.model import Pin
from tonearm.replay.server.lineup import NO_DIGEST, Lineup
from tonearm.replay.server.reply import Asked
from tonearm.replay.server.standing import NOT_RECORDED, Standing

NOW = datetime(2026, 11, 21, 11, 18, 28, 147123, tzinfo=UTC)


def standing(*pins):
    lineup = Lineup()
    for pin in pins or (PIN,):
        lineup.add(pin)
    return Standing(lineup, now=lambda: NOW)


def ask(method, path, body=None, *, of=None):
    text = b"" if body is None else json.dumps(body).encode()
    asked = Asked(method=method, target=path, path=path, body=text)
    return (of or standing()).answer(asked)


class Wire:
    """Keeps what is written."""

    def __init__(self):
        self.data = b""

    async def write(self, data):
        self.data += data


def sent(reply):
    """Return status, header fields without the date, and body of a reply as it goes out."""
    wire = Wire()
    run(reply.send(wire))
    head, body = wire.data.decode().split("\r\n\r\n", 1)
    first, *lines = head.split("\r\n")
    fields = [line for line in lines if not line.startswith("Date: ")]
    assert len(fields) == len(lines) - 1
    return int(first.split(" ")[1]), fields, body


@pytest.mark.parametrize(
    ("method", "path", "status", "fields", "body"),
    [
        ("GET", "/", 200, ["Content-Type: text/plain; charset=utf-8"], "Ollama is running"),
        (
            "GET",
            "/api/version",
            200,
            ["Content-Type: application/json; charset=utf-8"],
            '{"version":"0.24.0"}',
        ),
        ("GET", "/nope", 404, ["Content-Type: text/plain"], "404 page not found"),
        ("GET", "/api", 404, ["Content-Type: text/plain"], "404 page not found"),
        ("HEAD", "/nope", 404, ["Content-Type: text/plain"], "404 page not found"),
        (
            "GET",
            "/api/chat",
            405,
            ["Allow: POST", "Content-Type: text/plain"],
            "405 method not allowed",
        ),
        (
            "POST",
            "/api/tags",
            405,
            ["Allow: HEAD, GET", "Content-Type: text/plain"],
            "405 method not allowed",
        ),
        (
            "HEAD",
            "/api/ps",
            405,
            ["Allow: GET", "Content-Type: text/plain"],
            "405 method not allowed",
        ),
        (
            "GET",
            "/api/tags/",
            301,
            ["Location: /api/tags", "Content-Type: text/html; charset=utf-8"],
            '<a href="/api/tags">Moved Permanently</a>.\n\n',
        ),
        ("POST", "/api/chat/", 307, ["Location: /api/chat"], ""),
        (
            "POST",
            "/api/show",
            400,
            ["Content-Type: application/json; charset=utf-8"],
            '{"error":"missing request body"}',
        ),
    ],
)
def test_answers_that_need_no_model_are_those_of_ollama(method, path, status, fields, body):
    found = sent(ask(method, path))

    assert found == (status, [*fields, f"Content-Length: {len(body)}"], body)


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("/api/show", {}, 400, "model is required"),
        ("/api/show", {"model": "nope"}, 404, "model 'nope' not found"),
        ("/api/chat", {"model": "nope"}, 404, "model 'nope' not found"),
        ("/api/generate", {"model": "nope"}, 404, "model 'nope' not found"),
    ],
)
def test_errors_that_need_no_model_are_those_of_ollama(path, body, status, error):
    assert sent(ask("POST", path, body))[::2] == (
        status,
        json.dumps({"error": error}, separators=(",", ":")),
    )


def test_an_unknown_model_in_openais_form():
    status, _, body = sent(ask("GET", "/v1/models/nope"))

    error = json.loads(body)["error"]
    assert status == 404
    assert error == {
        "message": "model 'nope' not found",
        "type": "not_found_error",
        "param": None,
        "code": None,
    }


@pytest.mark.parametrize(
    ("version", "asked", "called"),
    [
        ("0.24.0", "nope", "nope"),
        ("0.33.0", "nope", "nope:latest"),
        ("0.33.0", "nope:7b", "nope:7b"),
        ("0.30.0-rc1", "nope", "nope:latest"),
        (None, "nope", "nope:latest"),
    ],
)
def test_a_missing_model_is_called_what_the_recorded_version_calls_it(version, asked, called):
    of = standing(Pin(model=MODEL, server_version=version))

    shown = json.loads(sent(ask("POST", "/api/show", {"model": asked}, of=of))[2])
    listed = json.loads(sent(ask("GET", f"/v1/models/{asked}", of=of))[2])
    loaded = json.loads(sent(ask("POST", "/api/chat", {"model": asked}, of=of))[2])

    assert shown["error"] == listed["error"]["message"] == f"model '{called}' not found"
    assert loaded["error"] == f"model '{asked}' not found"


def test_models_are_listed_from_their_pins():
    status, fields, body = sent(ask("GET", "/api/tags"))

    assert status == 200
    assert json.loads(body) == {
        "models": [
            {
                "name": MODEL,
                "model": MODEL,
                "digest": PIN.digest,
                "details": {
                    "family": "gemma4",
                    "families": ["gemma4"],
                    "parameter_size": "1.54M",
                },
            }
        ]
    }
    assert f"{NOT_RECORDED}: modified_at, size" in fields


def test_a_model_of_which_only_the_name_is_known_is_listed_with_that():
    (entry,) = json.loads(sent(ask("GET", "/api/tags", of=standing(Pin(model="m"))))[2])["models"]

    assert entry == {"name": "m:latest", "model": "m:latest", "digest": NO_DIGEST, "details": {}}


def test_loaded_models_are_those_that_were_loaded():
    of = standing(PIN, Pin(model="other"))

    (entry,) = json.loads(sent(ask("GET", "/api/ps", of=of))[2])["models"]

    assert (entry["name"], entry["context_length"]) == (MODEL, 4096)


@pytest.mark.parametrize("key", ["model", "name"])
def test_a_model_is_shown_as_far_as_it_is_known(key):
    _, fields, body = sent(ask("POST", "/api/show", {key: MODEL}))

    shown = json.loads(body)
    assert shown["capabilities"] == ["completion", "tools", "thinking"]
    assert shown["model_info"] == {"general.architecture": "gemma4"}
    assert "template" not in shown
    assert shown["modelfile"].splitlines()[1:] == [
        "RENDERER gemma4",
        "PARSER gemma4",
        "PARAMETER num_thread 1",
        'PARAMETER stop "<turn|>"',
    ]
    assert any(field.startswith(f"{NOT_RECORDED}: ") and "template" in field for field in fields)


def test_the_pin_of_the_answers_is_the_pin_that_they_were_made_from():
    """A recorder in front of the server pins what it would pin in front of the real one."""
    from tonearm import wire

    def body(method, path, text=None):
        return json.loads(sent(ask(method, path, text))[2])

    found = wire.pin(
        MODEL,
        version=body("GET", "/api/version"),
        show=body("POST", "/api/show", {"model": MODEL}),
        tags=body("GET", "/api/tags"),
        ps=body("GET", "/api/ps"),
    )

    assert found == PIN


def test_openais_list_has_the_same_models():
    assert sent(ask("GET", "/v1/models"))[2] == (
        '{"object":"list","data":[{"id":"gemma4:e2b","object":"model","owned_by":"library"}]}\n'
    )
    assert json.loads(sent(ask("GET", f"/v1/models/{MODEL}"))[2])["id"] == MODEL


@pytest.mark.parametrize(
    ("path", "body", "said", "reason"),
    [
        ("/api/chat", {}, {"message": {"role": "assistant", "content": ""}}, "load"),
        ("/api/chat", {"messages": []}, {"message": {"role": "assistant", "content": ""}}, "load"),
        ("/api/generate", {"prompt": ""}, {"response": ""}, "load"),
        ("/api/generate", {"keep_alive": 0}, {"response": ""}, "unload"),
        ("/api/generate", {"keep_alive": "0s"}, {"response": ""}, "unload"),
        ("/api/generate", {"keep_alive": "10m"}, {"response": ""}, "load"),
        ("/api/generate", {"keep_alive": -1}, {"response": ""}, "load"),
    ],
)
def test_loading_and_unloading_a_known_model_succeeds(path, body, said, reason):
    found = json.loads(sent(ask("POST", path, {"model": MODEL} | body))[2])

    assert found == {
        "model": MODEL,
        "created_at": "2026-11-21T11:18:28.147123Z",
        **said,
        "done": True,
        "done_reason": reason,
    }


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/chat", {"model": MODEL, "messages": [{"role": "user", "content": "hi"}]}),
        ("POST", "/api/generate", {"model": MODEL, "prompt": "hi"}),
        ("POST", "/api/chat", {"model": 7}),
        ("POST", "/api/embed", {"model": MODEL, "input": "hi"}),
        ("POST", "/v1/chat/completions", {"model": MODEL}),
        ("HEAD", "/api/blobs/sha256:00", None),
    ],
)
def test_what_only_an_engine_can_answer_is_left_to_the_source(method, path, body):
    assert ask(method, path, body) is None


def test_a_version_that_no_recording_tells_is_not_made_up():
    status, _, body = sent(ask("GET", "/api/version", of=standing(Pin(model="m"))))

    assert status == 404
    assert "no recording says which version" in json.loads(body)["error"]


def test_the_last_pin_that_says_something_counts():
    later = Pin(model=MODEL, server_version="0.33.0", digest="d2")
    of = standing(PIN, later, Pin(model=MODEL))

    (entry,) = json.loads(sent(ask("GET", "/api/tags", of=of))[2])["models"]

    assert entry["digest"] == "d2"
    assert json.loads(sent(ask("GET", "/api/version", of=of))[2]) == {"version": "0.33.0"}
