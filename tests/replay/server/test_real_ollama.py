"""The same client program against a real Ollama and against the recording of it.

The programs in ``tests/clients`` print every object that their client gives them. Each runs behind
``tonearm record``, then again where ``tonearm serve`` is all there is, and prints the same.
"""

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from tempfile import TemporaryFile

import httpx
import pytest

from tests.clients.installed import program
from tests.engines import OLLAMA_VERSION, OLLAMA_VERSIONS, ollama_binary, start_ollama
from tonearm.cassette import Shelf, load
from tonearm.proxy.address import parse_upstream

pytestmark = [
    pytest.mark.ollama,
    pytest.mark.skipif(os.name == "nt", reason="signals of this kind are POSIX"),
]

LIMIT_S = 300.0
TONEARM = (sys.executable, "-m", "tonearm")
ANYWHERE = ("--listen", "127.0.0.1:0")

PROGRAMS = [
    ("ollama", "ollama_sync.py"),
    ("ollama", "ollama_async.py"),
    ("node", "ollama.mjs"),
    ("openai", "openai_v1.py"),
    ("anthropic", "anthropic_v1.py"),
    ("langchain-ollama", "langchain_chat.py"),
    ("litellm", "litellm_chat.py"),
    ("pydantic-ai", "pydantic_agent.py"),
    ("curl", "curl.sh"),
]


@pytest.fixture(scope="module")
def ollama(tmp_path_factory):
    """A server of its own: clients list its models, and those of other tests are not recorded."""
    with start_ollama(home=tmp_path_factory.mktemp("ollama")) as server:
        yield server


@pytest.mark.parametrize(("group", "name"), PROGRAMS, ids=[name for _, name in PROGRAMS])
def test_a_client_cannot_tell_recordings_from_ollama(ollama, tmp_path, group, name):
    """Every field of what it gets: times, counts and ids are those of the recording."""
    command = [*program(group, name), ollama.model]

    printed = record(ollama, tmp_path, command)

    with served(tmp_path, "--strict") as url:
        assert output(command, **parse_upstream(url).variables).splitlines() == printed.splitlines()
    assert len(printed.splitlines()) >= 3


def test_ollamas_own_command_cannot_tell(ollama, tmp_path):
    """With the requests that it makes before and beside the one for an answer."""
    shelf = tmp_path / "shelf"
    env = {"HOME": str(tmp_path), "USERPROFILE": str(tmp_path)}
    run, listed, loaded, shown = (
        [str(ollama_binary(OLLAMA_VERSION)), *words]
        for words in (("run", ollama.model, "hi"), ("list",), ("ps",), ("show", ollama.model))
    )

    printed = record(ollama, shelf, run, **env)
    real = [output(command, OLLAMA_HOST=ollama.url, **env) for command in (listed, loaded, shown)]
    with served(shelf, "--strict") as url:
        again = output(run, OLLAMA_HOST=url, **env)
        found = [output(command, OLLAMA_HOST=url, **env) for command in (listed, loaded, shown)]

    assert again == printed
    assert printed.strip()
    for ours, theirs in zip(found[:2], real[:2], strict=True):  # sizes and ages are not recorded
        assert [row.split()[:2] for row in ours.splitlines()] == [
            row.split()[:2] for row in theirs.splitlines()
        ]
    assert " 4096 " in found[1]
    ours, theirs = map(sections, (found[2], real[2]))
    known = {name: value for name, value in ours["Model"].items() if value}
    assert known.items() <= theirs["Model"].items()
    assert known.keys() >= {"architecture", "parameters"}
    assert (ours["Capabilities"], ours["Parameters"]) == (
        theirs["Capabilities"],
        theirs["Parameters"],
    )


@pytest.mark.parametrize("version", OLLAMA_VERSIONS)
def test_a_missing_model_is_called_what_that_version_calls_it(ollama_server, tmp_path, version):
    ollama = ollama_server(version)
    record(ollama, tmp_path, [*program("curl", "curl.sh"), ollama.model])

    def errors(url):
        with httpx.Client(base_url=url, trust_env=False) as client:
            answers = [
                *(client.post("/api/show", json={"model": name}) for name in ("x", "x:7b")),
                *(client.get(f"/v1/models/{name}") for name in ("x", "x:7b")),
                client.post("/api/chat", json={"model": "x"}),
                client.post("/api/generate", json={"model": "x"}),
            ]
        return [
            (answer.status_code, answer.headers["Content-Type"], answer.content)
            for answer in answers
        ]

    with served(tmp_path) as url:
        assert errors(url) == errors(ollama.url)


def sections(text):
    """Return what ``ollama show`` prints, by section and first word."""
    found = {}
    for block in text.strip().split("\n\n"):
        title, *lines = block.splitlines()
        rows = (line.strip().partition("  ") for line in lines)
        found[title.strip()] = {name: value.strip() for name, _, value in rows}
    return found


def test_what_ollama_answers_on_a_miss_is_served_without_it_from_then_on(ollama, tmp_path):
    """The first run records through the server, the second has only what it left behind."""
    shelf = tmp_path / "shelf"
    command = [*program("ollama", "ollama_sync.py"), ollama.model]

    with served(shelf, "--on-miss", "record", "--upstream", ollama.url) as url:
        printed = output(command, **parse_upstream(url).variables)
    with served(shelf, "--strict") as url:
        assert output(command, **parse_upstream(url).variables) == printed


def record(ollama, shelf, command, **env):
    """Run a client program through the recorder, and return what it printed."""
    args = ("--upstream", ollama.url, *ANYWHERE, "--shelf", str(shelf))
    return output([*TONEARM, "record", *args, "--", *command], **env)


@contextmanager
def served(shelf, *options):
    """Serve a shelf; where that is to be strict, all of it has to be asked for, and no more."""
    command = [*TONEARM, "serve", shelf, *ANYWHERE, "--speed", "instant", *options]
    with TemporaryFile() as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        try:
            yield server.stdout.readline().decode().strip()
        finally:
            server.send_signal(signal.SIGTERM)
            server.communicate(timeout=LIMIT_S)
        log.seek(0)
        assert server.returncode == 0, log.read().decode()


def output(command, **env):
    """Return what a command prints."""
    done = subprocess.run(
        command,
        env=os.environ | {"NO_PROXY": "127.0.0.1"} | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_every_byte_is_that_of_the_recording(ollama, tmp_path):
    """On every endpoint, errors included."""
    record(ollama, tmp_path, [*program("curl", "curl.sh"), ollama.model])
    exchanges = [exchange for path in Shelf(tmp_path).paths() for exchange in load(path).exchanges]

    with served(tmp_path, "--strict") as url, httpx.Client(base_url=url, trust_env=False) as client:
        for exchange in exchanges:
            path = exchange.request.uri.split("/", 3)[3]
            answer = client.post(f"/{path}", content=exchange.request.body)
            sent = exchange.response
            assert (answer.status_code, answer.reason_phrase) == (sent.status, sent.reason)
            assert answer.headers.raw == [
                (name.encode(), value.encode()) for name, value in sent.headers
            ]
            assert answer.content == sent.body
    assert len({exchange.request.uri for exchange in exchanges}) == 7
