"""The reference answers and judges, and refuses by name what it cannot do."""

from __future__ import annotations

import json
from collections import defaultdict

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.arms.test_llama_cpp import CALL, GREEDY, request
from tests.tiny_gemma4.checkpoint import write_checkpoint, write_config
from tests.tiny_gemma4.hugging_face import hugging_face
from tonearm.arms import Case, Draft
from tonearm.arms._jax_pack import bucket
from tonearm.errors import ArmUnavailable

pytestmark = pytest.mark.jax


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return write_checkpoint(tmp_path_factory.mktemp("model"))


def judged(reference, checkpoint, *drafts, asked=None, **settings):
    """Return the take of one request after judging drafts."""
    settings = {"dtype": "f32"} | settings
    case = Case(request=asked or request(), drafts=drafts)
    return reference.judge(checkpoint, [case], **settings)[0]


def log_probs(take, number=0):
    return np.array([token.logprob for token in take.scored[number].tokens])


def test_every_layer_of_a_sampled_take_is_filled(reference, checkpoint):
    (take,) = reference.play(checkpoint, request(), dtype="f32")

    assert take.error is None
    assert take.rendered.prompt.endswith("Add 19 and 37.<turn|>\n<|turn>model\n")
    assert take.rendered.tokens == take.wire.prompt_eval_count
    assert len(take.rendered.ids_sha256) == 64
    assert take.decoded.completion == CALL
    assert "".join(token.text for token in take.decoded.tokens) == CALL
    assert [(c.name, c.arguments) for c in take.answer.tool_calls] == [("add", {"a": 19, "b": 37})]
    assert (take.wire.done, take.wire.done_reason, take.wire.eval_count) == (True, "stop", 14)
    assert take.blind == {}


def test_a_take_is_pinned(reference, checkpoint):
    (take,) = reference.play(checkpoint, request(), dtype="f32")

    assert take.pin.runtime.startswith("gemma 4.")
    assert ", jax 0." in take.pin.runtime
    assert (take.pin.quantization, take.pin.parameter_size) == ("F32", "1.57M")
    assert len(take.pin.digest) == len(take.pin.template_sha256) == 64
    assert take.pin.model == "tiny-gemma4:e2b"


def test_an_answer_that_it_would_have_written_is_not_written_again(reference, checkpoint):
    (written,) = reference.play(checkpoint, request(), dtype="f32")

    take = judged(reference, checkpoint, Draft(arm="b", completion=CALL))

    assert (take.answer, take.wire, take.rendered) == (
        written.answer,
        written.wire,
        written.rendered,
    )
    assert [t.text for t in take.decoded.tokens] == [t.text for t in written.decoded.tokens]
    assert take.scored[0].departs is None
    assert take.scored[0].tokens[-1].text == "<|tool_response>"
    assert take.scored[0].recut


def test_an_answer_that_departs_is_located_and_answered_by_its_own(reference, checkpoint):
    wrong = CALL.replace("37", "38")

    take = judged(reference, checkpoint, Draft(arm="b", completion=wrong))

    (scored,) = take.scored
    assert scored.tokens[scored.departs].text == "38"
    assert scored.tokens[scored.departs].rank > 0
    assert scored.tokens[scored.departs].top[0][0] == "37"
    assert take.decoded.completion == CALL


def test_the_others_own_tokens_are_scored_where_they_are_known(reference, checkpoint):
    """Sampling can cut a text otherwise than the tokenizer would."""
    pieces = ("<|tool_call>", "call:", "add", "{", "a", ":", "1", "9", ",", "b", ":", "37", "}")
    draft = Draft(arm="b", completion="".join(pieces), tokens=pieces, ended=False)

    take = judged(reference, checkpoint, draft)

    (scored,) = take.scored
    assert tuple(token.text for token in scored.tokens) == pieces
    assert not scored.recut
    assert scored.departs == pieces.index("1")


def test_an_answer_that_was_cut_off_is_scored_without_an_end(reference, checkpoint):
    take = judged(
        reference, checkpoint, Draft(arm="b", completion="<|tool_call>call:", ended=False)
    )

    assert [t.text for t in take.scored[0].tokens] == ["<|tool_call>", "call:"]
    assert (take.wire.done_reason, take.decoded.completion) == ("length", "<|tool_call>call:")


