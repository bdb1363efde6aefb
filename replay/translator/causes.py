"""The named reasons why Ollama's prompt or answer is not what the model's format asks for.

Most of them are habits of a renderer, so they come and go with Ollama's versions. What each one
looks like in bytes: docs/translator-check.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from tonearm.replay.release import Release, release


class Cause(StrEnum):
    """Why a prompt or an answer differs."""

    KEY_ORDER = "key-order-bytewise"
    FLOAT_SPELLING = "float-spelling"
    INTEGER_ROUNDING = "integer-rounding"
    NULL_SPELLING = "revision-null-spelling"
    KEYWORD_NAME = "tool-param-named-like-schema-keyword"
    TYPE_OMITTED = "type-omitted"
    ANY_OF = "any-of-union"
    NULLABLE = "nullable-dropped"
    SINGLE_TYPE = "single-type-list"
    UNION_LIST = "union-as-list"
    OBJECT_WITHOUT_PROPERTIES = "object-without-properties"
    BOOLEAN_SCHEMA = "boolean-schema"
    ENUM_AS_TEXT = "enum-as-text"
    NULL_AS_NONE = "null-as-none"
    NULL_KEYWORD = "null-keyword-dropped"
    PARAMETERS_WITHOUT_TYPE = "parameters-without-type"
    RESPONSE_SCHEMA = "response-schema-dropped"
    LAUNCH_DECLARATIONS = "revision-launch-declarations"

    RESPONSE_NAME = "response-name"
    STRUCTURED_RESULT = "structured-result"
    TEXT_PARTS = "text-parts-joined"
    IMAGE_TAG = "image-tag"
    IMAGE_TAG_AT_START = "revision-image-tag-at-start"
    CHANNEL_TAG = "channel-tag-kept"
    CONTROL_WHITESPACE = "control-whitespace-kept"
    THINK_DEFAULT = "think-default"
    THINK_LINE = "revision-think-line"
    THOUGHT_NEEDS_CALL = "revision-thought-needs-call"
    TURN_END = "revision-turn-end"
    TEXT_UNSTRIPPED = "revision-text-unstripped"
    THOUGHT_NOT_REOPENED = "revision-thought-not-reopened"
    EMPTY_THOUGHT = "empty-thought-of-other-variant"
    LAUNCH_TURNS = "revision-launch-turns"
    MODELFILE_SYSTEM = "modelfile-system"
    HISTORY_DROPPED = "history-dropped"

    REQUEST_REFUSED = "request-refused"
    TEMPLATE_REFUSES = "template-refuses"
    NO_GRAMMAR = "no-grammar"

    DROPPED_CALL = "dropped-call"
    SWALLOWED_CALL = "call-swallowed-by-thinking"
    CALLS_WITHOUT_TOOLS = "calls-dropped-without-tools"
    TAG_IN_STRING = "tag-in-string"
    INTEGER_ROUNDED = "integer-rounded"
    REPAIRED_DIFFERENTLY = "repaired-differently"
    LEAKED_MARKUP = "leaked-markup"
    CHANNEL_NAME = "channel-name-as-thought"
    ANSWER_IN_THINKING = "answer-in-thinking"
    TEXT_AFTER_STOP = "text-after-stop"
    EMPTY_ANSWER = "empty-answer"
    THOUGHT_DISCARDED = "thought-discarded"
    LOST_WHITESPACE = "lost-whitespace"
    TOKENS_INCOMPLETE = "tokens-incomplete"

    UNEXPLAINED = "unexplained"


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a cause."""

    severity: int
    """As in ``Finding``: 0 is a note, 1 another wording, 2 lost facts, 3 and 4 break an agent."""
    text: str
    """What happens, as a clause."""
    until: Release | None = None
    """The release from which on it does not happen any more."""


V0_20_6, V0_22_1, V0_23_4, V0_32_1 = (0, 20, 6), (0, 22, 1), (0, 23, 4), (0, 32, 1)

