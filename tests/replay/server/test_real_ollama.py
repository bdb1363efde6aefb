"""The same client program against a real Ollama and against the recording of it."""

import os
import subprocess
import sys

import httpx
import pytest

from tests.engines import OLLAMA_VERSION, Ollama, ollama_binary
from tonearm.cassette import Shelf, find, load
from tonearm.replay.server.background import Background
from tonearm.replay.server.loading import load_stock
from tonearm.replay.server.recordings import Recordings

pytestmark = pytest.mark.ollama

LIMIT_S = 120.0

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a place.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}

CLIENT = f"""
import json, sys, ollama

TOOL = {TOOL!r}
MODEL = sys.argv[1]
OPTIONS = {{"num_predict": 24, "temperature": 0, "seed": 1}}

def say(value):
    print(json.dumps(value.model_dump(), sort_keys=True))

with ollama.Client() as client:
    history = [{{"role": "user", "content": "What is the weather in Paris?"}}]
    for turn in range(2):
        parts = list(client.chat(MODEL, history, tools=[TOOL], options=OPTIONS, stream=True))
        for part in parts:
            say(part)
        text = "".join(part.message.content or "" for part in parts)
        history += [{{"role": "assistant", "content": text}}, {{"role": "user", "content": "Why?"}}]
    say(client.chat(MODEL, history, options=OPTIONS, think=False))
    say(client.generate(MODEL, "Once upon a time", options=OPTIONS))
    for part in client.generate(MODEL, "Once", options=OPTIONS, stream=True, logprobs=True):
        say(part)
    for request in ({{"model": "nope"}}, {{"think": "much"}}, {{"options": {{"seed": "x"}}}}):
        try:
            client.chat(**{{"model": MODEL, "messages": history}} | request)
        except ollama.ResponseError as err:
            print(err.status_code, err.error)
"""


@pytest.fixture(scope="module")
def recorded(ollama: Ollama, tmp_path_factory):
    """A shelf on which a client's talk to a real server stands, and what the client printed."""
    shelf = tmp_path_factory.mktemp("shelf")
    return shelf, record(ollama, shelf, program(ollama.model))


def record(ollama, shelf, command, **env):
    """Run a client program through the recorder, and return what it printed."""
    args = ("--upstream", ollama.url, "--listen", "127.0.0.1:0", "--shelf", str(shelf))
    return output([sys.executable, "-m", "tonearm", "record", *args, "--", *command], **env)


def ran(command, server, **env):
    """Run a client program of the server, and return what it printed."""
    return output(command, **server.address.variables, **env)


def output(command, **env):
    done = subprocess.run(
        command,
        env=os.environ | {"NO_PROXY": "127.0.0.1"} | env,
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def program(model):
    return [sys.executable, "-c", CLIENT, model]


@pytest.fixture
def server(recorded):
    """A server of that shelf."""
    shelf, _ = recorded
    stock = load_stock(find([shelf]))
    with Background(Recordings(stock)) as running:
        running.recordings = list(stock.repertoire)
        yield running


def test_a_client_gets_the_same_objects(recorded, server, ollama):
    """Every field of them: times, counts and ids are those of the recording."""
    _, printed = recorded

    assert ran(program(ollama.model), server) == printed
    assert len(printed.splitlines()) > 10
    assert all(recording.served for recording in server.recordings)


def test_every_byte_is_that_of_the_recording(recorded, server):
    shelf, _ = recorded
    exchanges = [exchange for path in Shelf(shelf).paths() for exchange in load(path).exchanges]

    with httpx.Client(base_url=server.address.url, trust_env=False) as client:
        for exchange in exchanges:
            path = exchange.request.uri.split("/", 3)[3]
            answer = client.post(f"/{path}", content=exchange.request.body)
            sent = exchange.response
            assert (answer.status_code, answer.reason_phrase) == (sent.status, sent.reason)
            assert answer.headers.raw == [
                (name.encode(), value.encode()) for name, value in sent.headers
            ]
            assert answer.content == sent.body


def test_ollamas_own_command_lists_and_shows(server, ollama, tmp_path):
    """Its digest, context and capabilities come from the pins."""

    def command(*words):
        program = [str(ollama_binary(OLLAMA_VERSION)), *words]
        return ran(program, server, HOME=str(tmp_path), USERPROFILE=str(tmp_path))

    with httpx.Client(base_url=ollama.url, trust_env=False) as client:
        (model,) = [
            m for m in client.get("/api/tags").json()["models"] if m["name"] == ollama.model
        ]
    assert model["digest"][:12] in command("list")
    assert ollama.model in command("ps")
    shown = command("show", ollama.model)
    assert "gemma4" in shown
    assert "thinking" in shown
    assert "num_thread" in shown


def test_ollamas_own_command_runs_a_model(ollama, tmp_path):
    """With the requests that it makes before and beside the one for an answer."""
    words = [str(ollama_binary(OLLAMA_VERSION)), "run", ollama.model, "hi"]
    homes = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}

    printed = record(ollama, tmp_path / "shelf", words, **homes)

    stock = load_stock(find([tmp_path / "shelf"]))
    source = Recordings(stock)
    with Background(source) as running:
        assert ran(words, running, **homes) == printed
    assert printed.strip()
    assert (source.ledger.misses, stock.repertoire.unasked()) == ([], [])
