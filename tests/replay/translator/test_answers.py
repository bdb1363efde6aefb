"""Ollama's message against our reading of the same tokens.

What Ollama answers in these tests is what its parsers (v0.24.0, v0.33.0) made of the completion.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.replay.translator import vectors
from tests.replay.translator.vectors import answer, take
from tonearm.model import ChatRequest, Layer, WireShape
from tonearm.replay.compare import Kind
from tonearm.replay.translator import check
from tonearm.templates import get

Q = '<|"|>'
CALL = f"<|tool_call>call:f{{s:{Q}x{Q}}}<tool_call|>"
TOOLS = [
    {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}},
]
QUESTION = {"role": "user", "content": "x"}
LOOP = [
    QUESTION,
    {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f"}}]},
    {"role": "tool", "tool_name": "f", "content": "r"},
]


def found(completion, theirs, *, messages=(QUESTION,), version="0.33.0", **more):
    """Return what is found about an answer, where the prompt is as it should be."""
    body = {"model": "m:31b", "messages": list(messages), "tools": TOOLS, "think": True}
    request = ChatRequest(body=body | {k: v for k, v in more.items() if k != "wire"})
    grammar = get("gemma4-large")
    prompt = grammar.render(
        grammar.from_ollama(request.messages), request.tools, enable_thinking=request.thinks(True)
    )
    seen = take(
        prompt=prompt.removesuffix("" if version == "0.33.0" else "<|channel>thought\n"),
        completion=completion,
        answer=theirs,
        version=version,
        **{k: v for k, v in more.items() if k == "wire"},
    )
    return [f for f in check(request, seen).findings if f.layer is Layer.PARSE]


def causes(*args, **more):
    return [finding.cause for finding in found(*args, **more)]


DROPPED = {
    "p031-key-dash": "non_identifier_key 'my-key'",
    "p045-bad-missing-brace": "missing_object_close",
    "p046-bad-nonterminal-unclosed": "unterminated_string",
    "p047-bad-no-prefix": "missing_call_prefix",
    "p048-bad-colon-only": "missing_call_prefix",
    "p049-bad-parens": "parens",
    "p050-bad-begin-arg": "foreign_syntax",
    "p053-bad-trailing-comma": "trailing_comma",
    "p054-bad-python-literals": "python_literals",
    "p055-bad-no-args": "missing_object",
}
"""Vectors whose call Ollama drops, and the reason."""

OTHERS = {
    "p035-think-disabled-channel": "thought-discarded",
    "p059-bad-stray-channel-close": "leaked-markup",
    "p062-bad-think-into-call": "call-swallowed-by-thinking",
}


@pytest.mark.parametrize("vector", vectors.load("gemma4-parse.jsonl"), ids=lambda v: v["id"])
def test_what_ollama_made_of_the_parse_vectors_is_classified(vector):
    """The vectors hold Ollama's own reading; most are as they should be, repairs included."""
    reference = vector["references"]["ollama"]
    read = reference.get("got") or vector["expected"]
    calls = [(call["name"], call["arguments"]) for call in read["tool_calls"]]
    findings = found(
        vector["completion"],
        answer(read["content"], read["thinking"], *calls),
        messages=LOOP if vector["starts_in_thinking"] else [QUESTION],
        tools=vector["tools"],
        think=vector["enable_thinking"] is not False,
    )

    name = vector["id"]
    if name in DROPPED:
        (finding,) = findings
        assert (finding.cause, finding.severity) == ("dropped-call", 3)
        assert finding.summary.endswith(f": {DROPPED[name]}")
    else:
        assert [f.cause for f in findings] == ([OTHERS[name]] if name in OTHERS else [])


def test_the_same_answer_is_clean():
    said = f"<|channel>thought\nT\n<channel|>Hi {CALL}"

    assert found(said, answer("Hi", "T", ("f", {"s": "x"}))) == []


