"""The recorder in front of a real Ollama: clients must not be able to tell."""

import hashlib
import json
import os
import re
import subprocess
import sys

import httpx
import ollama as client_library
import pytest

from tests.engines import package, tiny_gguf
from tests.proxy.harness import LIMIT_S, recording, run
from tonearm.cassette import Shelf, load
from tonearm.model import Link, Outcome
from tonearm.proxy.address import parse_upstream
from tonearm.stitch import turns

pytestmark = pytest.mark.ollama

LONG_S = 120.0
QUESTION = [{"role": "user", "content": "Which films do I own?"}]
VOLATILE = re.compile(rb'("(?:created_at|expires_at)":"[^"]*"|"\w+_duration":\d+)')


@pytest.fixture
def chat(ollama):
    return {
        "model": ollama.model,
        "messages": [{"role": "user", "content": "Which films do I own?"}],
        "options": {"temperature": 0, "seed": 1, "num_predict": 24},
    }


async def both(ollama, method, path, **request):
    """Send a request directly and through the recorder; return both answers and the exchange."""
    async with recording(parse_upstream(ollama.url)) as rec:
        answers = []
        for url in (ollama.url, rec.url):
            async with httpx.AsyncClient(base_url=url, timeout=LONG_S, trust_env=False) as client:
                answers.append(await client.request(method, path, **request))
        found = (await rec.captures.get()).exchange() if not rec.tally.passed else None
    return *answers, found


def visible(response):
    """Return all of an answer that does not differ from one time to the next."""
    headers = {k: v for k, v in response.headers.items() if k not in {"date", "content-length"}}
    return response.status_code, headers, VOLATILE.sub(b"", response.content)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("path", ["/api/chat", "/api/generate"])
def test_an_answer_through_the_recorder_is_that_of_ollama(ollama, chat, path, stream):
    """What was recorded is what the client got, to the byte."""
    body = chat | {"stream": stream, "prompt": "Which films do I own?"}
    direct, through, exchange = run(both(ollama, "POST", path, json=body))

    assert direct.status_code == 200
    assert visible(through) == visible(direct)
    assert exchange.outcome is Outcome.COMPLETE
    assert exchange.response.body == through.content
    assert json.loads(exchange.request.body) == body
    assert exchange.chunks[-1].end == len(through.content)


RANDOM = re.compile(
    rb'"(?:id|item_id|response_id|encrypted_content)":"[^"]*"'
    rb'|"(?:created|created_at|completed_at)":[0-9.]+'
)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": QUESTION, "max_tokens": 24}),
        ("/v1/completions", {"prompt": "Which films", "max_tokens": 24}),
        ("/v1/responses", {"input": "Which films do I own?", "max_output_tokens": 24}),
        ("/v1/messages", {"messages": QUESTION, "max_tokens": 24}),
        ("/api/embed", {"input": "films"}),
    ],
)
def test_every_protocol_passes_and_is_recorded(ollama, path, body, stream):
    """Whatever Ollama makes of the request, an error included, and server-sent events too."""
    body = {"model": ollama.model, "temperature": 0, "seed": 1, "stream": stream} | body
    direct, through, exchange = run(both(ollama, "POST", path, json=body))

    def constant(response):
        status, headers, text = visible(response)
        return status, headers, RANDOM.sub(b"", text)

    assert constant(through) == constant(direct)
    assert exchange.outcome is Outcome.COMPLETE
    assert exchange.response.body == through.content
    assert json.loads(exchange.request.body) == body
    if stream and path.startswith("/v1/"):
        assert through.headers["content-type"] == "text/event-stream"
        assert len(exchange.chunks) > 1


def test_an_upload_arrives_whole(ollama):
    """Ollama checks the content of a blob against its name."""
    data = os.urandom(3 << 20)
    digest = hashlib.sha256(data).hexdigest()

    async def scenario():
        async with recording(parse_upstream(ollama.url)) as rec:
            name = f"/api/blobs/sha256:{digest}"
            created = await rec.client.post(name, content=data)
            return created, await rec.client.head(name), rec.tally.passed

    created, there, passed = run(scenario())
    assert (created.status_code, there.status_code, passed) == (201, 200, 2)


@pytest.mark.parametrize("path", ["/api/tags", "/api/version", "/api/ps", "/"])
def test_questions_about_the_server_pass(ollama, path):
    direct, through, exchange = run(both(ollama, "GET", path))

    assert direct.status_code == 200
    assert visible(through) == visible(direct)
    assert exchange is None


@pytest.mark.parametrize(("known", "status"), [(True, 200), (False, 404)])
def test_a_question_for_a_blob_passes(ollama, known, status):
    digest = hashlib.sha256(tiny_gguf().read_bytes() if known else b"unknown").hexdigest()
    direct, through, _ = run(both(ollama, "HEAD", f"/api/blobs/sha256:{digest}"))

    assert through.status_code == status
    assert visible(through) == visible(direct)


def test_a_page_from_elsewhere_is_refused_as_ollama_refuses_it(ollama, chat):
    """Ollama's guard against DNS rebinding is the name in the request."""
    direct, through, _ = run(
        both(ollama, "POST", "/api/chat", json=chat, headers={"host": "evil.example"})
    )

    assert direct.status_code == 403
    assert visible(through) == visible(direct)


