"""The second renderer: without habits the template's prompt, with a release's habits that one's."""

from __future__ import annotations

import pytest

from tests.replay.translator import conversations, vectors
from tests.replay.translator.vectors import VERSIONS, from_body
from tonearm import templates
from tonearm.errors import RenderError
from tonearm.replay.release import release
from tonearm.replay.translator.causes import Cause, habits
from tonearm.replay.translator.dialect import render

SMALL, LARGE = templates.get("gemma4-small"), templates.get("gemma4-large")


def written(conversation, on=()):
    try:
        return render(conversation, on)[0]
    except RenderError:
        return None


@pytest.mark.parametrize("vector", vectors.load("gemma4-render.jsonl"), ids=lambda v: v["id"])
def test_without_habits_it_is_the_template(vector):
    assert written(vectors.conversation(vector)) == vector["rendered"]


@pytest.mark.parametrize("entry", vectors.divergences(), ids=lambda e: e["id"])
def test_without_habits_it_is_the_template_where_ollama_differs(entry):
    assert written(vectors.conversation(entry)) == entry["canonical"]


@pytest.mark.parametrize("first", range(0, 400, 50))
def test_without_habits_it_is_the_template_on_made_up_conversations(first):
    for seed in range(first, first + 50):
        conversation = from_body(conversations.request(seed))
        template = LARGE if conversation.large else SMALL
        ours = template.render(
            conversation.messages, conversation.tools, enable_thinking=conversation.thinks
        )

        assert written(conversation) == ours, f"seed {seed}"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "vector", vectors.load("gemma4-ollama-versions.jsonl"), ids=lambda v: v["id"]
)
def test_with_the_habits_of_a_release_it_is_that_release(vector, version):
    """The prompts were written by Ollama's own renderers."""
    conversation = from_body(vector["body"])
    on = habits(version)
    if conversation.large and release(version) < (0, 21, 0):
        on |= {Cause.EMPTY_THOUGHT}

    assert written(conversation, on) == vector["prompts"][version]


def test_a_habit_counts_as_met_only_where_it_changes_something():
    calls = [{"function": {"name": "f", "arguments": {"a": 1, "b": 2.5}}}]
    plain = {"model": "m:e2b", "messages": [{"role": "assistant", "tool_calls": calls}]}
    mixed = [{"function": {"name": "f", "arguments": {"a": 1, "B": 2.0}}}]
    odd = {"model": "m:e2b", "messages": [{"role": "assistant", "tool_calls": mixed}]}

    spelling = {Cause.KEY_ORDER, Cause.FLOAT_SPELLING}
    assert not render(from_body(plain))[1] & spelling
    assert render(from_body(odd))[1] >= spelling


def test_what_neither_can_write_is_a_render_error():
    calls = [{"function": {"name": "f", "arguments": "not an object"}}]
    body = {"model": "m:e2b", "messages": [{"role": "assistant", "tool_calls": calls}]}

    with pytest.raises(RenderError, match="arguments of f are not an object"):
        render(from_body(body), habits("0.33.0"))


def test_a_value_nested_beyond_the_stack_is_a_render_error():
    value = []
    for _ in range(100_000):
        value = [value]
    calls = [{"function": {"name": "f", "arguments": {"a": value}}}]

    with pytest.raises(RenderError, match="too deeply"):
        render(from_body({"model": "m", "messages": [{"role": "assistant", "tool_calls": calls}]}))
