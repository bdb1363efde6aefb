"""A request of a report is as small as it can be."""

import json

import pytest

from tests.tapes import calls, result, says, user
from tonearm.model import ChatRequest
from tonearm.replay.translator import Cause
from tonearm.replay.translator.shrink import minimal


def tool(name, **properties):
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    function = {"name": name, "description": "Does something", "parameters": parameters}
    return {"type": "function", "function": function}


TEXT = {"type": "string", "description": "A text"}

REQUEST = ChatRequest(
    body={
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            user("Run ls."),
            calls("shell", command="ls", description="list"),
            result("a b c"),
            says("There are three."),
            user("Thanks."),
        ],
        "tools": [
            tool("other", a=TEXT, b=TEXT),
            tool("shell", command=TEXT, description=TEXT, timeout={"type": "integer"}),
        ],
        "options": {"temperature": 0},
        "stream": True,
        "think": False,
    }
)


def test_what_the_habit_does_not_need_is_taken_out():
    found = minimal(REQUEST, Cause.KEYWORD_NAME)

    assert found is not None
    assert len(found.messages) == 1
    (shell,) = found.tools
    properties = shell["function"]["parameters"]["properties"]
    assert list(properties) == ["description"]
    assert len(json.dumps(found.body)) < 0.3 * len(json.dumps(REQUEST.body))


def test_nothing_more_can_be_taken_out():
    once = minimal(REQUEST, Cause.KEYWORD_NAME)

    assert minimal(once, Cause.KEYWORD_NAME) == once


def test_the_original_is_left_alone():
    before = json.dumps(REQUEST.body)
    minimal(REQUEST, Cause.KEYWORD_NAME)

    assert json.dumps(REQUEST.body) == before


@pytest.mark.parametrize("cause", [Cause.UNEXPLAINED, Cause.DROPPED_CALL, Cause.INTEGER_ROUNDING])
def test_what_does_not_show_cannot_be_made_smaller(cause):
    assert minimal(REQUEST, cause) is None
