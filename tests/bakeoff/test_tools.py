"""The tools say the same thing every time, and never fail."""

from __future__ import annotations

from tonearm.bakeoff.tools import NOT_FOUND, FakeTools
from tonearm.model import ToolCall


def test_a_foreseen_call_gets_its_result_whatever_the_order_of_its_arguments():
    found = '[{"id":7}]'
    search = ToolCall(name="search", arguments={"genre": "war", "year": 1990})
    tools = FakeTools([], [(search, found)])

    again = ToolCall(name="search", arguments={"year": 1990.0, "genre": "war"}, id="call_1")

    assert tools.call(again) == found


def test_a_call_that_differs_in_the_type_of_an_argument_is_not_found():
    tools = FakeTools([], [(ToolCall(name="get", arguments={"id": 1}), "one")])

    assert tools.call(ToolCall(name="get", arguments={"id": "1"})) == NOT_FOUND
    assert tools.call(ToolCall(name="get", arguments={"id": True})) == NOT_FOUND


def test_a_call_of_an_unknown_tool_or_with_broken_arguments_is_not_found():
    tools = FakeTools([], [])

    assert tools.call(ToolCall(name="no such tool", arguments={})) == NOT_FOUND
    assert tools.call(ToolCall(name="get", arguments="{broken")) == NOT_FOUND
