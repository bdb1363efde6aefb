"""Bodies read as Ollama reads them; its own words are held against it in ``test_likeness``."""

from __future__ import annotations

import json

import pytest

from tonearm.replay.server.stage import forms, names
from tonearm.replay.server.stage.refusal import Refusal


def chat(**fields):
    return forms.read(json.dumps(fields).encode(), forms.CHAT)


def refused(**fields):
    with pytest.raises(Refusal) as found:
        chat(**fields)
    return found.value.status, str(found.value)


def test_what_a_field_does_not_have_is_dropped_and_the_rest_kept_in_order():
    number = {"type": "number", "description": "n", "minimum": 1, "default": 2}
    function = {"name": "f", "strict": True, "parameters": {"properties": {"b": number, "a": {}}}}

    (tool,) = chat(tools=[{"type": "function", "function": function}], more=1)["tools"]

    properties = tool["function"]["parameters"]["properties"]
    assert list(properties) == ["b", "a"]
    assert properties["b"] == {"type": "number", "description": "n"}
    assert "strict" not in tool["function"]


def test_names_of_fields_match_in_any_case_and_the_last_one_counts():
    assert chat(model="a", MODEL="b") == {"model": "b"}


def test_null_leaves_a_field_alone_but_is_a_format():
    assert chat(model=None, messages=None, format=None) == {"format": None}


def test_roles_are_lowered():
    assert chat(messages=[{"role": "USER"}, None])["messages"] == [{"role": "user"}, {"role": ""}]


def test_of_several_mismatches_the_first_is_told():
    _, words = refused(stream="x", model=5)

    assert words.endswith("field ChatRequest.stream of type bool")


def test_what_a_type_refuses_itself_is_told_before_any_mismatch():
    assert refused(model=5, think="much")[1].startswith("invalid think value")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (0, 0),
        (5, 5),
        (-1, float("inf")),
        ("1h2m3.5s", 3723.5),
        ("250ms", 0.25),
        ("-1m", float("inf")),
    ],
)
def test_times_to_stay_are_seconds_or_durations_of_gos(value, seconds):
    assert chat(keep_alive=value)["keep_alive"] == pytest.approx(seconds)


def test_a_text_behind_the_body_is_not_read():
    assert forms.read(b' {"model":"x"} {', forms.CHAT) == {"model": "x"}


def test_a_body_too_deep_to_read_is_refused():
    with pytest.raises(Refusal):
        forms.read(b"[" * 100_000, forms.CHAT)


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("m", "registry.ollama.ai/library/m:latest"),
        ("m:e2b", "registry.ollama.ai/library/m:e2b"),
        ("me/m", "registry.ollama.ai/me/m:latest"),
        ("host:5000/me/m:x", "host:5000/me/m:x"),
        ("https://host/me/m", "host/me/m:latest"),
    ],
)
def test_a_name_is_completed_as_ollama_completes_it(name, full):
    assert names.full(name) == full
    assert names.full(names.short(full)) == full


@pytest.mark.parametrize("name", ["", "a b", "m:", ":x", "m:x/y", "-m", "a/b/c/d", "é", "m" * 81])
def test_a_name_that_no_model_can_have_is_refused(name):
    with pytest.raises(Refusal, match="invalid model name"):
        names.full(name)
