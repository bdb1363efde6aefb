"""Turn the tiny model's weights into a GGUF file of architecture ``gemma4``.

    python -m tests.tiny_gemma4.export_gguf model.safetensors tiny.gguf --type q8_0

Weights carry the names that google-deepmind/gemma gives them. Same input, same bytes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf.constants import GGMLQuantizationType, LlamaFileType, TokenType
from numpy.typing import NDArray
from safetensors.numpy import load_file
from sentencepiece import sentencepiece_model_pb2

from tests.tiny_gemma4 import moe
from tests.tiny_gemma4.tiny_config import TINY

type Array = NDArray[np.float32]
type Layout = Callable[[Array], Array]

FILE_TYPES = {
    "f32": LlamaFileType.ALL_F32,
    "f16": LlamaFileType.MOSTLY_F16,
    "q8_0": LlamaFileType.MOSTLY_Q8_0,
    "q4_0": LlamaFileType.MOSTLY_Q4_0,
}

MARKERS = frozenset(
    {
        "<|channel>",
        "<channel|>",
        "<|tool_call>",
        "<tool_call|>",
        "<|tool_response>",
        "<tool_response|>",
        '<|"|>',
    }
)
"""What a client must see in the text; Ollama's converter makes these control tokens as well."""

CONTROL = frozenset(
    {
        "<pad>",
        "<eos>",
        "<bos>",
        "<mask>",
        "[multimodal]",
        "<|tool>",
        "<tool|>",
        "<|think|>",
        "<|turn>",
        "<turn|>",
    }
)

PAD, END, START, UNKNOWN, END_OF_MESSAGE, END_OF_TURN = 0, 1, 2, 3, 50, 106


# How a weight of google-deepmind/gemma lies in a GGUF file: one row for each output.


def _same(w: Array) -> Array:
    return w


def _transposed(w: Array) -> Array:
    return w.T


def _head_rows(w: Array) -> Array:
    return w.transpose(0, 2, 1).reshape(-1, TINY.width)


def _first_head_rows(w: Array) -> Array:
    return _head_rows(w[0])


def _second_head_rows(w: Array) -> Array:
    return _head_rows(w[1])


def _head_columns(w: Array) -> Array:
    return w.reshape(-1, TINY.width).T


def _first(w: Array) -> Array:
    return w[0]


def _second(w: Array) -> Array:
    return w[1]


def _flat_rows(w: Array) -> Array:
    return w.reshape(len(w), -1)


def _flat_columns(w: Array) -> Array:
    return w.reshape(TINY.width, -1).T


MODEL_TENSORS: tuple[tuple[str, str, Layout], ...] = (
    ("token_embd", "embedder/input_embedding", _same),
    ("per_layer_token_embd", "embedder/per_layer_embeddings", _flat_rows),
    ("per_layer_model_proj", "embedder/per_layer_model_projection/w", _flat_columns),
    ("per_layer_proj_norm", "embedder/per_layer_projection_norm/scale", _same),
    ("output_norm", "final_norm/scale", _same),
)

LAYER_TENSORS: tuple[tuple[str, str, Layout], ...] = (
    ("attn_norm", "pre_attention_norm/scale", _same),
    ("attn_q", "attn/q_einsum/w", _head_rows),
    ("attn_q_norm", "attn/query_norm/scale", _same),
    ("attn_k", "attn/kv_einsum/w", _first_head_rows),
    ("attn_v", "attn/kv_einsum/w", _second_head_rows),
    ("attn_k_norm", "attn/key_norm/scale", _same),
    ("attn_output", "attn/attn_vec_einsum/w", _head_columns),
    ("post_attention_norm", "post_attention_norm/scale", _same),
    ("ffn_norm", "pre_ffw_norm/scale", _same),
    ("ffn_gate", "mlp/gating_einsum", _first),
    ("ffn_up", "mlp/gating_einsum", _second),
    ("ffn_down", "mlp/linear", _transposed),
    ("post_ffw_norm", "post_ffw_norm/scale", _same),
    ("inp_gate", "per_layer_input_gate/w", _transposed),
    ("proj", "per_layer_projection/w", _transposed),
    ("post_norm", "post_per_layer_input_norm/scale", _same),
    ("layer_output_scale", "skip_scale", _same),
)

KV_TENSORS = frozenset({"attn_k", "attn_v", "attn_k_norm"})


def rope_factors() -> Array:
    """Return the divisors of the rotation frequencies; a huge one means "not rotated"."""
    half = TINY.global_head // 2
    rotated = int(TINY.rotated * half)
    return np.array([1.0] * rotated + [1e30] * (half - rotated), np.float32)


def tensors(weights: dict[str, Array]) -> Iterator[tuple[str, Array]]:
    """Yield the file's tensors, in its order."""
    for name, source, layout in MODEL_TENSORS:
        yield f"{name}.weight", layout(weights[source])
    yield "rope_freqs.weight", rope_factors()
    for layer in range(TINY.layers):
        for name, source, layout in LAYER_TENSORS:
            if layer < TINY.own_kv or name not in KV_TENSORS:
                yield f"blk.{layer}.{name}.weight", layout(weights[f"layer_{layer}/{source}"])