RENDER = {
    Cause.KEY_ORDER: About(1, "keys are sorted by bytes, upper case first"),
    Cause.FLOAT_SPELLING: About(1, "a float is spelled otherwise"),
    Cause.INTEGER_ROUNDING: About(2, "an integer is rounded to a double"),
    Cause.NULL_SPELLING: About(1, "null is written <nil>", V0_32_1),
    Cause.KEYWORD_NAME: About(2, "a parameter named like a schema keyword is left out"),
    Cause.TYPE_OMITTED: About(1, "a parameter without a type gets none, not an empty one"),
    Cause.ANY_OF: About(1, "anyOf of bare types becomes a union type"),
    Cause.NULLABLE: About(2, "nullable is left out"),
    Cause.SINGLE_TYPE: About(1, "a list of one type is written as that type"),
    Cause.UNION_LIST: About(1, "a union type inside items is written as a list"),
    Cause.OBJECT_WITHOUT_PROPERTIES: About(
        1, "keywords of an object without properties are not declared as properties"
    ),
    Cause.BOOLEAN_SCHEMA: About(2, "a parameter whose schema is true or false is left out"),
    Cause.ENUM_AS_TEXT: About(1, "values of an enum are written as strings"),
    Cause.NULL_AS_NONE: About(1, "a null of the declaration is empty, not None"),
    Cause.NULL_KEYWORD: About(1, "a keyword that is null is left out of items"),
    Cause.PARAMETERS_WITHOUT_TYPE: About(1, "the brace of parameters without a type is closed"),
    Cause.RESPONSE_SCHEMA: About(2, "the schema of the tool's response is left out"),
    Cause.LAUNCH_DECLARATIONS: About(1, "tools are declared as the first release did", V0_20_6),
    Cause.RESPONSE_NAME: About(
        2, "a result is named after tool_name or the first call with its id, else unknown"
    ),
    Cause.STRUCTURED_RESULT: About(1, "a result that is not a text is written as one"),
    Cause.TEXT_PARTS: About(1, "parts of a text are joined as they are"),
    Cause.IMAGE_TAG: About(1, "media stand as numbered tags, in another place"),
    Cause.IMAGE_TAG_AT_START: About(
        1, "image tags stand at the start without a blank, and never in results", V0_23_4
    ),
    Cause.CHANNEL_TAG: About(1, "channel tags without a partner stay in the text"),
    Cause.CONTROL_WHITESPACE: About(1, "U+001C to U+001F stay at the ends of a text"),
    Cause.THINK_DEFAULT: About(2, "where the request does not say, thinking is set otherwise"),
    Cause.THINK_LINE: About(1, "no line break follows <|think|>", V0_20_6),
    Cause.THOUGHT_NEEDS_CALL: About(
        1, "a thought of the current turn is left out where no call follows it", V0_32_1
    ),
    Cause.TURN_END: About(1, "model turns are closed by an older rule", V0_32_1),
    Cause.TEXT_UNSTRIPPED: About(
        1, "a text counts as there although nothing of it is left after stripping", V0_22_1
    ),
    Cause.THOUGHT_NOT_REOPENED: About(1, "no thought is opened after a result", V0_32_1),
    Cause.EMPTY_THOUGHT: About(
        1, "the empty thought at the end is that of models of the other size"
    ),
    Cause.LAUNCH_TURNS: About(
        1, "each message, a tool's too, is a turn of its own, as in the first release", V0_20_6
    ),
    Cause.MODELFILE_SYSTEM: About(1, "a system message that the client did not send comes first"),
    Cause.HISTORY_DROPPED: About(3, "the oldest messages are dropped"),
}
"""Habits of renderers: with a set of them switched on, the prompt of any release can be written."""

_OTHERS = {
    Cause.REQUEST_REFUSED: About(4, "the server cannot read a request that the template can"),
    Cause.TEMPLATE_REFUSES: About(2, "the template rejects what the server renders"),
    Cause.NO_GRAMMAR: About(0, "there is nothing to check by"),
    Cause.DROPPED_CALL: About(3, "a call in the completion is not in the answer"),
    Cause.SWALLOWED_CALL: About(3, "a call is taken for part of an unclosed thought"),
    Cause.CALLS_WITHOUT_TOOLS: About(
        3, "calls are dropped from a whole answer because the request declared no tools"
    ),
    Cause.TAG_IN_STRING: About(3, "a closing tag within a string ends the call"),
    Cause.INTEGER_ROUNDED: About(2, "an integer is rounded to a double"),
    Cause.REPAIRED_DIFFERENTLY: About(2, "a malformed call is read otherwise"),
    Cause.LEAKED_MARKUP: About(4, "markup is left in the answer"),
    Cause.CHANNEL_NAME: About(0, "the name of the channel is taken for a thought"),
    Cause.ANSWER_IN_THINKING: About(
        4, "the whole answer is taken for the thought that the prompt opened"
    ),
    Cause.TEXT_AFTER_STOP: About(2, "the answer goes on behind a token that ends it"),
    Cause.EMPTY_ANSWER: About(4, "the answer has no content and no calls"),
    Cause.THOUGHT_DISCARDED: About(0, "the model thought although it was not to"),
    Cause.LOST_WHITESPACE: About(0, "blanks beside a tag depend on how the server cut the text"),
    Cause.TOKENS_INCOMPLETE: About(0, "the log-probs do not cover the whole completion"),
    Cause.UNEXPLAINED: About(2, "no known cause explains this"),
}


def about(cause: Cause) -> About:
    """Return what is known of a cause."""
    return RENDER.get(cause) or _OTHERS[cause]


def habits(server_version: str | None) -> frozenset[Cause]:
    """Return how the renderer of a release departs from the template, if it gets the occasion.

    A version that is missing or unreadable counts as the newest.
    """
    return _habits(release(server_version))


def eras() -> list[frozenset[Cause]]:
    """Return the habits of all releases, each set once, the newest first."""
    ends = {known.until for known in RENDER.values() if known.until is not None}
    return [_habits(None)] + [_habits((*end[:2], end[2] - 1)) for end in sorted(ends, reverse=True)]


def _habits(version: Release | None) -> frozenset[Cause]:
    return frozenset(
        cause
        for cause, known in RENDER.items()
        if cause not in _CIRCUMSTANCES
        and (known.until is None or (version is not None and version < known.until))
    )


_CIRCUMSTANCES = frozenset(
    {
        Cause.THINK_DEFAULT,
        Cause.EMPTY_THOUGHT,
        Cause.MODELFILE_SYSTEM,
        Cause.HISTORY_DROPPED,
    }
)
"""Causes that lie in how a server is set up, not in its version alone."""
