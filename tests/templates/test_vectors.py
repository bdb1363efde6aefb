"""The public vectors: every prompt byte for byte, every completion however it is cut."""

from __future__ import annotations

import codecs
import json
from pathlib import Path

import pytest

from tonearm.errors import RenderError
from tonearm.templates import get
from tonearm.templates.gemma4.parse import Parser

DATA = Path(__file__).parents[1] / "data" / "conformance"
FORMATS = {"31b": get("gemma4-large"), "e2b": get("gemma4-small")}


def vectors(name):
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    return [pytest.param(json.loads(line), id=json.loads(line)["id"]) for line in lines]


def render(vector):
    switches = ("enable_thinking", "preserve_thinking", "add_generation_prompt")
    return FORMATS[vector["variant"]].render(
        vector["messages"], vector["tools"], **{k: vector[k] for k in switches if k in vector}
    )


def parts(vector, *, repair=True):
    return Parser(
        tools=vector["tools"], starts_in_thinking=vector["starts_in_thinking"], repair=repair
    )


def parse(vector, *texts, repair=True):
    parser = parts(vector, repair=repair)
    for text in texts:
        parser.feed(text)
    return parser.close()


def view(answer):
    return {
        "thinking": answer.thinking,
        "content": answer.content,
        "tool_calls": [{"name": c.name, "arguments": c.arguments} for c in answer.tool_calls],
    }


@pytest.mark.parametrize("vector", vectors("gemma4-render.jsonl"))
def test_prompt_is_the_canonical_one(vector):
    if vector["rendered"] is None:
        with pytest.raises(RenderError):
            render(vector)
    else:
        assert render(vector) == vector["rendered"]


@pytest.mark.parametrize("vector", vectors("gemma4-ollama-divergence.jsonl"))
def test_prompt_is_the_canonical_one_where_ollama_differs(vector):
    """One entry renders the native form of the exchange that it lists in OpenAI's form."""
    if vector["class"] == "response-dict-legacy-vs-json-string":
        call = vector["messages"][1] | {"tool_responses": [{"name": "a", "response": {"b": 1}}]}
        vector["messages"] = [vector["messages"][0], call]
    if vector["canonical"] is None:
        with pytest.raises(RenderError):
            render(vector)
    else:
        assert render(vector) == vector["canonical"]


@pytest.mark.parametrize("vector", vectors("gemma4-parse.jsonl"))
def test_completion_is_read_and_repaired(vector):
    """Repaired calls are in the answer; without repairs only what the grammar allows is."""
    completion = vector["completion"]

    assert view(parse(vector, completion)) == (vector.get("repaired") or vector["expected"])
    assert view(parse(vector, completion, repair=False)) == vector["expected"]


@pytest.mark.parametrize("vector", vectors("gemma4-parse.jsonl"))
def test_departures_from_the_grammar_are_named(vector):
    """A well-formed completion has no problem; a malformed one has the problem it was made for."""
    problems = parse(vector, vector["completion"]).problems

    if vector["well_formed"]:
        assert problems == ()
    else:
        assert vector["expected_error"] in {problem.kind for problem in problems}


@pytest.mark.parametrize("vector", vectors("gemma4-parse.jsonl"))
def test_parts_give_the_same_answer_as_the_whole(vector):
    """Character by character, byte by byte, and at every place where it can be cut in two."""
    completion = vector["completion"]
    whole = parse(vector, completion)

    assert parse(vector, *completion) == whole
    assert parse(vector, *(vector.get("chunks") or [completion])) == whole
    assert parse(vector, *from_bytes(vector.get("chunks_hex"), completion)) == whole
    for cut in range(len(completion) + 1):
        assert parse(vector, completion[:cut], completion[cut:]) == whole


def from_bytes(chunks, completion):
    if chunks is None:
        return [completion]
    decoder = codecs.getincrementaldecoder("utf-8")()
    return [decoder.decode(bytes.fromhex(chunk)) for chunk in chunks]


@pytest.mark.parametrize("vector", vectors("gemma4-parse.jsonl"))
def test_deltas_add_up_to_the_answer(vector):
    """What a server passes on while the model writes is what the answer says in the end."""
    parser = parts(vector)
    deltas = [delta for char in vector["completion"] for delta in parser.feed(char)]
    deltas += parser.end()
    answer = parser.close()

    assert answer == parse(vector, vector["completion"])
    assert "".join(delta.content for delta in deltas) == answer.content
    assert "".join(delta.thinking for delta in deltas) == answer.thinking
    assert tuple(d.tool_call for d in deltas if d.tool_call) == answer.tool_calls
