"""Networks of the transformers library, traced by shapes: parameters, multiply-accumulates, what waits for what.

References: the library's own count of parameters, the published count of the released network, torch's own count of
floating-point operations, and the closed forms of the built-in families.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from interconnect.errors import InputError
from interconnect.optional import has_library
from metalrom.workloads.inventory import Inventory
from metalrom.workloads.inventory.read import read_inventory
from metalrom.workloads.inventory.schedule import longest_chain
from metalrom.workloads.inventory.traced import traced_inventory
from tests.scripts import load_script

pytestmark = pytest.mark.skipif(not has_library("torch", "transformers"), reason="the extra `networks` is missing")

NETWORKS = load_script("benchmarks/network_counts.py").NETWORKS

SMALL: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
# Of a kind each: encoder, Conv1D, grouped queries, experts behind a router, convolutions, encoder and decoder, sound
COUNTED: dict[str, dict[str, Any]] = {
    "BertForMaskedLM": {"model_type": "bert"} | SMALL,
    "GPT2LMHeadModel": {"model_type": "gpt2", "n_embd": 64, "n_head": 4, "n_layer": 2},
    "MistralForCausalLM": {"model_type": "mistral", "num_key_value_heads": 2, "vocab_size": 500} | SMALL,
    "MixtralForCausalLM": {"model_type": "mixtral", "num_key_value_heads": 2, "vocab_size": 500} | SMALL,
    "MobileNetV2ForImageClassification": {"model_type": "mobilenet_v2"},
    "ResNetForImageClassification": {"model_type": "resnet"},
    "T5ForConditionalGeneration": {"model_type": "t5", "num_layers": 2},
    "ViTForImageClassification": {"model_type": "vit"} | SMALL,
    "WhisperForConditionalGeneration": {"model_type": "whisper", "encoder_layers": 2, "decoder_layers": 2},
}


def traced(name: str, data: dict[str, Any], sequence: int | None = None) -> Inventory:
    return traced_inventory(data | {"architectures": [name]}, "config.json", image=None, sequence=sequence)


def built(name: str, data: dict[str, Any]) -> Any:
    """The library's model on the meta device, made without our reader."""
    import torch
    import transformers

    kind = getattr(transformers, name)
    config = kind.config_class(**{key: value for key, value in data.items() if key != "model_type"})
    config._attn_implementation = "eager"
    config._experts_implementation = "batched_mm"
    with torch.device("meta"):
        return kind(config).eval()


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_parameters_equal_the_library_and_the_published_count(name: str, tmp_path: Path) -> None:
    data, published = NETWORKS[name]
    path = tmp_path / "config.json"
    path.write_text(json.dumps(data | {"architectures": [name]}))
    found = read_inventory(str(path))
    assert found.parameters == built(name, data).num_parameters()
    assert published in (None, found.parameters)
    assert found.macs
    assert {step.layer for step in found.schedule} == {layer.name for layer in found.layers if layer.matrix}
    # a use waits for earlier ones alone, and no matrix is larger than the parameters that it is part of
    assert all(place < at for at, step in enumerate(found.schedule) for place in step.after)
    assert found.weights <= found.parameters + sum(layer.weights for layer in found.layers if not layer.parameters)


@pytest.mark.parametrize("name", sorted(COUNTED))
def test_products_equal_torchs_own_count(name: str) -> None:
    import torch
    from torch._subclasses import FakeTensorMode
    from torch.utils.flop_counter import FlopCounterMode

    data = COUNTED[name]
    found = traced(name, data, None if "Image" in name else 12)
    model = built(name, data)
    assert found.parameters == model.num_parameters()
    with FakeTensorMode(allow_non_fake_inputs=True), torch.device("meta"), torch.no_grad():
        words = torch.ones((1, 12), dtype=torch.long)
        inputs: dict[str, Any] = {
            "pixel_values": {"pixel_values": torch.ones((1, 3, 224, 224))},
            "input_features": {"input_features": torch.ones((1, 80, 3000)), "decoder_input_ids": words},
        }.get(model.main_input_name, {"input_ids": words})
        if name.startswith("T5"):
            inputs["decoder_input_ids"] = words
        with FlopCounterMode(display=False) as counter:
            model(**inputs, **({} if "pixel_values" in inputs else {"use_cache": False}))
    assert found.macs is not None
    assert found.attention_macs is not None
    assert 2 * (found.macs + found.attention_macs) == counter.get_total_flops()


