"""Completions: cut anywhere, malformed anyhow, hostile on purpose."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonearm.model import Answer
from tonearm.templates import get
from tonearm.templates.gemma4.parse import Parser, parse

QUOTE = '<|"|>'
TOOLS = [
    {"function": {"name": "f", "parameters": {"properties": {"s": {"type": "string"}}}}},
    {"function": {"name": "odd", "parameters": {"properties": {"s": True, "t": {"type": [1]}}}}},
]
FRAGMENTS = (
    "<|tool_call>", "<tool_call|>", "<|channel>", "<channel|>", "thought\n", "thought", QUOTE,
    "<turn|>", "<|tool_response>", "<eos>", "<|turn>", "<|tool_cal", "<|", "<", "|>", "call:",
    "call:f{", "f{", "{", "}", "[", "]", ",", ":", "s:", "a:1", "'", '"', "\\", " ", "\n", "x",
    "true", "-0.5e3", "9" * 30, "é🚀",
)  # fmt: skip
COMPLETIONS = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=5), max_size=30).map("".join)


def kinds(answer):
    return [problem.kind for problem in answer.problems]


def in_parts(completion, parts, **options):
    parser = Parser(**options)
    deltas = [delta for part in parts for delta in parser.feed(part)]
    return deltas + parser.end(), parser.close()


@settings(deadline=None)
@given(COMPLETIONS, st.booleans(), st.booleans(), st.data())
def test_any_cut_gives_the_same_answer(completion, starts_in_thinking, repair, data):
    options = {"tools": TOOLS, "starts_in_thinking": starts_in_thinking, "repair": repair}
    cuts = sorted(data.draw(st.lists(st.integers(0, len(completion)), max_size=6)))
    bounds = [0, *cuts, len(completion)]
    parts = [completion[a:b] for a, b in pairwise(bounds)]

    _, whole = in_parts(completion, [completion], **options)
    deltas, answer = in_parts(completion, parts, **options)

    assert answer == whole
    assert in_parts(completion, completion, **options)[1] == whole
    assert "".join(delta.content for delta in deltas) == answer.content
    assert "".join(delta.thinking for delta in deltas) == answer.thinking
    assert tuple(d.tool_call for d in deltas if d.tool_call) == answer.tool_calls


@settings(deadline=None)
@given(COMPLETIONS)
def test_no_call_is_lost_in_silence(completion):
    """Behind an opening tag there is a call or a problem, whatever follows it."""
    completion = f"<|tool_call>{completion}"
    answer = parse(completion, tools=TOOLS)

    assert answer.tool_calls or any(not problem.repaired for problem in answer.problems)
    assert all(0 <= problem.offset <= len(completion) for problem in answer.problems)


@settings(deadline=None)
@given(COMPLETIONS)
def test_a_strict_reader_hears_of_the_same_problems(completion):
    strict = Parser(tools=TOOLS, repair=False)
    strict.feed(completion)

    lenient = parse(completion, tools=TOOLS)

    assert kinds(strict.close()) == kinds(lenient)
    assert set(strict.close().tool_calls or [None]) <= {None, *lenient.tool_calls}


@pytest.mark.parametrize(
    ("completion", "call"),
    [
        (f"call:f{{s:{QUOTE}a<tool_call|>b{QUOTE}}}", {"s": "a<tool_call|>b"}),
        (f"call:f{{s:{QUOTE}<|tool_call>call:g{{}}{QUOTE}}}", {"s": "<|tool_call>call:g{}"}),
        (f"call:f{{s:{QUOTE}<turn|>{QUOTE}}}", {"s": "<turn|>"}),
    ],
)
def test_a_string_may_hold_special_tokens(completion, call):
    """The template writes such strings, so the grammar has them."""
    answer = parse(f"<|tool_call>{completion}<tool_call|>")

    assert [c.arguments for c in answer.tool_calls] == [call]
    assert answer.problems == ()


def test_an_unclosed_string_does_not_swallow_the_next_call():
    bad = f"<|tool_call>call:f{{s:{QUOTE}ls}}<tool_call|>"
    good = f"<|tool_call>call:f{{s:{QUOTE}x{QUOTE}}}<tool_call|>"

    answer = parse(f"{bad}between{good}", tools=TOOLS)

    assert [call.arguments for call in answer.tool_calls] == [{"s": "ls"}, {"s": "x"}]
    assert answer.content == "between"
    assert kinds(answer) == ["unterminated_string"]


def test_a_call_without_end_does_not_swallow_the_next_one():
    answer = parse("<|tool_call>call:a{}<|tool_call>call:b{}<tool_call|>")

    assert [call.name for call in answer.tool_calls] == ["a", "b"]
    assert kinds(answer) == ["missing_close_tag"]


def test_text_behind_the_stop_token_is_reported():
    answer = parse("Bye.<turn|>\n<|turn>user\nand?")

    assert answer.content == "Bye."
    assert [(p.kind, p.repaired) for p in answer.problems] == [("text_after_stop", False)]
    assert "and?" in answer.problems[0].detail


def test_leaked_markup_stays_in_the_text_and_is_reported():
    answer = parse("a<|turn>b<tool|>c")

    assert answer.content == "a<|turn>b<tool|>c"
    assert [(p.kind, p.offset) for p in answer.problems] == [
        ("leaked_token", 1),
        ("leaked_token", 9),
    ]


@pytest.mark.parametrize(
    ("completion", "thinking", "problems"),
    [
        ("<|channel>final\nx<channel|>y", "final\nx", ["channel_name"]),
        ("<|channel>thought<channel|>y", "", ["channel_name"]),
        ("<|channel>a<|channel>thought\nb<channel|>y", "ab", ["channel_name", "nested_channel"]),
        ("<|channel>thought\na<|channel>thought\nb<channel|>y", "ab", ["nested_channel"]),
    ],
)
def test_odd_channels_are_still_thinking(completion, thinking, problems):
    answer = parse(completion)

    assert (answer.thinking, answer.content) == (thinking, "y")
    assert kinds(answer) == problems


def test_a_thought_that_the_prompt_opened_and_nobody_closed_is_reported():
    """What Ollama v0.32.1 hands out as thinking without a word."""
    answer = parse("It is 15 degrees.", starts_in_thinking=True)

    assert (answer.thinking, answer.content) == ("It is 15 degrees.", "")
    assert kinds(answer) == ["unclosed_channel"]


def test_a_declared_name_with_a_colon_is_no_problem():
    tools = [{"function": {"name": "google:search"}}]

    assert parse("<|tool_call>call:google:search{}<tool_call|>", tools=tools).problems == ()


MEGABYTE = 1_000_000
HOSTILE = {
    "openings": "<|tool_call>",
    "channels": "<|channel>",
    "thoughts": "<|channel>thought\n<channel|>",
    "half tags": "<|tool_cal",
    "closings in strings": f"<|tool_call>call:f{{s:{QUOTE}<tool_call|>",
    "strings of both parities": f"<|tool_call>{QUOTE}<tool_call|><|tool_call>{QUOTE}y",
    "stripped calls": "call:",
    "blanks": " ",
}
HOSTILE_CALLS = {
    "objects": "{a:" * 200_000,
    "lists": "{a:" + "[" * MEGABYTE,
    "delimiters": "{s:" + QUOTE * 200_000,
    "single quotes": "{" + "s:'x," * 200_000,
    "bare strings": "{" + "s:x," * 200_000,
    "commas and blanks": "{s:" + ", " * 500_000,
    "blanks": "{" + " " * MEGABYTE,
    "escapes": '{s:"' + "\\" * MEGABYTE,
    "digits": "{a:" + "9" * MEGABYTE + "}",
    "brackets behind a string": "{a:" + "[" * 100 + QUOTE + "]" * MEGABYTE,
    "name": "a" * MEGABYTE,
}


def hostile():
    for name, unit in HOSTILE.items():
        yield pytest.param(unit * (MEGABYTE // len(unit)) + "}", id=name)
    for name, body in HOSTILE_CALLS.items():
        yield pytest.param(f"<|tool_call>call:f{body}", id=f"call of {name}")


@pytest.mark.parametrize("completion", list(hostile()))
def test_a_megabyte_of_hostile_text_is_read_in_linear_time(completion):
    """Twenty times as much text may take some forty times as long, not four hundred."""
    small = seconds_for(completion[: len(completion) // 20])

    assert seconds_for(completion) < 40 * small + 1.0


def seconds_for(completion):
    start = time.process_time()
    answer = parse(completion, tools=TOOLS)
    assert isinstance(answer, Answer)
    return time.process_time() - start


def test_the_format_knows_where_a_completion_begins():
    format = get("gemma4-large")
    question = [{"role": "user", "content": "x"}]
    call = {"id": "1", "function": {"name": "f", "arguments": {}}}
    answered = [
        *question,
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "ok"},
    ]

    assert not format.starts_in_thinking(format.render(question, enable_thinking=False))
    assert not format.starts_in_thinking(format.render(answered, enable_thinking=False))
    assert format.starts_in_thinking(format.render(answered, enable_thinking=True))
    assert format.parse("a<channel|>b", starts_in_thinking=True).thinking == "a"


@pytest.mark.parametrize(
    ("pieces", "content", "thinking"),
    [
        ([" Hello", " ", "\n"], " Hello \n", ""),
        (["<|channel>", "thought\n", " a", " ", "<channel|>", "\n", "b "], "\nb ", " a"),
        (["<|channel>", "thought\n", "a", " "], "", "a "),
        (["a ", "<|tool_call>", "call:f{}", "<tool_call|>"], "a ", ""),
    ],
)
def test_blanks_are_kept_where_ollama_keeps_them(pieces, content, thinking):
    """Those at the end of a thought alone go, unless it has no end."""
    parser = Parser(blanks=True)

    deltas = [delta for piece in pieces for delta in parser.feed(piece)] + parser.end()

    assert "".join(delta.content for delta in deltas) == content
    assert "".join(delta.thinking for delta in deltas) == thinking