@pytest.mark.parametrize("stream", [True, False])
def test_ollamas_own_client_sees_the_same_error_for_a_missing_model(ollama, stream):
    async def asked(client):
        answer = await client.chat("no-such-model", [], stream=stream)
        return [piece async for piece in answer] if stream else answer

    async def told(url):
        client = client_library.AsyncClient(host=url, timeout=LIMIT_S, trust_env=False)
        async with client:
            with pytest.raises(client_library.ResponseError) as caught:
                await asked(client)
        return caught.value.status_code, caught.value.error

    async def scenario():
        async with recording(parse_upstream(ollama.url)) as rec:
            direct, through = await told(ollama.url), await told(rec.url)
            return direct, through, (await rec.captures.get()).exchange()

    direct, through, exchange = run(scenario())
    assert direct[0] == 404
    assert through == direct
    assert (exchange.outcome, exchange.response.status) == (Outcome.COMPLETE, 404)


def test_a_client_that_goes_away_stops_the_model(ollama, chat):
    """The server has room for one answer at a time, so the next one shows that it is free."""
    chaos = {"temperature": 8, "top_k": 0, "top_p": 1, "min_p": 0, "seed": 3}
    babble = {
        "model": ollama.model,
        "prompt": "hello",
        "raw": True,
        "options": chaos | {"num_predict": 100_000},
    }

    async def scenario():
        async with recording(parse_upstream(ollama.url)) as rec:
            async with rec.client.stream("POST", "/api/generate", json=babble) as response:
                lines = response.aiter_lines()
                await anext(lines)
            aborted = (await rec.captures.get()).exchange()
            answer = await rec.client.post("/api/chat", json=chat | {"stream": False})
            return aborted, answer

    aborted, answer = run(scenario())
    assert aborted.outcome is Outcome.CLIENT_ABORTED
    assert b'"done":false' in aborted.response.body
    assert b'"done":true' not in aborted.response.body
    assert answer.json()["done"] is True


def test_a_command_is_recorded_with_the_pin_of_its_engine(ollama, chat, tmp_path):
    """Two turns of one conversation, by Ollama's own client: one file, nothing lost."""
    code = f"""
import json, ollama
body = json.loads({json.dumps(json.dumps(chat))})
first = ollama.chat(**body)
history = body["messages"] + [first.message, {{"role": "user", "content": "and books?"}}]
for piece in ollama.chat(**(body | {{"messages": history}}), stream=True):
    print(piece.message.content, end="")
"""
    args = ("--upstream", ollama.url, "--listen", "127.0.0.1:0", "--shelf", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "tonearm", "record", *args, "--", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=LONG_S,
        env=os.environ | {"NO_PROXY": "127.0.0.1"},
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "2 exchanges recorded: 1 conversation, 1 file" in done.stderr
    (path,) = Shelf(tmp_path).paths()
    first, second = load(path).exchanges
    assert (first.outcome, second.outcome) == (Outcome.COMPLETE, Outcome.COMPLETE)
    for exchange in (first, second):
        pin = exchange.pin
        assert (pin.model, pin.server_version) == (ollama.model, ollama.version)
        assert re.fullmatch("[0-9a-f]{64}", pin.digest)
        assert pin.num_ctx
        assert pin.options == chat["options"]


OPENAI = """
import openai
client = openai.OpenAI()
def ask(messages):
    stream = client.chat.completions.create(
        model=MODEL, messages=messages, stream=True, temperature=0, seed=1, max_tokens=24)
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
"""
ANTHROPIC = """
import anthropic
client = anthropic.Anthropic()
def ask(messages):
    with client.messages.stream(model=MODEL, messages=messages, max_tokens=24) as stream:
        return "".join(stream.text_stream)
"""
TWO_TURNS = """
messages = [{"role": "user", "content": "Which films do I own?"}]
messages += [{"role": "assistant", "content": ask(messages) or "-"}]
messages += [{"role": "user", "content": "and books?"}]
ask(messages)
"""


@pytest.mark.parametrize(
    ("client", "code", "path"),
    [
        ("openai", OPENAI, "/v1/chat/completions"),
        ("anthropic", ANTHROPIC, "/v1/messages"),
    ],
)
def test_other_clients_are_recorded_as_one_conversation(ollama, tmp_path, client, code, path):
    """They find the recorder by their own variables and stream through it."""
    package(client, group="clients")
    code = f"MODEL = {ollama.model!r}\n{code}{TWO_TURNS}"
    args = ("--upstream", ollama.url, "--listen", "127.0.0.1:0", "--shelf", str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-m", "tonearm", "record", *args, "--", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=LONG_S,
        env=os.environ | {"OPENAI_API_KEY": "x" * 20, "ANTHROPIC_API_KEY": "x" * 20},
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "2 exchanges recorded: 1 conversation, 1 file" in done.stderr
    (cassette,) = Shelf(tmp_path).load_all()
    assert [e.request.uri for e in cassette.exchanges] == [f"{ollama.url}{path}"] * 2
    assert [e.outcome for e in cassette.exchanges] == [Outcome.COMPLETE] * 2
    first, second = turns(cassette.name, cassette.exchanges)
    assert (first.link, second.link) == (Link.START, Link.NEXT)
    assert (first.lost, second.lost) == ((), ())
    assert "x" * 20 not in cassette.path.read_text()