@pytest.mark.parametrize(
    ("written", "read", "expected"),
    [
        ("1", 1.0, []),
        ("1.0", 1, []),
        ("1", "1", ["unexplained"]),
        (f"{Q}1{Q}", 1, ["unexplained"]),
        ("true", 1, ["unexplained"]),
        ("null", None, []),
        ("9007199254740993", 9007199254740993, []),
        ("9007199254740993", 9007199254740992, ["integer-rounded"]),
        ("1000000000000000000000000000000", 1e30, ["integer-rounded"]),
        ("[{a:9007199254740993}]", [{"a": 9007199254740992.0}], ["integer-rounded"]),
        ("9007199254740993", 9007199254740990, ["unexplained"]),
    ],
)
def test_arguments_are_compared_by_type_and_exactly(written, read, expected):
    said = f"<|tool_call>call:f{{n:{written}}}<tool_call|>"

    assert causes(said, answer("", "", ("f", {"n": read}))) == expected


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ("my-key:1", "non_identifier_key 'my-key'"),
        ("o:{a:1,l:[{$ref:1}]}", "non_identifier_key '$ref'"),
        (f"l:[{','.join([f'{Q}x{Q}'] * 50)}]", "many_strings, 50"),
        ("a:1,", "trailing_comma"),
        (f"page:team{Q}|team{Q}", "bare_string"),
    ],
)
def test_a_dropped_call_has_the_reason_why_ollama_cannot_read_it(arguments, reason):
    said = f"<|tool_call>call:f{{{arguments}}}<tool_call|>"
    (finding,) = found(said, answer())

    assert (finding.cause, finding.kind, finding.severity) == ("dropped-call", Kind.TOOL_CALLS, 3)
    assert finding.summary.endswith(reason)
    assert (finding.left, finding.right, finding.offset) == (said[:120], "no call", 0)


def test_of_several_calls_the_dropped_one_is_named():
    bad = "<|tool_call>call:f{my-key:1}<tool_call|>"
    (finding,) = found(f"{CALL}{bad}{CALL}", answer("", "", ("f", {"s": "x"}), ("f", {"s": "x"})))

    assert finding.offset == len(CALL)
    assert finding.left.startswith(bad)


def test_a_dropped_call_and_a_rounded_one_are_told_apart():
    said = (
        "<|tool_call>call:f{my-key:1}<tool_call|><|tool_call>call:f{n:9007199254740993}<tool_call|>"
    )

    assert causes(said, answer("", "", ("f", {"n": 9007199254740992}))) == [
        "dropped-call",
        "integer-rounded",
    ]


def test_a_call_that_was_not_closed_takes_in_what_follows():
    said = f"<|tool_call>call:f{{a:1<|channel>thought\nT<channel|>{CALL}"
    (finding, other) = found(said, answer())

    assert (finding.cause, other.cause) == ("dropped-call", "repaired-differently")
    assert finding.summary.endswith("missing_close_tag")


def test_a_closing_tag_within_a_string_ends_the_call():
    said = f"<|tool_call>call:f{{s:{Q}a<tool_call|>b{Q}}}<tool_call|>"
    theirs = answer(f"b{Q}}}<tool_call|>", "", ("f", {"s": "a"}))

    assert causes(said, theirs) == ["tag-in-string"]


def test_a_malformed_call_that_is_read_otherwise_is_named():
    said = "<|tool_call>call:f{s:'x'}<tool_call|>"

    assert causes(said, answer("", "", ("f", {"s": "'x'"}))) == ["repaired-differently"]


def test_a_call_that_nobody_made_is_not_explained():
    (finding,) = found("Hi", answer("Hi", "", ("f", {})))

    assert finding.cause == "unexplained"
    assert finding.right == "f({})"


@pytest.mark.parametrize("thinks", [True, False])
def test_a_call_within_a_thought_that_does_not_end_is_swallowed(thinks):
    """Whatever follows goes with it, and needs no reason of its own."""
    said = f"<|channel>thought\nplan{CALL}and more"
    theirs = answer("", f"plan{CALL}and more" if thinks else "")
    (finding,) = found(said, theirs, think=thinks)

    assert (finding.cause, finding.severity) == ("call-swallowed-by-thinking", 3)
    assert finding.left.startswith(CALL)


def test_a_call_right_after_a_result_is_swallowed_since_the_parser_starts_in_a_thought():
    assert causes(CALL, answer("", CALL), messages=LOOP) == ["call-swallowed-by-thinking"]
    assert causes(CALL, answer("", "", ("f", {"s": "x"})), messages=LOOP, version="0.24.0") == []


def test_an_answer_right_after_a_result_ends_up_as_a_thought():
    (finding,) = found("It is 15.", answer("", "It is 15."), messages=LOOP)

    assert (finding.cause, finding.kind) == ("answer-in-thinking", Kind.EMPTY_ANSWER)
    assert finding.severity == 4
    assert causes("It is 15.", answer("It is 15."), messages=LOOP, version="0.24.0") == []


def test_a_thought_that_was_cut_short_is_no_answer():
    cut = WireShape(status=200, done=True, done_reason="length")

    assert causes("So it", answer("", "So it"), messages=LOOP, wire=cut) == []


