"""Counts of public networks against transformers' own, against published figures, and what is refused.

    python benchmarks/network_counts.py [--only NAME,NAME]

For every network: its parameters as `metalrom inventory config.json` counts them, as the library's model does (on the
meta device, without weights), and as published; multiply-accumulates with fixed weights and of activations. Then
multiply-accumulates of six against published figures, and configurations that are refused, with the sentence.
Needs the extra `networks`. Some minutes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interconnect.errors import InputError
from metalrom.workloads.inventory import Inventory, read_inventory

# The default of a configuration class is a released network, whose number of parameters (safetensors metadata on its
# page, or its paper) stands here; None: the default is no released network, or one with other classes.
NETWORKS: dict[str, tuple[dict[str, Any], int | None]] = {
    "AlbertModel": ({"model_type": "albert"}, 222_595_584),  # albert-xxlarge-v2: its blocks share their matrices
    "BartForConditionalGeneration": ({"model_type": "bart"}, 406_291_456),  # bart-large
    "BitNetForCausalLM": (
        {
            "model_type": "bitnet",
            "hidden_size": 2560,
            "intermediate_size": 6912,
            "num_hidden_layers": 30,
            "num_attention_heads": 20,
            "num_key_value_heads": 5,
            "vocab_size": 128256,
            "tie_word_embeddings": True,
        },
        2_412_820_480,
    ),  # bitnet-b1.58-2B-4T: 2,084,044,800 ternary weights in 210 layers, norms, one table of 128,256 x 2,560
    "BloomForCausalLM": ({"model_type": "bloom"}, None),
    "CLIPModel": ({"model_type": "clip"}, 151_277_313),  # clip-vit-base-patch32
    "ConvNextForImageClassification": ({"model_type": "convnext"}, None),
    "DebertaV2Model": ({"model_type": "deberta-v2"}, None),
    "DeiTForImageClassification": ({"model_type": "deit"}, None),
    "Dinov2Model": ({"model_type": "dinov2"}, None),
    "DistilBertModel": ({"model_type": "distilbert"}, 66_362_880),  # distilbert-base-uncased
    "ElectraModel": ({"model_type": "electra"}, None),
    "FalconForCausalLM": ({"model_type": "falcon"}, 6_921_720_704),  # falcon-7b
    "GPTJForCausalLM": ({"model_type": "gptj"}, 6_050_882_784),  # gpt-j-6b
    "GPTNeoXForCausalLM": ({"model_type": "gpt_neox"}, 20_554_567_680),  # gpt-neox-20b
    "Gemma2ForCausalLM": ({"model_type": "gemma2"}, 2_614_341_888),  # gemma-2-2b
    "GemmaForCausalLM": ({"model_type": "gemma"}, 8_537_680_896),  # gemma-7b
    "GptOssForCausalLM": ({"model_type": "gpt_oss"}, 116_829_156_672),  # gpt-oss-120b
    "MambaForCausalLM": ({"model_type": "mamba"}, None),
    "MistralForCausalLM": ({"model_type": "mistral"}, 7_241_732_096),  # Mistral-7B-v0.1
    "MixtralForCausalLM": ({"model_type": "mixtral"}, 46_702_792_704),  # Mixtral-8x7B-v0.1
    "MobileNetV2ForImageClassification": ({"model_type": "mobilenet_v2"}, None),
    "ModernBertModel": ({"model_type": "modernbert"}, 149_014_272),  # ModernBERT-base
    "OPTForCausalLM": ({"model_type": "opt"}, 125_239_296),  # opt-125m
    "Olmo2ForCausalLM": ({"model_type": "olmo2"}, None),
    "Phi3ForCausalLM": ({"model_type": "phi3"}, 3_821_079_552),  # Phi-3-mini-4k-instruct
    "PhiForCausalLM": ({"model_type": "phi"}, 1_418_270_720),  # phi-1_5
    "Qwen2ForCausalLM": ({"model_type": "qwen2"}, None),
    "Qwen3MoeForCausalLM": ({"model_type": "qwen3_moe"}, None),
    "ResNetForImageClassification": ({"model_type": "resnet"}, None),
    "RobertaModel": ({"model_type": "roberta"}, None),
    "SegformerForImageClassification": ({"model_type": "segformer"}, None),
    "SmolLM3ForCausalLM": ({"model_type": "smollm3"}, 3_075_098_624),  # SmolLM3-3B
    "Starcoder2ForCausalLM": ({"model_type": "starcoder2"}, 3_030_371_328),  # starcoder2-3b
    "SwinForImageClassification": ({"model_type": "swin"}, None),
    "T5ForConditionalGeneration": ({"model_type": "t5"}, 60_506_624),  # t5-small
    "Wav2Vec2Model": ({"model_type": "wav2vec2"}, 94_371_712),  # wav2vec2-base
    "WhisperForConditionalGeneration": ({"model_type": "whisper"}, 37_760_640),  # whisper-tiny
}

PUBLISHED: dict[str, tuple[str, Mapping[str, Any], float, str]] = {
    # multiply-accumulates, products of activations included, for an image of 224 x 224 or 128 words
    "ResNet-50": ("ResNetForImageClassification", {"model_type": "resnet", "num_labels": 1000}, 4.089e9, "torchvision"),
    "MobileNetV2": (
        "MobileNetV2ForImageClassification", {"model_type": "mobilenet_v2", "num_labels": 1000}, 0.300e9,
        "arXiv 1801.04381, table 4",
    ),
    "ConvNeXt-T": (
        "ConvNextForImageClassification", {"model_type": "convnext", "num_labels": 1000}, 4.456e9, "torchvision",
    ),
    "Swin-T": ("SwinForImageClassification", {"model_type": "swin", "num_labels": 1000}, 4.491e9, "torchvision"),
    "ViT-B/16": (
        "ViTForImageClassification",
        {"model_type": "vit", "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
         "num_attention_heads": 12, "image_size": 224, "patch_size": 16, "num_labels": 1000},
        17.564e9, "torchvision",
    ),
    "BERT-base": (
        "BertModel",
        {"model_type": "bert", "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
         "num_attention_heads": 12, "vocab_size": 30522, "max_position_embeddings": 512, "type_vocab_size": 2},
        11.25e9, "arXiv 2004.02984, table 4: 22.5 billion operations, two to a multiply-accumulate",
    ),
}  # fmt: skip
"""Architecture, configuration, multiply-accumulates and their source."""

REFUSED: dict[str, Mapping[str, Any]] = {
    "a network with a backbone of another library": {"model_type": "detr"},
    "values decide the shapes": {"model_type": "reformer"},
    "an input beside words and images": {"model_type": "bros"},
    "words must hold places for the image": {
        "model_type": "llava", "architectures": ["LlavaForConditionalGeneration"],
    },
    "a part that is never run alone": {"model_type": "sam2_mask_decoder"},
    "code of the author's own": {"model_type": "mistral", "architectures": ["TheirOwnModel"]},
    "a family that the library does not know": {"model_type": "rwkv7"},
    "more blocks than any network has": {"model_type": "mistral", "num_hidden_layers": 10**6},
}  # fmt: skip
"""What is refused, by its kind."""


def inventory_of(data: Mapping[str, Any]) -> Inventory:
    """What `metalrom inventory` counts of a configuration."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.write_text(json.dumps(data))
        try:
            return read_inventory(str(path))
        except InputError as error:
            raise InputError(str(error).removeprefix(f"{path}: ").replace(f"{path}", "config.json")) from None


