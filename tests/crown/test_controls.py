"""Faults that equal answers hide: the report names each."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.crown.controls import cut_otherwise
from tests.crown.stage import PLAIN, Stage, plan_of, text_of
from tests.engines import tiny_gguf
from tests.tiny_gemma4.checkpoint import write_checkpoint
from tonearm.replay.attribution import Conclusion
from tonearm.replay.report import to_json
from tonearm.replay.triangle import Numerics

pytestmark = [pytest.mark.jax, pytest.mark.llama]

REFERENCES = ("jax-f32", "jax-bf16")


def named(stage, *arms):
    """Return the attribution for programs and the report for people."""
    summary = stage.report(*arms)
    return json.loads(json.dumps(to_json(summary)))["attribution"], text_of(summary)


def test_a_swapped_norm_is_the_engine(confident):
    attribution, text = named(confident, "swapped", *REFERENCES)

    assert attribution["numerics"] == "different"
    assert attribution["conclusion"] == "runtime"
    assert "the engine computes otherwise than the reference, with weights that are not" in text


def test_the_published_router_is_refused_by_name_and_seen_in_the_numbers(experts):
    """Answers and calls do not show it: only log-probs do."""
    attribution, text = named(experts, "f32", "published-f32", "published-bf16")
    sound, _ = named(experts, "f32", "repaired-f32", "repaired-bf16")

    assert attribution["reference_defect"] == "router"
    assert attribution["conclusion"] == "reference_defect"
    assert attribution["numerics"] == "different"
    assert attribution["b_against_c"]["differing"] <= 1
    assert attribution["distance"]["mean_delta"] > 30 * sound["distance"]["mean_delta"]
    assert "reference_defect of C: router" in text
    assert sound["reference_defect"] is None
    assert sound["numerics"] != "different"


def test_the_published_router_would_be_found_without_knowing_it(experts):
    """Were the defect a new one that no probe knows, weights without quantisation would tell."""
    stage = Stage(experts.plan, {k: _unmarked(t) for k, t in experts.takes.items()})

    found = stage.report("f32", "published-f32", "published-bf16").triangle

    assert (found.defect, found.numerics) == ("", Numerics.DIFFERENT)
    assert found.conclusion is Conclusion.RUNTIME


def _unmarked(take):
    runtime = (take.pin.runtime or "").partition(" with ")[0]
    return replace(take, pin=replace(take.pin, runtime=runtime))


def test_declarations_of_mcp_2_are_named(confident):
    """No engine minds them, and most answers are the same."""
    attribution, text = named(confident, "mcp2", *REFERENCES)

    declaring = [turn for turn in attribution["turns"] if "mcp 2" in turn["why"]]
    tools = [turn for turn in confident.plan.turns if turn.request.tools]
    assert len(declaring) == len(tools) > 0
    assert all(turn["conclusion"] != "faithful" for turn in declaring)
    assert attribution["distance"] is None
    assert "mcp2 declares tools in the way of mcp 2" in text
    assert "install mcp<2" in text


def test_another_tokenizer_is_a_prompt_mismatch_and_no_divergence(reference, tmp_path):
    folder = write_checkpoint(tmp_path / "cut")
    cut_otherwise(folder / "tokenizer.model")
    stage = Stage(plan_of(PLAIN, every=25))
    stage.llama("f32", tiny_gguf())
    stage.judge("jax-f32", reference, folder, dtype="f32")

    attribution, text = named(stage, "f32", "jax-f32")

    assert attribution["conclusion"] == "undecided"
    assert attribution["distance"] is None
    assert all(turn["why"].startswith("prompt_mismatch: ") for turn in attribution["turns"])
    assert "prompt_mismatch: the same prompt is" in text
