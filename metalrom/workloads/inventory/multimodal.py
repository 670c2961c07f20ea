"""MiniGPT-4: an image encoder, a query transformer and a projection in front of a language model."""

from metalrom.workloads.inventory.inventory import Inventory, joined
from metalrom.workloads.inventory.layers import Embedding, Linear, Norm, WorkloadLayer
from metalrom.workloads.inventory.transformers import LlamaShape, Vit, attention_part, feed_forward

IMAGE_TOKENS = 32
"""Vectors that the query transformer hands to the language model."""

EVA_WIDTH, QUERY_WIDTH, LLAMA_WIDTH = 1408, 768, 4096
_MINIGPT4 = "github.com/Vision-CAIR/MiniGPT-4, configuration of commit d94738a"


def eva_vit(image: tuple[int, int] = (224, 224)) -> Inventory:
    """EVA ViT-g/14 as MiniGPT-4 keeps it: 39 of 40 blocks, width 1408, no final norm and no classes, keys unbiased."""
    vit = Vit(
        width=EVA_WIDTH,
        depth=39,
        heads=16,
        hidden=6144,
        patch=14,
        key_bias=False,
        final_norm=False,
        classes=0,
    )
    words = f"image {image[0]}x{image[1]}, {vit.tokens(image)} tokens"
    return Inventory("EVA ViT-g/14 (39 blocks)", words, tuple(vit.layers(image)), _MINIGPT4)


def q_former(image_tokens: int = 257) -> Inventory:
    """BLIP-2's query transformer without its text parts: 32 queries, cross-attention in every second block."""
    layers: list[WorkloadLayer] = [
        Embedding("query_tokens", IMAGE_TOKENS, QUERY_WIDTH),
        Norm("embeddings.LayerNorm", QUERY_WIDTH),
    ]
    for block in range(12):
        name = f"encoder.layer.{block}"
        layers += attention_part(f"{name}.attention", QUERY_WIDTH, 12, IMAGE_TOKENS)
        if block % 2 == 0:
            cross = f"{name}.crossattention"
            layers += attention_part(cross, QUERY_WIDTH, 12, IMAGE_TOKENS, image_tokens, EVA_WIDTH)
        layers += feed_forward(f"{name}.query", QUERY_WIDTH, 3072, IMAGE_TOKENS)
    words = f"{IMAGE_TOKENS} queries over {image_tokens} image tokens"
    return Inventory("Q-Former (text parts removed)", words, tuple(layers), _MINIGPT4)


def projection(width: int = LLAMA_WIDTH) -> Inventory:
    """The linear layer from the query transformer to a language model of `width` (4096: 7B, 5120: 13B)."""
    layer = Linear("llama_proj", QUERY_WIDTH, width, IMAGE_TOKENS)
    return Inventory(f"projection {QUERY_WIDTH} to {width}", f"{IMAGE_TOKENS} vectors", (layer,), _MINIGPT4)


def minigpt4(tokens: int) -> Inventory:
    """MiniGPT-4 with Vicuna-7B: one 224 x 224 image and `tokens` words, read in one pass (no words generated)."""
    parts = (
        ("visual_encoder", eva_vit()),
        ("q_former", q_former()),
        ("projection", projection()),
        ("llama", Inventory("Vicuna-7B", "", tuple(LlamaShape().layers(tokens + IMAGE_TOKENS)), _MINIGPT4)),
    )
    words = f"image 224x224 and {tokens} words ({tokens + IMAGE_TOKENS} vectors into the language model)"
    whole = joined("MiniGPT-4 (Vicuna-7B)", words, parts, source=_MINIGPT4)
    note = "the norm between image encoder and query transformer (2816 parameters) is left out"
    return Inventory(whole.model, words, whole.layers, whole.source, notes=(note,))