def library_count(name: str, data: Mapping[str, Any]) -> int:
    """Parameters of the library's model of a class."""
    import torch
    import transformers

    kind = getattr(transformers, name)
    with torch.device("meta"):
        config = kind.config_class(**{key: value for key, value in data.items() if key != "model_type"})
        return int(kind(config).num_parameters())


def main() -> int:
    """Print the three tables; 1 if a count differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="names of the first table, separated by commas; default: all")
    chosen = parser.parse_args().only
    names = chosen.split(",") if chosen else list(NETWORKS)
    wrong = 0
    print(
        f"{'network':38} {'parameters':>16} {'transformers':>16} {'published':>16} {'MACs':>17} {'of activations':>16}"
    )
    for name in names:
        data, published = NETWORKS[name]
        found, own = inventory_of({**data, "architectures": [name]}), library_count(name, data)
        wrong += found.parameters != own or published not in (None, own)
        shown = "" if published is None else f"{published:,}"
        counts = f"{found.parameters:16,} {own:16,} {shown:>16} {found.macs or 0:17,} {found.attention_macs or 0:16,}"
        print(f"{name:38} {counts}{'' if found.parameters == own else '  DIFFERS'}", flush=True)
    print(f"\n{len(names) - wrong} of {len(names)} equal to the unit\n")
    print(f"{'network':12} {'MACs':>15} {'published':>15} {'off by':>7}  source")
    for name, (kind, data, reference, source) in PUBLISHED.items():
        found = inventory_of({**data, "architectures": [kind]})
        macs = (found.macs or 0) + (found.attention_macs or 0)
        print(f"{name:12} {macs:15,} {reference:15,.0f} {macs / reference - 1:+7.2%}  {source}", flush=True)
    print("\nrefused")
    for why, data in REFUSED.items():
        try:
            inventory_of(data)
            wrong += 1
            print(f"  {why}: NOT REFUSED")
        except InputError as error:
            print(f"  {why}: {error}", flush=True)
    return int(bool(wrong))


if __name__ == "__main__":
    raise SystemExit(main())