BUILT_IN: dict[str, dict[str, Any]] = {
    "BertModel": {
        "model_type": "bert", "hidden_size": 96, "intermediate_size": 200, "max_position_embeddings": 64,
        "num_attention_heads": 4, "num_hidden_layers": 3, "type_vocab_size": 2, "vocab_size": 300,
    },
    "GPT2LMHeadModel": {
        "model_type": "gpt2", "n_embd": 96, "n_head": 4, "n_layer": 3, "n_positions": 64, "vocab_size": 300,
    },
    "LlamaForCausalLM": {
        "model_type": "llama", "hidden_size": 96, "intermediate_size": 200, "num_attention_heads": 4,
        "num_key_value_heads": 2, "num_hidden_layers": 3, "vocab_size": 300, "tie_word_embeddings": True,
    },
    "BitNetForCausalLM": {
        "model_type": "bitnet", "hidden_size": 96, "intermediate_size": 200, "num_attention_heads": 4,
        "num_key_value_heads": 2, "num_hidden_layers": 3, "vocab_size": 300, "tie_word_embeddings": True,
    },
    "ViTForImageClassification": {
        "model_type": "vit", "hidden_size": 96, "intermediate_size": 200, "num_attention_heads": 4,
        "num_hidden_layers": 3, "image_size": 64, "patch_size": 16,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_traced_network_equals_the_built_in_one(name: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(BUILT_IN[name] | {"architectures": [name]}))
    sequence = None if name.startswith("ViT") else 12
    closed, found = read_inventory(str(path), sequence=sequence), traced(name, BUILT_IN[name], sequence)
    for count in ("parameters", "weights", "macs", "attention_macs", "activations", "items"):
        assert getattr(found, count) == getattr(closed, count), count
    chains = [longest_chain(i.schedule, [1.0] * len(i.schedule))[0] for i in (found, closed)]
    assert chains[0] == chains[1]


def test_experts_wait_for_their_router_and_share_a_step() -> None:
    found = traced("MixtralForCausalLM", COUNTED["MixtralForCausalLM"], 12)
    experts = next(layer for layer in found.layers if layer.name.endswith("0.mlp.experts.gate_up_proj"))
    assert experts.matrix == (64, 2 * 96, 8)
    assert (experts.active, experts.vectors, experts.macs) == (2, 12, 12 * 2 * 64 * 2 * 96)
    # queries-keys-values, output, router, gate and up as one matrix, down; the output layer
    assert longest_chain(found.schedule, [1.0] * len(found.schedule))[0] == 2 * 5 + 1
    step = next(step for step in found.schedule if step.layer == experts.name)
    assert [found.schedule[place].layer for place in step.after] == ["model.layers.0.mlp.gate"]


def test_shared_blocks_are_stored_once_and_used_again() -> None:
    data = {"model_type": "albert", "hidden_size": 64, "embedding_size": 32, "intermediate_size": 96}
    found = traced("AlbertModel", data | {"num_attention_heads": 4, "num_hidden_layers": 5, "vocab_size": 300}, 12)
    uses = [step.layer for step in found.schedule if step.layer.endswith("query")]
    assert len(uses) == 5
    assert len(set(uses)) == 1
    # embedding projection, blocks, pooler
    assert longest_chain(found.schedule, [1.0] * len(found.schedule))[0] == 1 + 5 * 4 + 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"model_type": "mistrl"}, "model_type 'mistrl' is not supported; did you mean 'mistral'"),
        (
            {"model_type": "mistral", "architectures": ["TheirOwnModel"]},
            "architecture 'TheirOwnModel' is not supported",
        ),
        ({"model_type": "mistral", "architectures": ["BertModel"]}, "architecture 'BertModel' is not supported"),
        (
            {"model_type": "bert", "architectures": ["BertForMaskedLn"]},
            "architecture 'BertForMaskedLn' is not supported; did you mean 'BertForMaskedLM'",
        ),
        ({"model_type": "mistral", "architectures": ["logging"]}, "architecture 'logging' is not supported"),
        ({"model_type": "mistral", "num_hidden_layers": 10**6}, "num_hidden_layers: is 1000000, expected at most 1000"),
        ({"model_type": "mistral", "hidden_size": 10**12}, "hidden_size: is 1000000000000"),
        ({"model_type": "mistral", "hidden_size": "wide"}, "hidden_size"),
        ({"model_type": "detr"}, "timm"),
        (
            {"model_type": "upernet", "backbone_config": {"use_timm_backbone": True}},
            "backbone_config.use_timm_backbone",
        ),
        ({"model_type": "sam2_mask_decoder"}, "has no bare model"),
        ({"model_type": "bros"}, "cannot be traced by shapes alone .*bbox"),
        ({"model_type": "reformer"}, "cannot be traced by shapes alone"),
        ({"model_type": "llava", "architectures": ["LlavaForConditionalGeneration"]}, "cannot be traced by shapes"),
    ],
)
def test_what_is_refused_says_why(data: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        traced_inventory(data, "config.json", image=None, sequence=None)
    assert str(caught.value).startswith("config.json")


def test_inputs_are_checked() -> None:
    with pytest.raises(InputError, match="positions"):
        traced("OPTForCausalLM", {"model_type": "opt"}, sequence=4000)