def test_an_orphaned_result_at_the_end_makes_the_parser_start_in_a_thought_too():
    """The prompt does not show it: the template leaves such a result out."""
    orphan = [QUESTION, {"role": "tool", "content": "r"}]

    assert causes("Hi", answer("", "Hi"), messages=orphan) == ["answer-in-thinking"]


def test_a_thought_although_the_model_was_not_to_think_is_a_note():
    said = "<|channel>thought\nT<channel|>Hi"
    (finding,) = found(said, answer("Hi"), think=False)

    assert (finding.cause, finding.severity) == ("thought-discarded", 0)


def test_calls_without_tools_are_dropped_from_a_whole_answer_only():
    assert causes(CALL, answer(), tools=None, stream=False) == ["calls-dropped-without-tools"]
    assert causes(CALL, answer("", "", ("f", {"s": "x"})), tools=None, stream=True) == []
    assert causes(CALL, answer(), stream=False) == ["dropped-call"]


def test_a_malformed_call_without_tools_keeps_its_own_reason():
    said = "<|tool_call>call:f(x)<tool_call|>"

    assert causes(said, answer(), tools=None, stream=False) == ["dropped-call"]


@pytest.mark.parametrize(
    ("said", "theirs", "severity"),
    [
        ("Hi<channel|> there", answer("Hi<channel|> there"), 4),
        (f"useful.\n<channel|>{CALL}", answer("useful.\n<channel|>", "", ("f", {"s": "x"})), 4),
        (
            "<|channel>thought\nT<|channel>thought\nU<channel|>Hi",
            answer("Hi", "T<|channel>thought\nU"),
            1,
        ),
    ],
)
def test_markup_in_the_answer_is_a_leak(said, theirs, severity):
    (finding,) = found(said, theirs)

    assert (finding.cause, finding.kind) == ("leaked-markup", Kind.LEAKED_MARKUP)
    assert finding.severity == severity


def test_a_call_that_leaked_as_text_is_not_reported_twice():
    """In one piece, a thought behind the call hides the call from Ollama's parser."""
    said = f"{CALL}<|channel>thought\nT<channel|>"

    assert causes(said, answer(CALL, "T")) == ["leaked-markup"]


def test_blanks_beside_a_tag_are_a_note():
    said = f"Hello  \n{CALL} there"
    (finding,) = found(said, answer("Hellothere", "", ("f", {"s": "x"})))

    assert (finding.cause, finding.severity) == ("lost-whitespace", 0)
    assert causes(said, answer("Hello  \n there", "", ("f", {"s": "x"}))) == []


def test_the_name_of_a_channel_without_line_break_is_taken_for_a_thought():
    said = "<|channel>thought<channel|>Hi"

    assert causes(said, answer("Hi", "thought")) == ["channel-name-as-thought"]


def test_an_answer_that_goes_on_behind_its_end_is_named():
    said = f"{CALL}<|tool_response>more"

    assert causes(said, answer("more", "", ("f", {"s": "x"}))) == ["text-after-stop"]


def test_an_answer_that_vanished_without_a_known_reason_is_empty():
    (finding,) = found("Hi there", answer())

    assert (finding.cause, finding.kind, finding.severity) == (
        "empty-answer",
        Kind.EMPTY_ANSWER,
        4,
    )


def test_other_words_are_not_explained():
    (finding,) = found("Hi there", answer("Hi you"))

    assert (finding.cause, finding.kind, finding.offset) == ("unexplained", Kind.CONTENT, 3)
    assert (finding.left, finding.right) == ("Hi there", "Hi you")
    assert causes("<|channel>thought\nT<channel|>Hi", answer("Hi", "U")) == ["unexplained"]


FRAGMENTS = (
    *("text ", "\n", "<|channel>thought\n", "<|channel>", "<channel|>", "<turn|>", "<tool_call|>"),
    *("<|tool_call>", "call:f{", "a:1", ",", f"s:{Q}x{Q}", "my-key:2", "n:9007199254740993", "}"),
    *(CALL, Q, '"', "<|tool_response>"),
)
completions = st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join)


@given(said=completions, heard=completions, thinks=st.booleans(), stream=st.booleans())
def test_every_difference_has_a_cause_and_a_place_and_nothing_raises(said, heard, thinks, stream):
    """Two readings of two completions differ in any way there is."""
    theirs = get("gemma4-large").parse(heard, tools=TOOLS)
    findings = found(said, theirs, think=thinks, stream=stream)

    assert all(finding.cause and finding.offset is not None for finding in findings)


@given(said=completions)
def test_what_we_read_ourselves_without_a_problem_is_clean(said):
    ours = get("gemma4-large").parse(said, tools=TOOLS)

    if not ours.problems:
        assert found(said, ours) == []
