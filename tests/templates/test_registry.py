"""The grammar of a model, chosen as Ollama chooses its renderer."""

from __future__ import annotations

import hashlib

import pytest

from tonearm.errors import RenderError, UsageError
from tonearm.model import Pin
from tonearm.templates import for_model, get, names
from tonearm.templates.gemma4.format import source

HELLO = [{"role": "user", "content": "x"}]


@pytest.mark.parametrize(
    ("pin", "variant"),
    [
        ({"model": "gemma4:e2b"}, "small"),
        ({"model": "gemma4:E4B-it-q4_K_M"}, "small"),
        ({"model": "gemma4:12b"}, "large"),
        ({"model": "hf.co/me/Gemma-4-26B-A4B:Q4"}, "large"),
        ({"model": "gemma4:31b", "parameter_size": "5.1B"}, "large"),
        ({"model": "mine", "parameter_size": "12B"}, "large"),
        ({"model": "mine", "parameter_size": "25.2B"}, "large"),
        ({"model": "mine", "parameter_size": "11.9B"}, "small"),
        ({"model": "mine", "parameter_size": "28.67K"}, "small"),
        ({"model": "mine", "parameter_size": "12000000000"}, "large"),
        ({"model": "mine", "parameter_size": "many"}, "small"),
        ({"model": "mine"}, "small"),
        ({"model": "mine", "family": "gemma4"}, "small"),
        ({"model": "mine:26b", "renderer": "gemma4"}, "large"),
        ({"model": "mine:26b", "renderer": "gemma4-small"}, "small"),
        ({"model": "mine", "renderer": "gemma4-large", "family": "other"}, "large"),
    ],
)
def test_variant_of_a_model(pin, variant):
    assert for_model(Pin(**pin)) is get(f"gemma4-{variant}")


@pytest.mark.parametrize("pin", [{"renderer": "qwen3"}, {"family": "llama"}])
def test_other_families_are_refused(pin):
    """A prompt of the wrong grammar would be taken for what the model should have seen."""
    with pytest.raises(RenderError, match="--template"):
        for_model(Pin(model="other:26b", **pin))


def test_an_unknown_name_is_refused():
    with pytest.raises(UsageError, match="gemma4-small, gemma4-large"):
        get("gemma5")


def test_names_and_hashes_identify_the_variants():
    formats = [get(name) for name in names()]

    assert [format.name for format in formats] == ["gemma4-small", "gemma4-large"]
    assert [format.sha256 for format in formats] == [
        hashlib.sha256(source(variant).encode()).hexdigest() for variant in ("small", "large")
    ]
    assert formats[0].sha256 != formats[1].sha256


def test_the_variants_differ_in_one_place():
    """Thinking off, the large ones are handed an empty thought, and that is all."""
    small, large = map(get, names())

    assert large.render(HELLO) == small.render(HELLO) + "<|channel>thought\n<channel|>"
    assert large.render(HELLO, enable_thinking=True) == small.render(HELLO, enable_thinking=True)


@pytest.mark.parametrize(
    ("call", "tools"),
    [
        pytest.param({}, [], id="call without function"),
        pytest.param({"function": {"name": "f"}}, [], id="call without arguments"),
        pytest.param({"function": {"name": "f", "arguments": "{}"}}, [], id="arguments as text"),
        pytest.param(None, [{}], id="tool without function"),
        pytest.param(None, ["f"], id="tool that is no object"),
        pytest.param(None, [{"function": {"parameters": {"properties": [1]}}}], id="no schemas"),
    ],
)
def test_malformed_conversations_are_errors_of_ours(call, tools):
    messages = [{"role": "assistant", "content": "", "tool_calls": [] if call is None else [call]}]

    with pytest.raises(RenderError, match=r"^gemma4-large: "):
        get("gemma4-large").render(messages, tools)


def test_values_nested_beyond_measure_are_refused():
    value = {}
    for _ in range(5000):
        value = {"a": value}
    calls = [{"function": {"name": "f", "arguments": value}}]

    with pytest.raises(RenderError, match="nested too deeply"):
        get("gemma4-large").render([{"role": "assistant", "content": "", "tool_calls": calls}])
