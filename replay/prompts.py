"""What makes a comparison of two arms void before it begins: they did not read the same prompt."""

from __future__ import annotations

import re

from tonearm.model import Take

PROMPT_MISMATCH = "prompt_mismatch"

MCP_2 = re.compile(r"<\|tool>declaration:[^{]*\{(?:(?!<tool\|>).)*?\binput_schema:", re.DOTALL)
"""A declaration as the library ``dialog`` writes it with version 2 of ``mcp``."""


def mismatch(left: Take, right: Take) -> str:
    """Return how two arms cut one prompt into different tokens, nothing where they do not.

    Token ids are compared by their digest where both arms know them, by their number otherwise.
    """
    one, other = left.rendered, right.rendered
    if one is None or other is None or one.prompt != other.prompt:
        return ""
    if one.ids_sha256 and other.ids_sha256:
        if one.ids_sha256 == other.ids_sha256:
            return ""
    elif one.tokens is None or other.tokens is None or one.tokens == other.tokens:
        return ""
    return (
        f"{PROMPT_MISMATCH}: the same prompt is {one.tokens} tokens for {left.arm}, "
        f"{other.tokens} others for {right.arm}"
    )


def mistranslation(take: Take | None) -> str:
    """Return what is known to be wrong with a prompt, nothing where it is not."""
    if take is None or take.rendered is None or not MCP_2.search(take.rendered.prompt):
        return ""
    return (
        f"{take.arm} declares tools in the way of mcp 2 (input_schema in place of parameters), "
        "which the model was not trained on: install mcp<2"
    )
