"""Where two takes part, layer by layer."""

import pytest

from tonearm.model import Answer, Decoded, Layer, Pin, Rendered, Take, ToolCall, WireShape
from tonearm.replay.compare import AROUND, Kind, compare, first_difference, folded

OK = WireShape(status=200, done=True, done_reason="stop")


def take(arm, *, prompt=None, tokens=None, completion=None, wire=OK, error=None, **answer):
    calls = tuple(ToolCall(name=n, arguments=a) for n, a in answer.pop("calls", ()))
    return Take(
        arm=arm,
        rendered=None if prompt is None else Rendered(prompt=prompt, tokens=tokens),
        decoded=None if completion is None else Decoded(completion=completion),
        answer=None if error else Answer(tool_calls=calls, **answer),
        wire=wire,
        error=error,
    )


def kinds(left, right):
    return [(f.layer, f.kind, f.severity) for f in compare(left, right).findings]


def test_equal_takes_have_no_findings():
    same = {
        "prompt": "p",
        "tokens": 3,
        "completion": "c",
        "content": "x",
        "calls": [("f", {"a": 1})],
    }

    comparison = compare(take("a", **same), take("b", **same))

    assert comparison.findings == ()
    assert comparison.hidden == ()


def test_the_first_layer_comes_first():
    left = take("a", prompt="p", completion="c", content="x")
    right = take("b", prompt="q", completion="d", content="y")

    assert [f.layer for f in compare(left, right).findings] == [
        Layer.RENDER,
        Layer.DECODE,
        Layer.PARSE,
    ]


def test_layers_that_one_side_does_not_see_are_named():
    comparison = compare(take("a", content="x"), take("b", prompt="p", completion="c", content="y"))

    assert comparison.hidden == (Layer.RENDER, Layer.DECODE)


def test_a_prompt_that_was_cut_shows_in_the_count():
    left = take("a", prompt="p", tokens=512)
    right = take("b", prompt="p", tokens=700)

    assert kinds(left, right) == [(Layer.RENDER, Kind.TRUNCATION, 3)]


@pytest.mark.parametrize(("cut", "severity"), [("ab", 1), ("a", 3), ("b", 3)])
def test_a_prompt_that_a_server_cut_is_never_no_difference(cut, severity):
    """Even if both sides cut it alike: the model did not see the conversation."""
    sides = [
        Take(arm=arm, rendered=Rendered(prompt="p", tokens=9, truncated=arm in cut)) for arm in "ab"
    ]

    first = compare(*sides).findings[0]

    assert (first.kind, first.severity) == (Kind.TRUNCATION, severity)


def test_options_in_force_with_other_values_are_noted():
    """Ollama 0.32.10 changed a default, and nothing in the request shows it."""
    left = Take(arm="a", pin=Pin(model="m", options={"repeat_penalty": 1.1, "seed": 1}))
    right = Take(arm="b", pin=Pin(model="m", options={"repeat_penalty": 1.0, "seed": 1.0}))

    first = compare(left, right).findings[0]

    assert (first.kind, first.severity) == (Kind.OPTIONS, 0)
    assert first.summary == "options differ: repeat_penalty 1.1 / 1.0"


def test_a_dropped_call_breaks_the_agent():
    left = take("a", calls=[("f", {"a": 1})])
    right = take("b")

    assert kinds(left, right) == [
        (Layer.PARSE, Kind.EMPTY_ANSWER, 4),
        (Layer.PARSE, Kind.TOOL_CALLS, 3),
    ]


@pytest.mark.parametrize("value", ["1", True, 2, None, [1]])
def test_arguments_are_compared_with_their_types(value):
    left = take("a", calls=[("f", {"a": 1})])
    right = take("b", calls=[("f", {"a": value})])

    assert [k for _, k, _ in kinds(left, right)] == [Kind.TOOL_CALLS]


def test_integers_beyond_doubles_are_compared_exactly():
    left = take("a", calls=[("f", {"id": 2**53 + 1})])
    right = take("b", calls=[("f", {"id": 2**53})])

    assert [k for _, k, _ in kinds(left, right)] == [Kind.TOOL_CALLS]


def test_a_number_may_be_spelled_in_two_ways():
    left = take("a", calls=[("f", {"a": 1, "b": 2})])
    right = take("b", calls=[("f", {"b": 2.0, "a": 1})])

    assert kinds(left, right) == []


def test_control_tokens_in_content_are_a_leak():
    left = take("a", content="Hi")
    right = take("b", content="Hi<turn|>")

    assert kinds(left, right) == [(Layer.PARSE, Kind.LEAKED_MARKUP, 4)]


def test_an_answer_that_landed_in_thinking_is_found():
    """Ollama 0.32.1 did this to answers after a tool result."""
    left = take("a", content="The sum is 3.")
    right = take("b", thinking="The sum is 3.")

    assert kinds(left, right) == [
        (Layer.PARSE, Kind.EMPTY_ANSWER, 4),
        (Layer.PARSE, Kind.THINKING, 3),
        (Layer.PARSE, Kind.CONTENT, 1),
    ]


def test_other_thoughts_are_a_note():
    left = take("a", content="x", thinking="one")
    right = take("b", content="x", thinking="two")

    assert [f.severity for f in compare(left, right).findings] == [0]
    assert compare(left, right).divergences == ()


def test_blanks_at_the_ends_do_not_count():
    assert folded(" a\r\nb \n") == folded("a\nb")
    assert kinds(take("a", content="Hello \n"), take("b", content="Hello")) == []


def test_an_answer_cut_by_length_is_not_the_same():
    short = WireShape(status=200, done=True, done_reason="length")

    assert kinds(take("a"), take("b", wire=short)) == [(Layer.WIRE, Kind.DONE, 3)]


def test_a_stream_without_an_end_is_not_the_same():
    assert kinds(take("a"), take("b", wire=WireShape(status=200))) == [(Layer.WIRE, Kind.DONE, 2)]


def test_two_refusals_agree():
    refused = WireShape(status=404, error="no such model")

    assert (
        kinds(
            take("a", wire=refused, error="no such model"),
            take("b", wire=refused, error="no such model"),
        )
        == []
    )


def test_a_refusal_where_there_was_an_answer_is_no_agreement():
    refused = WireShape(status=500, error="boom")

    assert (Layer.WIRE, Kind.NO_ANSWER, 4) in kinds(
        take("a"), take("b", wire=refused, error="boom")
    )


def test_a_recording_that_broke_off_is_no_expectation():
    cut = take("recorded", wire=None, error="client_aborted: gone")

    assert kinds(cut, take("b", content="x")) == [(Layer.WIRE, Kind.NO_ANSWER, 0)]


def test_the_surroundings_of_the_first_difference_are_shown():
    left, right = "a" * 500 + "X" + "b" * 500, "a" * 500 + "Y" + "b" * 500

    (finding,) = compare(take("a", prompt=left), take("b", prompt=right)).findings

    assert finding.offset == 500
    assert finding.left == left[500 - AROUND : 500 + AROUND]
    assert finding.right == right[500 - AROUND : 500 + AROUND]


@pytest.mark.parametrize(
    ("left", "right", "at"), [("", "", 0), ("ab", "abc", 2), ("axc", "ayc", 1)]
)
def test_the_first_difference_is_an_index(left, right, at):
    assert first_difference(left, right) == at
