"""The model's shape is read from what Hugging Face writes, in its older and its newer form."""

import pytest

from tonearm.arms._jax_config import read

E2B = {
    "model_type": "gemma4_text",
    "vocab_size": 262144,
    "hidden_size": 1536,
    "intermediate_size": 6144,
    "num_attention_heads": 8,
    "num_key_value_heads": 1,
    "head_dim": 256,
    "layer_types": (["sliding_attention"] * 4 + ["full_attention"]) * 7,
    "sliding_window": 512,
    "final_logit_softcapping": 30.0,
    "hidden_size_per_layer_input": 256,
    "num_kv_shared_layers": 20,
    "use_double_wide_mlp": True,
}


@pytest.mark.parametrize(
    "whole",
    [
        {"global_head_dim": 512},
        {"per_layer_config": {"4": {"head_dim": 512}}},
        {},
    ],
)
def test_the_size_of_global_heads_is_found_where_it_stands(whole):
    config = read({"text_config": E2B | whole})

    assert (config.local_head, config.global_head) == (256, 512)
    assert config.global_kv_heads is None


def test_what_is_not_said_is_as_in_the_published_models():
    config = read(E2B)

    assert (config.local_rope_base, config.global_rope_base, config.rotated) == (10**4, 10**6, 0.25)
    assert sum(config.layers) == 7
    assert config.experts == 0


def test_experts_count_only_where_they_are_enabled():
    mixture = {"num_experts": 8, "top_k_experts": 2, "moe_intermediate_size": 64}

    assert read(E2B | mixture).experts == 0
    assert read(E2B | mixture | {"enable_moe_block": True}).experts_used == 2


@pytest.mark.parametrize("name", [name for name in E2B if "softcap" not in name])
def test_what_is_needed_and_missing_is_named(name):
    text = {k: v for k, v in E2B.items() if k != name}
    optional = {
        "model_type",
        "hidden_size_per_layer_input",
        "num_kv_shared_layers",
        "use_double_wide_mlp",
    }

    if name in optional:
        read(text)
    else:
        with pytest.raises(ValueError, match=f"does not say {name}"):
            read(text)


def test_another_family_is_refused():
    with pytest.raises(ValueError, match="of type 'gemma3_text', not gemma4"):
        read({"text_config": E2B | {"model_type": "gemma3_text"}})
