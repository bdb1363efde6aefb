"""The filter over JSON lines."""

import argparse
import io
import json
import sys

import pytest

from tonearm.commands import compare_calls
from tonearm.errors import EXIT_COULD_NOT_RUN, EXIT_DIVERGED, EXIT_NOTHING, EXIT_SAME

CALL = {"name": "f", "arguments": {"n": 1}}
OTHER = {"name": "f", "arguments": {"n": 2}}
SAME = {"id": 7, "expected_calls": [CALL], "actual_calls": [CALL]}
CHANGED = {"id": "x", "expected_calls": [CALL], "actual_calls": [OTHER]}


@pytest.fixture
def compare(monkeypatch, capsys):
    """A function that feeds lines to the command and returns its exit code and its objects."""

    def run(*lines):
        texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\n".join(texts))))
        parser = argparse.ArgumentParser()
        compare_calls.add_parser(parser.add_subparsers())
        args = parser.parse_args(["compare-calls"])
        code = args.run(args)
        return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return run


def test_each_line_gets_a_verdict_with_its_id(compare):
    code, (same, changed) = compare(SAME, CHANGED)

    assert code == EXIT_DIVERGED
    assert (same["id"], same["verdict"], same["details"]["severity"]) == (7, "identical", 0)
    assert (changed["id"], changed["verdict"]) == ("x", "wrong_args")
    assert changed["details"]["arg_diffs"] == [{"call": [0, 0], "path": "/n", "kind": "value"}]


def test_equal_calls_exit_zero_and_no_lines_are_nothing_to_test(compare):
    assert compare(SAME, b"", b"  ", SAME)[0] == EXIT_SAME
    assert compare() == (EXIT_NOTHING, [])


def test_a_bad_line_is_reported_with_its_number_and_the_rest_goes_on(compare):
    code, found = compare(SAME, b"{nonsense", b"", b"\xff", {"id": 3}, CHANGED)

    assert code == EXIT_COULD_NOT_RUN
    assert [(one["id"], one.get("line"), one.get("verdict")) for one in found] == [
        (7, None, "identical"),
        (None, 2, None),
        (None, 4, None),
        (3, 5, None),
        ("x", None, "wrong_args"),
    ]
    assert found[1]["error"].startswith("the line is not JSON: ")
    assert found[3]["error"] == "expected_calls is not a list but null"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"actual_calls": [1]}, "actual_calls[0] is not an object but a number"),
        ({"actual_calls": [CALL, {}]}, "actual_calls[1].name is not a text but null"),
        ({"actual_calls": [{"function": "f"}]}, "actual_calls[0].function is not an object"),
        ({"tool_schemas": {"f": 1}}, "tool_schemas is not a list but an object"),
        ({"options": [1]}, "options is not an object but a list"),
        ({"options": {"ordre": "flag"}}, "options.ordre is not known"),
        ({"options": {"order": "loose"}}, "'loose' is none of ignore, flag, strict"),
        ({"options": {"order": {"f": 1}}}, "1 is none of ignore, flag, strict"),
        ({"options": {"unordered_paths": {"f": "/a"}}}, "unordered_paths.f is not a list"),
        ({"options": {"unordered_paths": {"f": [1]}}}, "unordered_paths.f is not a text"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(compare, change, error):
    code, (found,) = compare(SAME | change)

    assert code == EXIT_COULD_NOT_RUN
    assert error in found["error"]


def test_options_are_those_of_the_comparison(compare):
    left = [{"name": "f", "arguments": {"l": [1, 2]}}, CALL]
    right = [CALL, {"name": "f", "arguments": {"l": [2, 1]}}]
    free = {"order": {"f": "ignore"}, "unordered_paths": {"f": ["/l"]}}

    code, (found,) = compare({"expected_calls": left, "actual_calls": right, "options": free})

    assert code == EXIT_SAME
    assert found["details"]["rules"] == ["unordered_array", "call_order"]


def test_calls_may_have_the_form_that_ollama_gives_them(compare):
    wire = {"id": "call_1", "function": {"index": 0, "name": "f", "arguments": {"n": 1}}}

    code, (found,) = compare({"expected_calls": [CALL], "actual_calls": [wire]})

    assert (code, found["verdict"]) == (EXIT_SAME, "identical")


def test_the_tools_of_the_request_are_used(compare):
    tools = [{"type": "function", "function": {"name": "g", "parameters": {}}}]

    _, (found,) = compare(CHANGED | {"tool_schemas": tools})

    assert found["details"]["schema_errors"] == [{"call": 0, "path": "", "kind": "unknown_tool"}]