def test_the_score_of_a_turn_does_not_depend_on_what_is_scored_beside_it(reference, checkpoint):
    """Turns share passes: one conversation is one row, others pad the batch."""
    history = [
        {"role": "user", "content": "Add 19 and 37."},
        {"role": "assistant", "content": "", "tool_calls": [_call(19, 37)]},
        {"role": "tool", "tool_name": "add", "content": "56"},
    ]
    cases = [
        Case(request=request(), drafts=(Draft(arm="b", completion=CALL),)),
        Case(request=request(messages=history), drafts=(Draft(arm="b", completion="It is 56."),)),
        Case(request=request("Hello!" * 9), drafts=(Draft(arm="b", completion="Hi."),)),
    ]

    together = reference.judge(checkpoint, cases, dtype="f32")
    alone = [reference.judge(checkpoint, [case], dtype="f32")[0] for case in cases]

    for one, other in zip(together, alone, strict=True):
        assert log_probs(one) == pytest.approx(log_probs(other), abs=1e-5)


def _call(a, b):
    return {"function": {"name": "add", "arguments": {"a": a, "b": b}}}


def test_lengths_of_one_bucket_share_a_compilation(reference, checkpoint):
    reference.arm(checkpoint, dtype="f32")
    compilations = defaultdict(list)

    for words in range(1, 60, 4):
        draft = {"text": "Hi.", "tokens": None, "end": "<turn|>"}
        item = {"prompt": "Hello! " * words, "drafts": [draft]}
        reply = reference.ask("score", items=[item], context=1024, top=5)
        length = len(reply["items"][0]["ids"]) + len(reply["items"][0]["drafts"][0]["tokens"])
        compilations[bucket(length)].append(reply["compilations"])

    assert len(compilations) > 1
    for first, *others in compilations.values():
        assert first <= 2
        assert set(others) == {0}


def test_a_seed_repeats_a_sampled_answer_and_another_does_not(reference, checkpoint):
    hot = GREEDY | {"temperature": 50.0, "top_k": 0, "top_p": 1.0, "num_predict": 12}
    seeds = [request(options=hot | {"seed": seed}) for seed in (1, 1, 2)]

    takes = reference.play(checkpoint, *seeds, dtype="f32")

    first, again, other = (take.decoded.completion for take in takes)
    assert first == again != other
    assert takes[0].wire.done_reason == "length"


def test_top_k_and_top_p_bound_what_is_sampled(reference, checkpoint):
    hot = GREEDY | {"temperature": 50.0, "seed": 3}

    narrow = [request(options=hot | {"top_k": 1}), request(options=hot | {"top_p": 1e-9})]

    for take in reference.play(checkpoint, *narrow, dtype="f32"):
        assert take.decoded.completion == CALL


def test_in_sample_mode_nothing_is_scored(reference, checkpoint):
    take = judged(reference, checkpoint, Draft(arm="b", completion="No."), mode="sample")

    assert take.scored == ()
    assert take.decoded.completion == CALL


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"options": GREEDY | {"num_predict": 999}}, "cache_too_short: a prompt of 65 tokens"),
        ({"options": GREEDY | {"repeat_penalty": 1.3}}, "cannot apply repeat_penalty 1.3"),
        ({"format": "json"}, "unsupported_option: the reference cannot apply format"),
        (
            {"messages": [{"role": "user", "content": "?", "images": ["aGk="]}]},
            "images_unsupported: messages[0]",
        ),
    ],
)
def test_what_it_cannot_answer_is_refused_by_name(reference, checkpoint, fields, error):
    """The others of the batch are answered."""
    cases = [Case(request=request(**fields)), Case(request=request())]

    refused, answered = reference.judge(checkpoint, cases, dtype="f32", context="200")

    assert error in refused.error
    assert refused.answer is None
    assert answered.decoded.completion == CALL


def test_a_stop_that_ends_the_turn_anyway_is_no_obstacle(reference, checkpoint):
    """Ollama's own model files name one."""
    asked = request(options=GREEDY | {"stop": ["<turn|>"]})

    take = judged(reference, checkpoint, Draft(arm="b", completion=CALL), asked=asked)
    (written,) = reference.play(checkpoint, asked, dtype="f32")
    (refused,) = reference.play(checkpoint, request(options=GREEDY | {"stop": ["}"]}), dtype="f32")

    assert take.decoded.completion == written.decoded.completion == CALL
    assert refused.error.endswith("cannot apply stop ['}']")


