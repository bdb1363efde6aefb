"""The search for what makes a prompt different."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.replay.translator import vectors
from tests.replay.translator.vectors import VERSIONS, from_body
from tonearm.replay.translator.causes import Cause, habits
from tonearm.replay.translator.dialect import render
from tonearm.replay.translator.explain import explain
from tonearm.replay.translator.prompts import explained

CALL = {"id": "i", "function": {"name": "f", "arguments": {"a": 1.0}}}
LOOP = [
    {"role": "user", "content": "First question"},
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "i", "tool_name": "f", "content": "one"},
    {"role": "assistant", "content": "First answer"},
    {"role": "user", "content": "Second question"},
    {"role": "assistant", "content": "Second answer"},
    {"role": "user", "content": "Third question"},
]


def conversation(messages, **more):
    return from_body({"model": "m:31b", "messages": messages, "think": False} | more)


def causes(explanation):
    return [place.cause for place in explanation.places]


def different(entry):
    return not entry["equal"] and entry["ollama"] is not None


@pytest.mark.parametrize("version", ["0.33.0", None])
@pytest.mark.parametrize(
    "entry", [*filter(different, vectors.divergences())], ids=lambda e: e["id"]
)
def test_every_divergence_has_the_one_cause_that_it_was_made_for(entry, version):
    (finding,) = explained(vectors.conversation(entry), entry["ollama"], version)

    assert finding.cause == vectors.CAUSES[entry["class"]]
    assert finding.offset == entry["first_difference"]


@pytest.mark.parametrize("known", [True, False], ids=["version known", "version unknown"])
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "vector", vectors.load("gemma4-ollama-versions.jsonl"), ids=lambda v: v["id"]
)
def test_the_prompts_of_all_releases_are_explained(vector, version, known):
    """With the causes that were found, the prompt comes out; without any one of them, not."""
    talk, prompt = from_body(vector["body"]), vector["prompts"][version]
    found = causes(explain(talk, prompt, habits(version if known else None)))

    assert render(talk, found)[0] == prompt
    assert all(render(talk, set(found) - {cause})[0] != prompt for cause in found)


def test_a_cause_is_shown_where_it_alone_changes_the_prompt():
    talk = conversation(LOOP, tools=[{"function": {"name": "g", "description": None}}])
    prompt = render(talk, habits("0.33.0"))[0]
    none, number = explain(talk, prompt, habits("0.33.0")).places

    assert (none.cause, number.cause) == (Cause.NULL_AS_NONE, Cause.FLOAT_SPELLING)
    assert none.without[: none.offset] == prompt[: none.offset]
    assert none.without[none.offset :].startswith("None")
    assert number.without[number.offset :].startswith(".0}")
    assert prompt[number.offset :].startswith("}")


def test_what_no_habit_explains_is_named_with_its_place():
    """Causes before that place stand, those behind it are not claimed."""
    talk = conversation(LOOP)
    prompt = render(talk, [Cause.FLOAT_SPELLING])[0].replace("Second question", "Second?question")
    explanation = explain(talk, prompt, habits("0.33.0"))

    assert causes(explanation) == [Cause.FLOAT_SPELLING, Cause.UNEXPLAINED]
    assert explanation.places[-1].offset == prompt.index("?question")

    talk = conversation(LOOP[-1:] + LOOP)
    prompt = render(talk, [Cause.FLOAT_SPELLING])[0].replace("Third question", "Third?question")
    assert causes(explain(talk, prompt, habits("0.33.0"))) == [Cause.UNEXPLAINED]


@pytest.mark.parametrize("count", [1, 2, 4, 6])
def test_dropped_messages_are_counted(count):
    talk = conversation([{"role": "system", "content": "Be brief."}, *LOOP])
    prompt = render(talk.without_oldest(count), habits("0.33.0"))[0]

    explanation = explain(talk, prompt, habits("0.33.0"))

    if count == 1:  # the system message stays, so nothing is missing
        assert causes(explanation) == [Cause.FLOAT_SPELLING]
    else:
        assert Cause.HISTORY_DROPPED in causes(explanation)
        assert Cause.UNEXPLAINED not in causes(explanation)
        assert render(talk.without_oldest(explanation.dropped), habits("0.33.0"))[0] == prompt


def test_dropped_messages_are_a_truncation_with_numbers():
    talk = conversation(LOOP)
    prompt = render(talk.without_oldest(4))[0]
    (finding,) = explained(talk, prompt, "0.33.0")

    assert (finding.kind, finding.severity) == ("truncation", 3)
    assert finding.summary == "the oldest messages are dropped: 4 of 7"


def test_a_system_message_of_the_model_is_recognised():
    talk = conversation(LOOP, tools=[{"function": {"name": "g", "description": "G"}}])
    prompt = render(talk.with_system("You are a pirate."), habits("0.33.0"))[0]

    assert causes(explain(talk, prompt, habits("0.33.0"))) == [
        Cause.MODELFILE_SYSTEM,
        Cause.FLOAT_SPELLING,
    ]


def test_the_prompt_of_the_other_size_is_recognised():
    talk = conversation(LOOP[-1:])
    prompt = render(replace(talk, large=False))[0]

    assert causes(explain(talk, prompt, habits("0.33.0"))) == [Cause.EMPTY_THOUGHT]


@pytest.mark.parametrize("said", [True, False])
def test_thinking_by_default_is_a_cause_only_where_the_request_does_not_say(said):
    talk = replace(conversation(LOOP[-1:]), think_said=said)
    prompt = render(replace(talk, thinks=True))[0]
    expected = Cause.UNEXPLAINED if said else Cause.THINK_DEFAULT

    assert expected in causes(explain(talk, prompt, habits("0.33.0")))


def test_a_conversation_that_the_template_rejects_is_explained_by_what_makes_it_acceptable():
    result = {"role": "tool", "tool_call_id": "i", "content": {"b": 1}}
    talk = conversation([*LOOP[:2], result])
    prompt = render(talk, habits("0.33.0"))[0]
    places = explain(talk, prompt, habits("0.33.0")).places

    assert [place.cause for place in places] == [Cause.STRUCTURED_RESULT, Cause.FLOAT_SPELLING]
    assert "a result is an object" in places[0].without


def test_a_prompt_from_what_nobody_can_write_says_why():
    call = {"function": {"name": "f", "arguments": "text"}}
    talk = conversation([{"role": "assistant", "tool_calls": [call]}])
    (place,) = explain(talk, "<bos>", habits("0.33.0")).places

    assert place.cause is Cause.TEMPLATE_REFUSES
    assert "arguments of f are not an object" in place.without
