"""Where the pieces of a streamed answer stand, so that they can be read as one text.

A secret that comes token by token is in no line of the stream. The fields that servers cut into
pieces are known by name: those of Ollama's own API, and of the OpenAI and Anthropic events that it
speaks as well.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

_EVENT = re.compile(rb"\s*(?:data|event|id|retry)?:")
_LINES = re.compile(rb"\s*\{[^\n]*\}[ \t\r]*\n\s*\{")
# Every branch begins with a literal, so that ``re`` can look for these before it tries anything.
_FIELD = re.compile(
    rb'\n|"index"\s*:\s*(\d+)|"(content|thinking|response|reasoning|reasoning_content|text'
    rb'|partial_json|arguments|delta|refusal)"\s*:\s*"((?:[^"\\\n]|\\[^\n])*)'
)

type Spans = list[tuple[int, int]]


def is_stream(body: bytes) -> bool:
    """Return whether a body is a row of JSON lines or of events."""
    return bool(_EVENT.match(body) or _LINES.match(body))


def lanes(body: bytes) -> list[Spans]:
    """Return the places of the pieces of each text that a stream brings in more than one piece.

    The pieces are the insides of JSON strings, escapes included. Texts that come side by side, such
    as the arguments of several calls, are told apart by the ``index`` in front of them.
    """
    found: defaultdict[tuple[bytes, bytes], Spans] = defaultdict(list)
    index = b""
    for field in _FIELD.finditer(body):
        if field[1]:
            index = field[1]
        elif field[3]:
            found[field[2], index].append(field.span(3))
        elif field[2] is None:
            index = b""
    return [spans for spans in found.values() if len(spans) > 1]


_LOGPROBS = re.compile(rb'"logprobs"\s*:\s*(?=[\[{])')
_CONTEXT = re.compile(rb'"context"\s*:\s*(\[\s*\d+\s*(?:,\s*\d+\s*){7,}\])')


def logprobs(body: bytes) -> Iterator[tuple[int, int]]:
    """Yield the places of log-probs, which say the answer once more, token by token.

    A value that was cut goes to the end of its line.
    """
    at = 0
    while field := _LOGPROBS.search(body, at):
        start = field.end()
        at = _closing(body, start)
        yield start, at


def contexts(body: bytes) -> Iterator[tuple[int, int]]:
    """Yield the places of what ``/api/generate`` calls a context: the prompt as token ids."""
    for found in _CONTEXT.finditer(body):
        yield found.span(1)


_BRACKET = re.compile(rb'[\[{\]}\n]|"(?:[^"\\\n]|\\[^\n])*"')


def _closing(body: bytes, start: int) -> int:
    """Return the place behind the bracket that closes the one at a place."""
    depth = 0
    for token in _BRACKET.finditer(body, start):
        char = token[0][:1]
        if char == b"\n":
            return token.start()
        depth += (char in b"[{") - (char in b"]}")
        if depth == 0:
            return token.end()
    return len(body)
