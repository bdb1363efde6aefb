"""Request by request: status, header fields and body of Ollama, and of the stage beside it.

Both have the same weights and the same options. What differs is listed with its reason in
``differences.py``; an entry that no longer holds fails here as much as a difference that is not
listed.
"""

from __future__ import annotations

import hashlib
from contextlib import closing

import httpx
import pytest

from tests.engines import OLLAMA_VERSIONS, start_ollama, tiny_gguf
from tests.replay.server.stage.differences import DIFFERENCES
from tests.replay.server.stage.likeness import likeness
from tests.replay.server.stage.requests import PLAIN, PLAIN_REQUESTS, REQUESTS
from tests.replay.server.stage.tiny import tiny_stage
from tonearm import templates

pytestmark = [pytest.mark.llama, pytest.mark.ollama]


@pytest.fixture(scope="module")
def stage():
    with tiny_stage() as url, connection(url) as client:
        yield client


@pytest.fixture(scope="module", params=OLLAMA_VERSIONS)
def real(request, tmp_path_factory):
    """A version, and a client of a server of it that knows no other model."""
    home = tmp_path_factory.mktemp("ollama")
    with (
        start_ollama(version=request.param, home=home) as ollama,
        connection(ollama.url) as client,
    ):
        yield request.param, client


def connection(url):
    return httpx.Client(base_url=url, timeout=120, trust_env=False)


def answer(client, ask):
    return likeness(client.request(ask.method, ask.path, content=ask.body or None))


@pytest.mark.parametrize("name", REQUESTS)
def test_the_answer_is_that_of_ollama_or_the_difference_is_listed(real, stage, name):
    version, client = real
    theirs, ours = answer(client, REQUESTS[name]), answer(stage, REQUESTS[name])

    if name in DIFFERENCES[version]:
        assert not ours.is_like(theirs), "this difference is no more: take it off the list"
    else:
        assert ours.is_like(theirs), f"{theirs}\nis not\n{ours}"


def test_a_model_without_tools_and_thoughts_is_asked_for_them_in_vain(real, tmp_path):
    """In Ollama its parser knows neither, here its template."""
    _, client = real
    create(client, PLAIN, parser="passthrough", template="{{ .Prompt }}")
    template = tmp_path / "plain.jinja"
    template.write_text("{% for m in messages %}{{ m['content'] }}\n{% endfor %}", encoding="utf-8")

    with (
        closing(templates.load(template)) as written,
        tiny_stage(PLAIN, written) as url,
        connection(url) as stage,
    ):
        ours = {name: answer(stage, ask) for name, ask in PLAIN_REQUESTS.items()}
    theirs = {name: answer(client, ask) for name, ask in PLAIN_REQUESTS.items()}
    client.request("DELETE", "/api/delete", json={"model": PLAIN}).raise_for_status()

    assert [name for name in ours if not ours[name].is_like(theirs[name])] == []
    assert {said.status for said in ours.values()} == {400}


def create(client, name, **fields):
    """Make a model of the tiny one's weights."""
    data = tiny_gguf().read_bytes()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    client.post(f"/api/blobs/{digest}", content=data).raise_for_status()
    body = {"model": name, "files": {"tiny.gguf": digest}, "stream": False}
    client.post("/api/create", json=body | fields).raise_for_status()


def test_the_table_is_long_and_every_listed_request_is_in_it():
    assert len(REQUESTS) > 100
    assert {name for listed in DIFFERENCES.values() for name in listed} <= set(REQUESTS)
