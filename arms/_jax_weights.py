# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call"
"""Read a checkpoint into the tree of parameters that the library's model expects.

Only the reference's own process imports this module.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from gemma import gm
from numpy.typing import NDArray
from safetensors import safe_open

type Array = NDArray[Any]
type Shapes = dict[str, tuple[int, ...]]
type Tree = dict[str, Any]
type Read = Callable[[str], Array]

PREFIXES = ("model.language_model.", "language_model.model.", "model.", "")
"""What stands before the text model's names in Hugging Face's files."""


def orbax(folder: Path, sharding: Any) -> Tree:
    """Return the parameters of an orbax checkpoint, without its image and audio encoders."""
    params: Tree = gm.ckpts.load_params(str(folder), text_only=True, sharding=sharding)
    return params


def flax(folder: Path, shapes: Shapes, dtype: Any) -> Tree:
    """Return the parameters of safetensors files with the library's names.

    Raises:
        ValueError: A tensor is missing, or has another shape than the model's.
    """
    tensors = _open(folder)
    refuse_unused(set(tensors) - set(shapes))
    return _tree(shapes, dtype, lambda name, _: _get(tensors, name))


def hugging_face(folder: Path, shapes: Shapes, dtype: Any) -> Tree:
    """Return the parameters of safetensors files with Hugging Face's names.

    Raises:
        ValueError: A tensor is missing, or has another shape than the model's.
    """
    tensors = _open(folder)
    start = next((p for p in PREFIXES if f"{p}embed_tokens.weight" in tensors), "")
    mixture = "layer_0/mlp2/linear" in shapes
    used: set[str] = set()

    def read(name: str) -> Array:
        used.add(start + name)
        return _get(tensors, start + name)

    def make(name: str, shape: tuple[int, ...]) -> Array:
        layer, _, rest = name.partition("/")
        if not layer.startswith("layer_"):
            return _of_model(read, name, shape)
        at = f"layers.{layer.removeprefix('layer_')}."
        shared = f"{start}{at}self_attn.k_proj.weight" not in tensors
        return _of_layer(lambda part: read(at + part), rest, shape, mixture=mixture, shared=shared)

    tree = _tree(shapes, dtype, make)
    refuse_unused({n for n in tensors if n.startswith(start + "layers.")} - used)
    return tree


def refuse_unused(names: set[str]) -> None:
    """Refuse a checkpoint of which the model would leave something out.

    Raises:
        ValueError: There are such tensors.
    """
    if names:
        raise ValueError(f"it holds {min(names)}, which the model that config.json describes lacks")


def _of_model(read: Read, name: str, shape: tuple[int, ...]) -> Array:
    match name:
        case "embedder/input_embedding":
            return read("embed_tokens.weight")
        case "embedder/per_layer_embeddings":
            return read("embed_tokens_per_layer.weight").reshape(shape)
        case "embedder/per_layer_model_projection/w":
            return read("per_layer_model_projection.weight").T.reshape(shape)
        case "embedder/per_layer_projection_norm/scale":
            return read("per_layer_projection_norm.weight")
        case "final_norm/scale":
            return read("norm.weight")
    raise ValueError(f"the model has a parameter {name} that this layout does not hold")


NORMS = {
    "pre_attention_norm/scale": "input_layernorm.weight",
    "post_attention_norm/scale": "post_attention_layernorm.weight",
    "post_ffw_norm/scale": "post_feedforward_layernorm.weight",
    "post_per_layer_input_norm/scale": "post_per_layer_input_norm.weight",
    "attn/query_norm/scale": "self_attn.q_norm.weight",
    "attn/key_norm/scale": "self_attn.k_norm.weight",
    "skip_scale": "layer_scalar",
}
DENSE = {"pre_ffw_norm/scale": "pre_feedforward_layernorm.weight"}
MIXTURE = {
    # The library calls the experts mlp and the dense branch mlp2; Hugging Face's mlp is dense.
    "pre_ffw2_norm/scale": "pre_feedforward_layernorm.weight",
    "post_ffw2_norm/scale": "post_feedforward_layernorm_1.weight",
    "pre_ffw_norm/scale": "pre_feedforward_layernorm_2.weight",
    "post_ffw1_norm/scale": "post_feedforward_layernorm_2.weight",
    "mlp/router_scale": "router.scale",
    "mlp/per_expert_scale": "router.per_expert_scale",
}


def _of_layer(
    read: Read, name: str, shape: tuple[int, ...], *, mixture: bool, shared: bool
) -> Array:
    plain = NORMS | (MIXTURE if mixture else DENSE)
    if shared and name in {"attn/kv_einsum/w", "attn/key_norm/scale"}:
        return np.zeros(shape, np.float32)  # never used: the layer takes an earlier one's
    if name in plain:
        return read(plain[name]).reshape(shape)
    match name:
        case "attn/q_einsum/w":
            return _heads(read("self_attn.q_proj.weight"), shape)
        case "attn/k_einsum/w":
            return _heads(read("self_attn.k_proj.weight"), shape)
        case "attn/kv_einsum/w":
            both = (read("self_attn.k_proj.weight"), read("self_attn.v_proj.weight"))
            return np.stack([_heads(w, shape[1:]) for w in both])
        case "attn/attn_vec_einsum/w":
            return read("self_attn.o_proj.weight").T.reshape(shape)
        case "mlp/gating_einsum" | "mlp2/gating_einsum":
            return np.stack([read("mlp.gate_proj.weight"), read("mlp.up_proj.weight")])
        case "mlp/linear" | "mlp2/linear":
            return read("mlp.down_proj.weight").T
        case "mlp/gating_einsum/w":
            return read("experts.gate_up_proj").reshape(shape)
        case "mlp/linear/w":
            return read("experts.down_proj").transpose(0, 2, 1)
        case "mlp/router_logits/w":
            return read("router.proj.weight").T
        case "per_layer_input_gate/w":
            return read("per_layer_input_gate.weight").T
        case "per_layer_projection/w":
            return read("per_layer_projection.weight").T
    raise ValueError(f"the model has a parameter {name} that this layout does not hold")


def _heads(w: Array, shape: tuple[int, ...]) -> Array:
    """Return rows of all heads, one behind the other, as heads of ``[width, size]``."""
    heads, width, size = shape
    return w.reshape(heads, size, width).transpose(0, 2, 1)


def _open(folder: Path) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted(folder.glob("*.safetensors")):
        # bfloat16 is no type of numpy's own, but one of JAX's.
        file = safe_open(str(path), framework="flax")
        found |= dict.fromkeys(file.keys(), file)
    return found


def _get(tensors: Mapping[str, Any], name: str) -> Array:
    if name not in tensors:
        raise ValueError(f"the checkpoint has no tensor {name}")
    return np.asarray(tensors[name].get_tensor(name))


def _tree(shapes: Shapes, dtype: Any, make: Callable[[str, tuple[int, ...]], Array]) -> Tree:
    made = {}
    for name, shape in shapes.items():
        tensor = make(name, shape)
        if tensor.shape != shape:
            raise ValueError(f"{name} has the shape {tensor.shape}, the model needs {shape}")
        made[name] = jnp.asarray(tensor, dtype)
    return nest(made)


def nest(leaves: Mapping[str, Any]) -> Tree:
    """Return the tree of leaves that are named by their path."""
    tree: Tree = {}
    for name, leaf in leaves.items():
        *path, last = name.split("/")
        place = tree
        for step in path:
            place = place.setdefault(step, {})
        place[last] = leaf
    return tree


def flat(tree: Tree) -> Shapes:
    """Return the shapes of a tree's leaves, by their names joined with ``/``."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {"/".join(str(k.key) for k in path): tuple(leaf.shape) for path, leaf in leaves}
