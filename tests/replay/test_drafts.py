"""What a reference is given to judge is what was answered, or nothing."""

import pytest

from tonearm import templates
from tonearm.model import (
    Answer,
    ChatRequest,
    Decoded,
    Pin,
    Take,
    Token,
    ToolCall,
    WireShape,
)
from tonearm.replay.drafts import drafts, in_force

STOP = WireShape(status=200, done=True, done_reason="stop")
CALL = ToolCall(name="add", arguments={"a": 19, "b": 37.5, "why": 'a "quote"'})
PARSED = "<|tool_call>call:add{a:19}<tool_call|>"
ASKED = {"role": "user", "content": "Add."}
RESULT = [
    {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f"}}]},
    {"role": "tool", "tool_name": "f", "content": "1"},
]


def request(*messages, **fields):
    body = {"model": "gemma4:e2b", "messages": [ASKED, *messages]}
    return ChatRequest(body=body | fields)


def recorded(**answer):
    return Take(arm="recorded", answer=Answer(**answer), wire=STOP, pin=Pin(model="gemma4:e2b"))


def shown(arm, completion, *texts, **fields):
    tokens = tuple(Token(text=text, logprob=-0.1) for text in texts)
    decoded = Decoded(completion=completion, tokens=tokens)
    return Take(arm=arm, answer=Answer(content="x"), decoded=decoded, **({"wire": STOP} | fields))


def of(asked, *takes):
    return drafts(asked, {take.arm: take for take in takes})


def test_an_arm_that_shows_its_tokens_is_taken_at_its_word():
    (draft,) = of(request(), shown("b", "ab", "a", "b"))

    assert (draft.arm, draft.completion, draft.tokens, draft.ended) == ("b", "ab", ("a", "b"), True)


def test_tokens_that_do_not_spell_the_completion_are_left_out():
    (draft,) = of(request(), shown("b", "é", "\ufffd"))

    assert (draft.completion, draft.tokens) == ("é", ())


def test_equal_answers_are_judged_once():
    found = of(request(), shown("a", "x", "x"), shown("b", "x"), shown("c", "y"))

    assert [draft.arm for draft in found] == ["a", "c"]


def test_an_answer_that_was_cut_off_is_another_one():
    length = WireShape(status=200, done=True, done_reason="length")

    found = of(request(), shown("a", "x"), shown("b", "x", wire=length))

    assert [(draft.arm, draft.ended) for draft in found] == [("a", True), ("b", False)]


def test_a_failed_take_is_no_answer():
    assert of(request(), Take(arm="a", error="no"), shown("b", "x", error="broke off")) == ()


@pytest.mark.parametrize("model", ["gemma4:e2b", "gemma4:26b"])
@pytest.mark.parametrize("think", [False, True])
@pytest.mark.parametrize("history", [[], RESULT], ids=["first", "after a tool"])
@pytest.mark.parametrize(
    "answer",
    [
        {"content": "It is 56.\n\nReally."},
        {"tool_calls": (CALL,)},
        {"content": "Wait.", "tool_calls": (CALL, CALL)},
    ],
    ids=["text", "call", "both"],
)
def test_a_recorded_message_is_written_so_that_it_is_read_again(model, think, history, answer):
    """That is the check; here the text is parsed once more behind the prompt that was sent."""
    if think:
        answer = answer | {"thinking": "Hm."}
    asked = request(*history, model=model, think=think)
    take = recorded(**answer)
    pin = Pin(model=model)

    (draft,) = drafts(asked, {"recorded": Take(arm="recorded", answer=take.answer, pin=pin)})

    chat_format = templates.for_model(pin)
    messages = chat_format.from_ollama(asked.messages)
    prompt = chat_format.render(messages, enable_thinking=think)
    read = chat_format.parse(
        draft.completion, starts_in_thinking=chat_format.starts_in_thinking(prompt)
    )
    assert read == take.answer
    assert not draft.completion.endswith(("<turn|>", "<turn|>\n", "<|tool_response>"))


@pytest.mark.parametrize(
    "answer",
    [
        {"content": "a <|tool_call>call:f{}<tool_call|> b"},
        {"tool_calls": (ToolCall(name="f", arguments="no object"),)},
    ],
)
def test_what_cannot_be_written_back_is_not_judged(answer):
    assert of(request(), recorded(**answer)) == ()


def test_a_model_without_a_grammar_has_no_draft():
    take = Take(arm="recorded", answer=Answer(content="x"), pin=Pin(model="m", family="llama"))

    assert of(request(), take) == ()


def test_options_of_the_model_are_in_force_below_the_requests():
    pin = Pin(model="m", parameters="temperature 1\ntop_k 64")
    asked = request(options={"temperature": 0})

    found = in_force(asked, {"a": Take(arm="a"), "b": Take(arm="b", pin=pin)})

    assert found.options == {"temperature": 0, "top_k": 64}
    assert in_force(asked, {"a": Take(arm="a")}) == asked
