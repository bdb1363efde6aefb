"""The 62 labelled pairs of call lists."""

import json
from pathlib import Path

import pytest

from tonearm.model import ToolCall
from tonearm.replay.calls import compare_calls

VECTORS = Path(__file__).parents[1] / "data" / "conformance" / "tool-call-diff.jsonl"
CASES = [json.loads(line) for line in VECTORS.read_text(encoding="utf-8").splitlines()]


def calls(listed):
    return [ToolCall(name=c["name"], arguments=c["arguments"], id=c.get("id")) for c in listed]


def sorted_diffs(details):
    return details | {"arg_diffs": sorted(details["arg_diffs"], key=json.dumps)}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['id']} {case['note']}")
def test_the_vector_gets_its_verdict_and_details(case):
    options = case.get("options", {})

    found = compare_calls(
        calls(case["expected_calls"]),
        calls(case["actual_calls"]),
        case["tool_schemas"],
        order=options.get("order", "flag"),
        unordered=options.get("unordered_paths", {}),
    ).to_json()

    assert found["verdict"] == case["verdict"]
    assert sorted_diffs(found["details"]) == sorted_diffs(case["details"])


def test_no_vector_was_lost():
    assert len({case["id"] for case in CASES}) == 62
