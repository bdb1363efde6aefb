"""The page on the format says what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tonearm.templates.gemma4.literal import MAX_DEPTH
from tonearm.templates.gemma4.parse import parse
from tonearm.templates.sandbox import Limits

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gemma4-template.md").read_text(encoding="utf-8")
TOOLS = [{"function": {"name": "f", "parameters": {"properties": {"s": {"type": "string"}}}}}]


def examples():
    block = re.search(r"```problems\n(.*?)```", PAGE, re.DOTALL)[1]
    for line in block.splitlines():
        kind, fate, completion = line.split(maxsplit=2)
        yield pytest.param(kind, fate, completion.replace("\\n", "\n"), id=f"{kind}-{fate}")


@pytest.mark.parametrize(("kind", "fate", "completion"), list(examples()))
def test_each_kind_of_problem_has_its_example(kind, fate, completion):
    problems = parse(completion, tools=TOOLS).problems

    assert {p.repaired for p in problems if p.kind == kind} == {fate == "repaired"}


def test_the_vectors_have_no_other_kinds():
    documented = {param.values[0] for param in examples()} | {"nesting_too_deep"}
    path = ROOT / "tests" / "data" / "conformance" / "gemma4-parse.jsonl"
    vectors = map(json.loads, path.read_text(encoding="utf-8").splitlines())

    assert {p.kind for v in vectors for p in parse(v["completion"]).problems} <= documented


def test_the_limits_are_those_of_the_code():
    limits = Limits()
    words = re.sub(r"\s+", " ", PAGE)

    assert f"more than {MAX_DEPTH} levels" in words
    assert f"{limits.cpu_s} s of processor time ({limits.wall_s:g} s by the clock)" in words
    assert f"{limits.memory_bytes >> 30} GiB of memory" in words
    assert f"{limits.output_bytes >> 20} MiB of output" in words