def token_type(piece: Any, *, control: bool) -> TokenType:
    """Return the kind of token that a sentencepiece piece becomes."""
    text = piece.piece
    if piece.type == piece.BYTE:
        return TokenType.BYTE
    if text in MARKERS:
        return TokenType.CONTROL if control else TokenType.USER_DEFINED
    if text in CONTROL:
        return TokenType.CONTROL
    if text == "<unk>":
        return TokenType.UNKNOWN
    return TokenType.UNUSED if text.startswith("<unused") else TokenType.NORMAL


def merges(scores: dict[str, float]) -> list[str]:
    """Return every split of a piece into two pieces, the best piece first."""
    splits = [
        (-score, cut, f"{piece[:cut]} {piece[cut:]}")
        for piece, score in scores.items()
        for cut in range(1, len(piece))
        if piece[:cut] in scores and piece[cut:] in scores
    ]
    return ["\n \n", "\n\n \n", *(text for _, _, text in sorted(splits))]


def add_vocabulary(writer: gguf.GGUFWriter, tokenizer: Path, *, control: bool) -> None:
    """Write the tokenizer's pieces and the ids that begin and end things."""
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(tokenizer.read_bytes())
    writer.add_tokenizer_model("gemma4")
    writer.add_token_list([p.piece for p in model.pieces])
    writer.add_token_scores([p.score for p in model.pieces])
    writer.add_token_types([int(token_type(p, control=control)) for p in model.pieces])
    writer.add_token_merges(merges({p.piece: p.score for p in model.pieces if p.type == p.NORMAL}))
    writer.add_bos_token_id(START)
    writer.add_eos_token_id(END)
    writer.add_eot_token_id(END_OF_TURN)
    writer.add_eom_token_id(END_OF_MESSAGE)
    writer.add_unk_token_id(UNKNOWN)
    writer.add_pad_token_id(PAD)
    # Ollama reads this list, llama.cpp the single ids above.
    writer.add_array("tokenizer.ggml.eos_token_ids", [END, END_OF_TURN, END_OF_MESSAGE])
    # With true, Ollama 0.24.0 doubles the <bos> that its renderer has already written.
    writer.add_add_bos_token(False)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)


def add_sizes(writer: gguf.GGUFWriter) -> None:
    """Write the architecture's numbers."""
    layers = range(TINY.layers)
    writer.add_context_length(TINY.context)
    writer.add_embedding_length(TINY.width)
    writer.add_block_count(TINY.layers)
    writer.add_head_count(TINY.heads)
    writer.add_layer_norm_rms_eps(TINY.norm_epsilon)
    writer.add_key_length(TINY.global_head)
    writer.add_value_length(TINY.global_head)
    writer.add_key_length_swa(TINY.local_head)
    writer.add_value_length_swa(TINY.local_head)
    writer.add_sliding_window(TINY.window)
    writer.add_sliding_window_pattern([not TINY.is_global(layer) for layer in layers])
    writer.add_rope_freq_base(TINY.global_rope_base)
    writer.add_rope_freq_base_swa(TINY.local_rope_base)
    writer.add_rope_dimension_count(TINY.global_head)
    writer.add_rope_dimension_count_swa(TINY.local_head)
    writer.add_final_logit_softcapping(TINY.softcap)
    writer.add_feed_forward_length(
        [TINY.hidden if layer < TINY.own_kv else TINY.shared_hidden for layer in layers]
    )
    writer.add_head_count_kv(1)
    writer.add_shared_kv_layers(TINY.layers - TINY.own_kv)
    writer.add_embedding_length_per_layer_input(TINY.per_layer)


def add_tensor(writer: gguf.GGUFWriter, name: str, tensor: Array, kind: str) -> None:
    """Write one tensor; scales and other vectors stay f32."""
    tensor = np.ascontiguousarray(tensor, dtype=np.float32)
    # llama.cpp never quantises the router either.
    if tensor.ndim < 2 or kind == "f32" or "ffn_gate_inp" in name:
        writer.add_tensor(name, tensor)
    else:
        quantization = GGMLQuantizationType[kind.upper()]
        writer.add_tensor(name, gguf.quants.quantize(tensor, quantization), raw_dtype=quantization)


def export(weights: Path, out: Path, kind: str, *, control: bool = False) -> None:
    """Write a GGUF file; the tokenizer is the one beside this module.

    Args:
        weights: A safetensors file, f32 or f16.
        out: The file to write.
        kind: One of ``FILE_TYPES``.
        control: Type the markers of tools and thoughts CONTROL, as Ollama's own converter does.
    """
    loaded = {name: w.astype(np.float32) for name, w in load_file(str(weights)).items()}
    mixture = moe.SIGN in loaded
    writer = gguf.GGUFWriter(str(out), "gemma4")
    writer.add_name("tiny-gemma4-moe" if mixture else "tiny-gemma4")
    (moe.add_sizes if mixture else add_sizes)(writer)
    writer.add_file_type(FILE_TYPES[kind])
    add_vocabulary(writer, Path(__file__).with_name("tokenizer.model"), control=control)
    for name, tensor in (moe.tensors if mixture else tensors)(loaded):
        add_tensor(writer, name, tensor, kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main(argv: Sequence[str] | None = None) -> None:
    """Run the export as a command."""
    parser = argparse.ArgumentParser(prog="export_gguf", description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--type", choices=FILE_TYPES, default="f32", dest="kind")
    parser.add_argument("--control", action="store_true")
    args = parser.parse_args(argv)
    export(args.weights, args.out, args.kind, control=args.control)


if __name__ == "__main__":
    main()
