"""Stripped control tokens are found, and nothing else is taken for them."""

import pytest

from tonearm.arms._markers import Printing, missing, printing
from tonearm.model import Decoded, Token, WireShape

MARKERS = ("<|tool_call>", "<tool_call|>")


def answer(text, tokens, eval_count):
    token = Token(text="x", logprob=0.0)
    return Decoded(completion=text, tokens=(token,) * tokens, eval_count=eval_count)


def ended(reason):
    return WireShape(status=200, done=True, done_reason=reason)


@pytest.mark.parametrize(
    ("text", "tokens", "eval_count", "reason", "found"),
    [
        ("panels}<tool_call|>", 3, 4, "stop", Printing.PRINTED),
        ("}", 1, 4, "stop", Printing.STRIPPED),
        ("}", 1, 2, "stop", Printing.UNKNOWN),
        (" and more", 24, 24, "length", Printing.UNKNOWN),
        (" and more", 20, 24, "length", Printing.STRIPPED),
        ("x", 1, None, "stop", Printing.UNKNOWN),
    ],
)
def test_tokens_that_were_counted_and_did_not_come_were_stripped(
    text, tokens, eval_count, reason, found
):
    assert printing(answer(text, tokens, eval_count), ended(reason), MARKERS) is found


def test_the_token_that_ends_the_turn_is_never_printed():
    assert missing(answer("x", 15, 16), ended("stop")) == 0
    assert missing(answer("x", 11, 16), ended("stop")) == 4
