"""The template against a second renderer, on conversations that a seed makes up."""

from __future__ import annotations

import pytest

from tests.templates.conversations import Maker
from tests.templates.oracle import Refused
from tests.templates.oracle import render as expected_prompt
from tonearm.errors import RenderError
from tonearm.templates import get

CONVERSATIONS = 2000
BLOCK = 200


def outcome(render, refusal, **case):
    try:
        return render(**case)
    except refusal:
        return None


@pytest.mark.parametrize("first", range(0, CONVERSATIONS, BLOCK))
def test_both_renderers_write_the_same_prompt(first):
    for seed in range(first, first + BLOCK):
        variant = ("small", "large")[seed % 2]
        case = Maker(seed).case()
        ours = outcome(get(f"gemma4-{variant}").render, RenderError, **case)
        assert ours == outcome(expected_prompt, Refused, variant=variant, **case), seed


def test_the_generator_reaches_every_form():
    """A test on made-up data says nothing about the forms that are never made up."""
    template = get("gemma4-large")
    cases = [Maker(seed).case() for seed in range(500)]
    prompts = [outcome(template.render, RenderError, **case) for case in cases]
    text = "\n".join(prompt for prompt in prompts if prompt)

    assert 0 < prompts.count(None) < 250
    for form in (
        "<|think|>",
        "<|channel>thought\n",
        "<|tool_call>",
        "<|tool_response><|turn>",
        "response:unknown{",
        "value:null",
        "nullable:true",
        "items:{",
        "enum:[",
        "<|video|>",
        "<turn|>\n<|channel>thought\n",
        ",response:{",
        "},}<tool|>",
    ):
        assert form in text, form
