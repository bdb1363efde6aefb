"""One model in two programs: JAX and llama.cpp agree, and damage to the weights is seen.

This is what a verdict on real weights rests on: the reference and the engine compute the same
where they should, and a report tells where they do not.
"""

from __future__ import annotations

import pytest

from tests.crown.stage import errors, text_of
from tonearm.replay.attribution import Conclusion
from tonearm.replay.excess import Relation
from tonearm.replay.triangle import Numerics

pytestmark = [pytest.mark.jax, pytest.mark.llama]

REFERENCES = ("jax-f32", "jax-bf16")

Q8_BAR = 1e-3
"""Mean size of the difference of a log-prob. 8-bit blocks round about as coarsely as bf16 does, so
that 8-bit weights have to stay within a few times the reference's own noise; in numbers that is
this on the trained model."""


def triangle(stage, engine, references=REFERENCES):
    return stage.report(engine, *references).triangle


def test_nobody_failed(confident, unsure, experts):
    for stage in (confident, unsure, experts):
        assert errors(stage.takes.values()) == []


@pytest.mark.parametrize("stage", ["confident", "unsure"])
def test_both_read_the_same_tokens(stage, request):
    takes = request.getfixturevalue(stage).takes
    digests = {}
    for (key, arm), take in takes.items():
        if arm in {"f32", *REFERENCES}:
            digests.setdefault(key, set()).add(take.rendered.ids_sha256)

    assert all(len(found) == 1 and None not in found for found in digests.values())


@pytest.mark.parametrize("stage", ["confident", "unsure"])
def test_full_precision_is_equal_in_both_programs(stage, request):
    """Every likeliest token is the same, and no log-prob is further off than rounding."""
    found = triangle(request.getfixturevalue(stage), "f32")

    assert found.numerics is Numerics.EQUAL
    assert found.distance.same_top_p == 100
    assert found.distance.max_delta < 1e-3
    assert found.distance.kld_low < 1e-5
    assert found.bc.differing == 0
    assert found.hazard == 0
    assert all(turn.bc is Relation.SAME and turn.departs is None for turn in found.turns)


@pytest.mark.parametrize("stage", ["confident", "unsure"])
def test_the_references_own_noise_is_larger_than_that_of_a_runtime(stage, request):
    found = triangle(request.getfixturevalue(stage), "f32")

    assert (found.parts.c, found.parts.other_c) == REFERENCES
    assert 10 * found.distance.mean_delta < found.noise.mean_delta < 0.01


@pytest.mark.parametrize("stage", ["confident", "unsure"])
def test_eight_bits_are_within_that_noise(stage, request):
    found = triangle(request.getfixturevalue(stage), "q8_0")

    assert found.quantization == "Q8_0"
    assert found.numerics is Numerics.WITHIN_NOISE
    if stage == "confident":
        assert found.distance.mean_delta < Q8_BAR


@pytest.mark.parametrize("stage", ["confident", "unsure"])
def test_four_bits_are_detected(stage, request):
    stage = request.getfixturevalue(stage)

    found = triangle(stage, "q4_0")

    assert found.quantization == "Q4_0"
    assert found.numerics is Numerics.DIFFERENT
    assert "log-probs against C: different;" in text_of(stage.report("q4_0", *REFERENCES))


def test_four_bits_depart_where_the_model_is_unsure(unsure):
    """The sensitive fixture: other tokens, not only other numbers."""
    found = triangle(unsure, "q4_0")

    assert found.distance.same_top_p < 100
    assert found.hazard > 0
    assert found.conclusion is Conclusion.ENGINE
    assert triangle(unsure, "q8_0").distance.mean_delta < found.distance.mean_delta / 5


def test_a_sound_mixture_of_experts_agrees_too(experts):
    """Experts are chosen by comparing numbers, so that rounding can show more than elsewhere."""
    found = triangle(experts, "f32", ("repaired-f32", "repaired-bf16"))

    assert found.defect == ""
    assert found.numerics in (Numerics.EQUAL, Numerics.WITHIN_NOISE)
    assert found.distance.same_top_p == 100
    assert found.distance.mean_delta < 1e-3
