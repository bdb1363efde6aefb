"""Three arms with a real Ollama as A and B: faithful, and where it is not, the layer is named."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from tests.crown.stage import PLAIN, THINKING, Stage, errors, plan_of, text_of
from tests.engines import OLLAMA_VERSIONS
from tonearm.arms import ArmOptions, load
from tonearm.replay.attribution import Conclusion
from tonearm.replay.excess import Relation
from tonearm.replay.triangle import Numerics

pytestmark = [pytest.mark.jax, pytest.mark.llama, pytest.mark.ollama]

ARMS = ("ollama-json", "ollama-native", "jax-f32", "jax-bf16")
OLD, NEW = OLLAMA_VERSIONS


def staged(ollama, plan, checkpoints, reference):
    """Return the stage after Ollama's arms and the reference were asked."""
    stage = Stage(plan)
    options = ArmOptions(url=ollama.url)
    stage.play(load("ollama-json", options))
    # From 0.30 on raw answers lose their markers; the engine beneath is asked then.
    stage.play(load(f"ollama-native{',engine=found' if ollama.version == NEW else ''}", options))
    for dtype in ("f32", "bf16"):
        stage.judge(f"jax-{dtype}", reference, checkpoints["model"], dtype=dtype)
    return stage


def test_a_current_ollama_is_faithful(ollama_server, checkpoints, reference):
    """Thinking and not: enough turns to say so."""
    plain, thinking = plan_of(PLAIN), plan_of(THINKING, every=3)
    plan = replace(plain, turns=plain.turns + thinking.turns)
    stage = staged(ollama_server(NEW), plan, checkpoints, reference)

    found = stage.report(*ARMS).triangle

    assert errors(stage.takes.values()) == []
    assert (found.parts.a, found.parts.b, found.parts.c) == ARMS[:3]
    assert found.conclusions == Counter({Conclusion.FAITHFUL: len(plan.turns)})
    assert found.ab.relation is found.bc.relation is Relation.SAME
    assert found.conclusion is Conclusion.FAITHFUL
    assert found.numerics in (Numerics.EQUAL, Numerics.WITHIN_NOISE)
    assert found.distance.same_top_p == 100
    assert "conclusion: the path is faithful" in text_of(stage.report(*ARMS))


def test_an_old_renderer_is_told_from_the_engine(ollama_server, checkpoints, reference):
    """0.24.0 does not open the thought after a tool's result; its engine computes the same."""
    stage = staged(ollama_server(OLD), plan_of(THINKING, every=5), checkpoints, reference)

    found = stage.report(*ARMS).triangle

    assert errors(stage.takes.values()) == []
    after_results = [t for t in stage.plan.turns if t.request.messages[-1]["role"] == "tool"]
    assert found.conclusions[Conclusion.RENDERER] == len(after_results) > 0
    assert found.conclusion is Conclusion.RENDERER
    assert found.bc.differing == 0
    assert found.numerics in (Numerics.EQUAL, Numerics.WITHIN_NOISE)