def test_a_conversation_that_is_too_long_to_score_is_refused(reference, checkpoint):
    draft = Draft(arm="b", completion="Hello! " * 99)

    take = judged(reference, checkpoint, draft, context="100")

    assert take.error.startswith("cache_too_short: a conversation of ")


def test_half_precision_is_near_and_not_equal(reference, checkpoint):
    draft = Draft(arm="b", completion=CALL)

    whole = log_probs(judged(reference, checkpoint, draft))
    half = log_probs(judged(reference, checkpoint, draft, dtype="bf16"))

    assert half == pytest.approx(whole, abs=0.05)
    assert np.abs(half - whole).max() > 1e-6


def test_weights_may_lie_on_several_devices(reference, checkpoint):
    draft = Draft(arm="b", completion=CALL.replace("37", "38"))

    one = judged(reference, checkpoint, draft)
    spread = judged(reference, checkpoint, draft, sharding="fsdp")

    assert log_probs(spread) == pytest.approx(log_probs(one), abs=1e-4)
    assert spread.decoded.completion == one.decoded.completion


@pytest.mark.parametrize(
    ("name", "billions"), [("E2B", 4.65), ("E4B", 7.52), ("26B_A4B", 25.2), ("31B", 30.7)]
)
def test_published_models_are_known_by_name_and_by_their_config(reference, name, billions):
    """Neither weights nor memory are needed to see that a ``config.json`` gives the same model."""
    found = reference.ask("published", name=name)

    assert found["differences"] == []
    assert found["parameters"] / 1e9 == pytest.approx(billions, rel=5e-3)


def test_an_orbax_checkpoint_is_read(reference, checkpoint, tmp_path):
    draft = Draft(arm="b", completion=CALL)
    expected = log_probs(judged(reference, checkpoint, draft))
    reference.ask("save_orbax", folder=str(tmp_path / "orbax"))
    write_config(tmp_path / "orbax", "model")

    tokenizer = str(checkpoint / "tokenizer.model")
    take = judged(reference, tmp_path / "orbax", draft, tokenizer=tokenizer)

    assert log_probs(take) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("weights", ["model", "moe"])
def test_names_and_shapes_of_hugging_face_are_read(reference, tmp_path, weights):
    draft = Draft(arm="b", completion=CALL)
    plain = write_checkpoint(tmp_path / "flax", weights)
    other = write_checkpoint(tmp_path / "hf", weights)
    save_file(hugging_face(load_file(plain / "model.safetensors")), other / "model.safetensors")

    expected = log_probs(judged(reference, plain, draft, defects="accept"))

    take = judged(reference, other, draft, defects="accept")
    assert log_probs(take) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"hidden_size": 64}, "has the shape .* the model needs"),
        ({"vocab_size": 99}, "has the shape .* the model needs"),
        ({"sliding_window": None}, "does not say sliding_window"),
        ({"model_type": "llama"}, "of type 'llama', not gemma4"),
        ({"layer_types": ["full_attention"] * 5}, "holds layer_5/attn/.*, which .* lacks"),
        ({"hidden_size_per_layer_input": 0}, "holds embedder/per_layer_embeddings, which .* lacks"),
    ],
)
def test_weights_that_do_not_fit_their_config_are_refused(reference, tmp_path, change, problem):
    folder = write_checkpoint(tmp_path / "model")
    config = json.loads((folder / "config.json").read_text())
    config["text_config"] |= change
    (folder / "config.json").write_text(json.dumps(config))

    with pytest.raises(ArmUnavailable, match=rf"bad_checkpoint: .*{problem}"):
        reference.arm(folder)


def test_a_mixture_of_experts_is_refused_while_the_library_computes_it_wrongly(reference, tmp_path):
    folder = write_checkpoint(tmp_path / "moe", "moe")

    with pytest.raises(ArmUnavailable, match=r"reference_defect: .*router.*commit ab5a660"):
        reference.arm(folder)

    (take,) = reference.play(folder, request(), defects="accept")
    assert take.pin.runtime.endswith("with reference_defect: router")


def test_a_repaired_library_is_recognised_by_what_it_does(reference, tmp_path):
    folder = write_checkpoint(tmp_path / "moe", "moe")
    reference.repair_router(True)
    try:
        (take,) = reference.play(folder, request())
    finally:
        reference.repair_router(False)

    assert "defect" not in take.pin.runtime
    assert take.decoded.completion == CALL
