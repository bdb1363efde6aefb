"""Completions as Ollama's parser cuts them."""

from __future__ import annotations

import pytest

from tonearm.replay.translator.segments import cut


def parts(completion, *, starts_in_thinking=False):
    segments = list(cut(completion, starts_in_thinking=starts_in_thinking))
    for segment in segments:
        end = segment.start + len(segment.text)
        assert completion[segment.start : end] == segment.text
    return [(segment.kind, segment.text, segment.closed) for segment in segments]


@pytest.mark.parametrize(
    ("completion", "expected"),
    [
        ("", []),
        ("Hi", [("content", "Hi", True)]),
        ("Hi<turn|>\n", [("content", "Hi", True)]),
        (
            "<|channel>thought\nT\n<channel|>Hi",
            [("thinking", "T\n", True), ("content", "Hi", True)],
        ),
        ("<|channel>other\nT", [("thinking", "other\nT", False)]),
        ("a<|tool_call>call:f{}<tool_call|>", [("content", "a", True), ("call", "call:f{}", True)]),
        ("<|tool_call>call:f{}<turn|>", [("call", "call:f{}", False)]),
        (
            '<|tool_call>call:f{s:<|"|>a<tool_call|>b<|"|>}<tool_call|>',
            [("call", 'call:f{s:<|"|>a', True), ("content", 'b<|"|>}<tool_call|>', True)],
        ),
        (
            "<|tool_call>call:f{}<tool_call|> <tool_call|>\n<|tool_response> x",
            [("call", "call:f{}", True), ("content", "x", True)],
        ),
        (
            "<|channel>thought\nT<|tool_call>call:f{}<tool_call|>",
            [("thinking", "T<|tool_call>call:f{}<tool_call|>", False)],
        ),
        (
            "<|tool_call>call:f{<|channel>x<tool_call|>y",
            [("call", "call:f{<|channel>x", True), ("content", "y", True)],
        ),
    ],
)
def test_every_tag_is_taken_at_its_word(completion, expected):
    assert parts(completion) == expected


def test_a_thought_that_the_prompt_opened_goes_on():
    assert parts("T<channel|>Hi", starts_in_thinking=True) == [
        ("thinking", "T", True),
        ("content", "Hi", True),
    ]
    assert parts("Hi", starts_in_thinking=True) == [("thinking", "Hi", False)]


def test_many_stop_tokens_at_the_end_are_passed_over():
    assert parts("Hi" + "<eos> " * 100_000) == [("content", "Hi", True)]
