"""Render and parse are two halves of one grammar: what one writes the other reads."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.templates.test_literal import OBJECTS, exactly
from tonearm.templates import get
from tonearm.templates.gemma4 import literal
from tonearm.templates.gemma4.parse import parse
from tonearm.templates.gemma4.tokens import SPECIAL

NAMES = st.text("abcxyzABC019_.-", min_size=1, max_size=12)
WORDS = st.text(max_size=20).filter(lambda text: not any(token in text for token in SPECIAL))
TEXTS = WORDS.map(str.strip).filter(lambda text: not text.endswith("}") and text != "thought")
CALLS = st.lists(st.tuples(NAMES, OBJECTS), max_size=4)
QUESTION = {"role": "user", "content": "x"}


def has_special_keys(value):
    if isinstance(value, dict):
        return any(has_special_keys(v) or any(t in k for t in SPECIAL) for k, v in value.items())
    return isinstance(value, list) and any(map(has_special_keys, value))


def answered(message):
    """Return what the template writes for an assistant message, as a completion."""
    prompt = get("gemma4-small").render([QUESTION, message], add_generation_prompt=False)
    return prompt.partition("<|turn>model\n")[2]


@settings(deadline=None)
@given(OBJECTS)
def test_the_writer_is_that_of_the_template(arguments):
    call = {"function": {"name": "f", "arguments": arguments}}
    text = answered({"role": "assistant", "content": "", "tool_calls": [call]})

    assert text == f"<|tool_call>call:f{literal.write(arguments)}<tool_call|><|tool_response>"


@settings(deadline=None)
@given(TEXTS, CALLS)
def test_what_is_rendered_is_parsed(thinking, calls):
    """Strings may hold any special token but their delimiter."""
    calls = [(name, arguments) for name, arguments in calls if not has_special_keys(arguments)]
    tool_calls = [{"function": {"name": name, "arguments": given}} for name, given in calls]
    message = {
        "role": "assistant",
        "content": "",
        "reasoning": thinking,
        "tool_calls": tool_calls,
    }

    answer = parse(answered(message))

    assert answer.problems == ()
    assert (answer.thinking, answer.content) == (thinking, "")
    assert [(c.name, exactly(c.arguments)) for c in answer.tool_calls] == [
        (name, exactly(arguments)) for name, arguments in calls
    ]


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_plain_text_is_itself(thinking, content):
    text = answered({"role": "assistant", "content": content, "reasoning": thinking})
    answer = parse(text)

    assert (answer.thinking, answer.content) == (thinking, content)
    assert answer.problems == ()


@pytest.mark.parametrize("token", sorted(SPECIAL - {literal.QUOTE}))
def test_a_string_may_hold_any_special_token(token):
    text = f"<|tool_call>call:f{literal.write({'s': f'a{token}b'})}<tool_call|>"

    answer = parse(text + text)

    assert [call.arguments for call in answer.tool_calls] == [{"s": f"a{token}b"}] * 2
    assert answer.problems == ()
