"""Inventories of built-in networks equal published and independently derived counts, to the unit."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interconnect.errors import InputError
from metalrom.workloads.inventory.catalogue import MODELS, SIZES, at_size, build_inventory
from metalrom.workloads.inventory.inventory import Inventory
from metalrom.workloads.inventory.layers import Attention, Conv, Linear
from metalrom.workloads.inventory.read import read_inventory
from metalrom.workloads.inventory.tiling import tile_inventory
from netlists.mapping import MacroShape, tile, via_program

# Counts of an analytic survey whose parameter totals equal the published ones; (parameters, weights in matrices, MACs
# of matrices, attention MACs, activations into and out of matrices inside the blocks, that is without output layers).
SURVEY = {
    ("resnet-34", (32, 32), None): (21797672, 21779648, 75272192, 0, 70656, 77288),
    ("resnet-34", (224, 224), None): (21797672, 21779648, 3663761408, 0, 3437568, 3739112),
    ("resnet-34", (512, 512), None): (21797672, 21779648, 19139121152, 0, 17957376, 19530728),
    ("resnet-34", (1080, 1920), None): (21797672, 21779648, 151995453440, 0, 142280192, 154737640),
    ("alexnet", (224, 224), None): (61100840, 61090496, 714188480, 0, 355200, 494184),
    ("alexnet", (512, 512), None): (61100840, 61090496, 3707333312, 0, 1857408, 2664552),
    ("alexnet", (1080, 1920), None): (61100840, 61090496, 29683207232, 0, 14822400, 21441832),
    ("bert-base", None, 12): (109482240, 85524480, 1019805696, 2654208, 995328, 995328),
    ("bert-base", None, 128): (109482240, 85524480, 10872225792, 301989888, 10616832, 10616832),
    ("bert-base", None, 512): (109482240, 85524480, 43487133696, 4831838208, 42467328, 42467328),
    ("vicuna-7b", None, 12): (6738415616, 6607077376, 79284928512, 37748736, 13664256, 16318464),
    ("vicuna-7b", None, 128): (6738415616, 6607077376, 845705904128, 4294967296, 145752064, 174063616),
    ("vicuna-7b", None, 512): (6738415616, 6607077376, 3382823616512, 68719476736, 583008256, 696254464),
    ("vit-b/16", None, None): (86567656, 86292480, 16848500736, 715327488, None, None),
    ("eva-vit-g/14", None, None): (985894528, 984850944, 253105864704, 7253765376, None, None),
    ("q-former", None, None): (105162240, 104988672, 6279266304, 94666752, None, None),
    ("projection-4096", None, None): (3149824, 3145728, 100663296, 0, None, None),
    ("projection-5120", None, None): (3937280, 3932160, 125829120, 0, None, None),
}
OUTPUT_LAYERS = ("pooler.dense", "lm_head")


@pytest.mark.parametrize("case", SURVEY, ids=lambda c: f"{c[0]}-{c[1] or c[2] or ''}")
def test_counts_equal_the_survey(case: tuple[str, tuple[int, int] | None, int | None]) -> None:
    name, image, sequence = case
    found = build_inventory(name, image=image, sequence=sequence)
    parameters, weights, macs, attention, inside, outside = SURVEY[case]
    assert (found.parameters, found.weights) == (parameters, weights)
    assert (found.macs, found.attention_macs) == (macs, attention)
    if inside is not None:
        blocks = [layer for layer in found.layers if layer.name not in OUTPUT_LAYERS]
        assert sum(layer.activations_in or 0 for layer in blocks) == inside
        assert sum(layer.activations_out or 0 for layer in blocks) == outside


@pytest.mark.parametrize(
    ("name", "image", "giga"),
    [
        # torchvision prints GFLOPS (its multiply-adds) with each model's weights: _ops of the model cards
        ("alexnet", None, 0.714),
        ("resnet-18", None, 1.814),
        ("resnet-34", None, 3.664),
        ("vit-b/16", None, 17.564),
    ],
)
def test_multiply_adds_are_those_of_torchvision(name: str, image: tuple[int, int] | None, giga: float) -> None:
    found = build_inventory(name, image=image)
    assert found.macs is not None
    assert found.attention_macs is not None
    assert (found.macs + found.attention_macs) / 1e9 == pytest.approx(giga, abs=5e-4)


@pytest.mark.parametrize(
    ("size", "macs", "attention"),
    # sums over image encoder, query transformer, projection and language model of 32 + words vectors
    [
        ("S", 550_197_198_848, 7_855_942_912),
        ("M", 1_316_618_174_464, 14_059_318_528),
        ("L", 3_853_735_886_848, 84_926_278_912),
    ],
)
def test_minigpt4_is_the_sum_of_its_parts(size: str, macs: int, attention: int) -> None:
    words = SIZES[size].sequence
    found = at_size("minigpt-4", SIZES[size])
    parts: list[Inventory] = [
        build_inventory("eva-vit-g/14"),
        build_inventory("q-former"),
        build_inventory("projection-4096"),
        build_inventory("vicuna-7b", sequence=words + 32),
    ]
    assert found.parameters == sum(part.parameters for part in parts) == 7_832_622_208
    assert found.macs == macs == sum(part.macs or 0 for part in parts)
    assert found.attention_macs == attention


def test_alexnet_needs_a_stand_in_at_32() -> None:
    with pytest.raises(InputError, match=r"cannot take an image of 32x32.*63x63.*alexnet-cifar"):
        build_inventory("alexnet", image=(32, 32))
    assert build_inventory("alexnet", image=(63, 63)).parameters == 61100840  # parameters do not depend on the image
    found = at_size("alexnet", SIZES["S"])
    assert found.model == "AlexNet (CIFAR variant)"
    assert found.parameters == 2_472_266  # 2.47 M in the README of bearpaw/pytorch-classification
    # by hand: 8x8x64x363 + 4x4x192x1600 + 2x2x(384x1728 + 256x3456 + 256x2304) + 256x10
    assert found.macs == 64 * 64 * 363 + 16 * 192 * 1600 + 4 * (384 * 1728 + 256 * 3456 + 256 * 2304) + 2560


def test_names_are_found_however_they_are_spelled() -> None:
    for name in ("ResNet-34", "resnet34", "RESNET_34"):
        assert build_inventory(name, image=(32, 32)).macs == 75272192
    with pytest.raises(InputError, match="unknown model 'bret-base'; did you mean 'bert-base'"):
        read_inventory("bret-base")


@pytest.mark.parametrize(
    ("model", "image", "sequence", "words"),
    [
        ("bert-base", (224, 224), None, "accepts no image size; it takes a sequence length"),
        ("resnet-34", None, 8, "accepts no sequence length; it takes an image"),
        ("q-former", None, 8, "its input is fixed"),
        ("bert-base", None, 513, "sequence of 513 exceeds the model's 512 positions"),
        ("vit-b/16", (1080, 1920), None, "1080x1920 does not split into patches of 16x16"),
        ("resnet-34", (0, 5), None, "an input of 0 is out of range"),
        ("vicuna-7b", None, 10**9, "out of range"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(
    model: str, image: tuple[int, int] | None, sequence: int | None, words: str
) -> None:
    with pytest.raises(InputError, match=words):
        read_inventory(model, image=image, sequence=sequence)


def test_json_document_has_the_four_keys_and_adds_up() -> None:
    data = build_inventory("bert-base", sequence=12).to_dict()
    assert {"parameters", "macs", "activations", "layers"} <= set(data)
    for key in ("parameters", "macs", "weights", "attention_macs"):
        assert data[key] == sum(layer[key] for layer in data["layers"])
    assert data["activations"] == data["activations_in"] + data["activations_out"]


def test_grouped_convolution() -> None:
    # depthwise 3x3 over 8 channels of 10x6, stride 2, padding 1: 5x3 positions of 9 products each
    conv = Conv("dw", 8, 8, (3, 3), (10, 6), stride=2, padding=1, groups=8, bias=False)
    assert conv.output_size == (5, 3)
    assert (conv.parameters, conv.macs) == (72, 72 * 15)
    assert conv.matrix == (9, 1, 8)


def test_attention_counts_every_pair() -> None:
    # 3 queries, 5 keys, 4 heads of 2: each pair takes 2 products for its score and 2 for the weighted sum, per head
    attention = Attention("a", heads=4, head_width=2, queries=3, keys=5, key_heads=2)
    assert attention.attention_macs == sum(2 + 2 for _ in range(3) for _ in range(5) for _ in range(4))
    assert attention.operands == 2 * 5 * 2 * 2
    assert attention.moved == 2 * 3 * 8 + attention.operands + 2 * 4 * 3 * 5


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(1, 40),
    outputs=st.integers(1, 9),
    shape=st.tuples(st.integers(1, 17), st.integers(1, 11), st.integers(1, 3)),
)
def test_tiling_is_that_of_a_real_program(rows: int, outputs: int, shape: tuple[int, int, int]) -> None:
    import numpy as np

    macro = MacroShape(rows=shape[0], columns=shape[1], planes=shape[2])
    program = via_program(np.ones((rows, outputs), dtype=np.int16), 4)
    manifest = tile(program, macro)
    tiling = tile_inventory([Linear("l", rows, outputs, 1)], macro, 6)
    assert tiling.tiles == manifest.tiles == len({place.tile for place in manifest.placements()})
    assert tiling.utilisation == pytest.approx(program.bits.size / (manifest.tiles * macro.cells))


def test_tiling_of_a_large_model_counts_cells_not_bits() -> None:
    found = at_size("minigpt-4", SIZES["S"])
    tiling = tile_inventory(found.layers, MacroShape(rows=384, columns=256, planes=4), 14)
    cells = sum(t.utilisation * t.tiles for t in tiling.layers) * 384 * 256 * 4
    assert cells == pytest.approx(14 * found.weights)
    # one of its layers by hand: 4096 x 11008 weights need ceil(4096/384) x ceil(11008 x 14 / 1024) macros
    gate = next(t for t in tiling.layers if t.name == "llama.layers.0.mlp.gate_proj")
    assert gate.tiles == math.ceil(4096 / 384) * math.ceil(11008 * 14 / 1024)


def test_every_builtin_network_runs_at_every_size_it_can() -> None:
    for name, model in MODELS.items():
        for size in SIZES.values():
            try:
                found = at_size(name, size)
            except InputError:
                assert model.takes == "image"  # patches or the CIFAR variant's fixed image
            else:
                assert found.parameters > found.weights > 0
