"""Networks as their file's own blocks of integers, against sums over blocks that decode the file's bytes here."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from interconnect.errors import InputError
from interconnect.jsonable import to_jsonable
from metalrom.cli.accuracy import evaluate_model
from metalrom.macro import synthetic_table
from metalrom.studies.accuracy import (
    ActivationRule,
    Chip,
    NativeBlocks,
    NextToken,
    Settings,
    WeightRule,
    chips_of,
    evaluate_network,
)
from metalrom.studies.accuracy.measure import conversions_of
from metalrom.studies.accuracy.native import BlockOperator, ExactBlocks, MacroBlocks
from metalrom.workloads.networks.linear import LinearLayer, float_operator
from metalrom.workloads.networks.llama import Llama
from metalrom.workloads.networks.llama_files import load_llama
from netlists.weights import BlockWeights, GgufFile

WIDTH, WIDE, HEADS, VOCABULARY = 64, 96, 4, 12
NUMBERS = {"F32": 0, "Q4_0": 2, "Q4_1": 3, "Q8_0": 8}

Parts = tuple[np.ndarray, np.ndarray, np.ndarray]
"""A tensor's q (outputs, blocks, 32), scale and minimum (outputs, blocks), all float64."""


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def _value(value: str | int | float | list[str]) -> bytes:
    if isinstance(value, list):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(_text, value))
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    return struct.pack("<II", 4, value) if isinstance(value, int) else struct.pack("<If", 6, value)


def _blocks(rng: np.random.Generator, name: str, outputs: int, inputs: int) -> tuple[bytes, Parts]:
    """Random blocks as the format lays them out, and what they stand for."""
    shape = (outputs, inputs // 32)
    scale = rng.uniform(0.01, 0.03, shape).astype("<f2")
    minimum = (-8 * scale.astype(float) * rng.uniform(0.5, 1.2, shape)).astype("<f2")
    head = scale[..., None].view(np.uint8)
    if name == "Q8_0":
        q = rng.integers(-127, 128, (*shape, 32)).astype(np.int8)
        scale /= 16
        raw = np.concatenate([scale[..., None].view(np.uint8), q.view(np.uint8)], axis=-1)
        return raw.tobytes(), (q.astype(float), scale.astype(float), 0.0 * scale)
    codes = rng.integers(0, 16, (*shape, 32)).astype(np.uint8)
    packed = codes[..., :16] | codes[..., 16:] << 4
    if name == "Q4_0":
        raw = np.concatenate([head, packed], axis=-1)
        return raw.tobytes(), (codes - 8.0, scale.astype(float), 0.0 * scale)
    raw = np.concatenate([head, minimum[..., None].view(np.uint8), packed], axis=-1)
    return raw.tobytes(), (codes.astype(float), scale.astype(float), minimum.astype(float))


def write_llama(path: Path, special: dict[str, str] | None = None) -> dict[str, Parts]:
    """A random llama of two decoder layers: Q4_1, other formats by tensor in `special`. Returns each layer's parts."""
    rng = np.random.default_rng(11)
    narrow = WIDTH // 2
    metadata: dict[str, str | int | float | list[str]] = {
        "general.architecture": "llama", "llama.block_count": 2, "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": HEADS // 2, "llama.context_length": 64, "llama.rope.freq_base": 1e4,
        "llama.attention.layer_norm_rms_epsilon": 1e-5, "llama.embedding_length": WIDTH,
        "llama.feed_forward_length": WIDE, "tokenizer.ggml.tokens": [f"t{i}" for i in range(VOCABULARY)],
    }  # fmt: skip
    tensors: list[tuple[str, tuple[int, ...], str, bytes]] = []
    parts: dict[str, Parts] = {}

    def plain_floats(name: str, *shape: int) -> None:
        tensors.append((name, shape, "F32", rng.uniform(0.5, 1.5, shape).astype("<f4").tobytes()))

    plain_floats("token_embd.weight", VOCABULARY, WIDTH)
    plain_floats("output_norm.weight", WIDTH)
    linear = {
        "attn_q": (WIDTH, WIDTH), "attn_k": (narrow, WIDTH), "attn_v": (narrow, WIDTH), "attn_output": (WIDTH, WIDTH),
        "ffn_gate": (WIDE, WIDTH), "ffn_up": (WIDE, WIDTH), "ffn_down": (WIDTH, WIDE),
    }  # fmt: skip
    for i in range(2):
        plain_floats(f"blk.{i}.attn_norm.weight", WIDTH)
        plain_floats(f"blk.{i}.ffn_norm.weight", WIDTH)
        for short, (outputs, inputs) in linear.items():
            name = f"blk.{i}.{short}"
            kind = (special or {}).get(name, "Q4_1")
            if kind == "F32":
                plain_floats(f"{name}.weight", outputs, inputs)
                continue
            raw, parts[name] = _blocks(rng, kind, outputs, inputs)
            tensors.append((f"{name}.weight", (outputs, inputs), kind, raw))
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    out += b"".join(_text(key) + _value(value) for key, value in metadata.items())
    data = b""
    for name, shape, kind, raw in tensors:
        out += _text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape[::-1])
        out += struct.pack("<IQ", NUMBERS[kind], len(data))
        data += raw + b"\0" * (-len(raw) % 32)
    path.write_bytes(out + b"\0" * (-len(out) % 32) + data)
    return parts


def reference(x: np.ndarray, parts: Parts) -> np.ndarray:
    """Sum over blocks k and rows j of x (scale q + minimum), shape (tokens, outputs)."""
    q, scale, minimum = parts
    x = x.astype(float).reshape(len(x), -1, 32)
    return np.einsum("tkj,okj,ok->to", x, q, scale) + np.einsum("tkj,ok->to", x, minimum)


MIXED = {"blk.0.attn_k": "Q8_0", "blk.1.ffn_down": "Q4_0"}


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[Llama, dict[str, Parts]]:
    path = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    parts = write_llama(path, MIXED)
    return load_llama(GgufFile(path), blocks=True), parts


class Ids:
    """Texts that are token numbers already."""

    def encode(self, text: str) -> list[int]:
        return [int(part) for part in text.split()]


@pytest.fixture(scope="module")
def workload(network: tuple[Llama, dict[str, Parts]]) -> NextToken:
    return NextToken(network[0], Ids(), ["1 5 2 9 11 3", "7 7 0 4 10"])


def test_blocks_and_floats_of_a_layer_are_the_same_matrix(network: tuple[Llama, dict[str, Parts]]) -> None:
    model, parts = network
    assert len(model.layers) == len(parts) == 14
    for layer in model.layers:
        q, scale, minimum = parts[layer.name]
        real = (q * scale[..., None] + minimum[..., None]).reshape(layer.outputs, layer.inputs).T
        np.testing.assert_allclose(layer.weight, real, rtol=1e-6, atol=1e-8)
        np.testing.assert_array_equal(layer.blocks.dequantized(), layer.weight)
        # float activations times the blocks: the dequantized float layer
        x = np.random.default_rng(layer.index).standard_normal((3, layer.inputs)).astype(np.float32)
        np.testing.assert_allclose(reference(x, parts[layer.name]), float_operator(layer, x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("rows", [32, 16])
def test_every_layer_through_the_macro_equals_sums_over_blocks(
    network: tuple[Llama, dict[str, Parts]], rows: int, shifted: bool
) -> None:
    model, parts = network
    rule = ActivationRule(8, shifted)
    product = MacroBlocks(chips_of(f"synthetic:rows={rows}")[0], model.layers, input_bits=8)
    macro, exact = BlockOperator(product, rule), BlockOperator(ExactBlocks(), rule)
    rng = np.random.default_rng(2)
    for layer in model.layers:
        x = rng.standard_normal((4, layer.inputs)).astype(np.float32) + np.float32(0.3)
        q, scale, shift = rule(x)
        expected = reference(q * scale + shift, parts[layer.name])
        size = np.abs(expected).max()
        np.testing.assert_allclose(macro(layer, x), expected, atol=2e-6 * size)
        np.testing.assert_allclose(exact(layer, x), expected, atol=1e-5 * size)  # single precision
        # half a step of every activation at most
        bound = scale / 2 * np.abs(layer.weight).sum(axis=0) * 1.001 + 1e-5 * size
        assert (np.abs(macro(layer, x) - float_operator(layer, x)) <= bound).all()
    assert product.code_errors == 0


@pytest.mark.parametrize("cell", ["cap_tie", "cap_balanced"])
def test_blocks_on_signed_conversions_equal_sums_over_blocks(
    network: tuple[Llama, dict[str, Parts]], cell: str
) -> None:
    """Tables of three levels, of ternary cells and of a pair of binary columns, count -1, 0 and 1, not 0, 1 and 2."""
    model, parts = network
    table = synthetic_table(16, levels=3).replace(cell=cell)
    chip = Chip(cell, table, table.conditions[0])
    product = MacroBlocks(chip, model.layers, input_bits=8)
    macro, rule, rng = BlockOperator(product, ActivationRule(8)), ActivationRule(8), np.random.default_rng(2)
    for layer in model.layers:
        x = rng.standard_normal((2, layer.inputs)).astype(np.float32)
        q, scale, shift = rule(x)
        expected = reference(q * scale + shift, parts[layer.name])
        np.testing.assert_allclose(macro(layer, x), expected, atol=2e-6 * np.abs(expected).max())
        # four digits of -8..7 and 0..15, seven of -127..127
        assert product.conversions_per_weight(layer) == 8 * (7 if layer.blocks.type == "Q8_0" else 4)
    assert product.code_errors == 0


@pytest.mark.parametrize("macro", ["binary", "ternary cell"])
def test_ternary_blocks_equal_sums_over_blocks(macro: str) -> None:
    rng = np.random.default_rng(4)
    digits = rng.integers(-1, 2, (512, 8)).astype(np.int8)
    scale = rng.uniform(0.01, 0.02, (2, 8)).astype(np.float32)
    blocks = BlockWeights("TQ2_0", 2, digits, scale, np.zeros((2, 8), np.float32), 256)
    layer = LinearLayer("ternary", 0, blocks.dequantized(), blocks=blocks)
    chip = chips_of("synthetic:rows=16")[0]
    if macro == "ternary cell":
        table = synthetic_table(16, levels=3).replace(cell="cap_tie")
        chip = Chip("cap_tie", table, table.conditions[0])
    product, rule = MacroBlocks(chip, [layer], input_bits=8), ActivationRule(8)
    x = rng.standard_normal((3, 512)).astype(np.float32)
    q, steps, _ = rule(x)
    weights = digits.reshape(2, 256, 8) * scale[:, None].astype(float)
    expected = (q * steps).astype(float) @ weights.reshape(512, 8)
    np.testing.assert_allclose(BlockOperator(product, rule)(layer, x), expected, atol=2e-6 * np.abs(expected).max())
    assert product.code_errors == 0


def test_finer_activations_approach_the_float_layer(network: tuple[Llama, dict[str, Parts]]) -> None:
    layer = network[0].layers[0]
    x = np.random.default_rng(3).standard_normal((16, layer.inputs)).astype(np.float32)

    def error(bits: int) -> float:
        y = BlockOperator(ExactBlocks(), ActivationRule(bits))(layer, x)
        return float(np.sqrt(((y - float_operator(layer, x)) ** 2).mean()))

    assert error(4) / error(8) == pytest.approx(127 / 7, rel=0.25)  # the steps' ratio


def test_network_on_an_ideal_readout_equals_the_exact_product(workload: NextToken) -> None:
    chips = chips_of("synthetic:rows=16")
    found = evaluate_network(workload, chips, Settings(NativeBlocks()))
    trained, exact, macro = found.outcomes
    assert exact.scheme == "Q4_0+Q4_1+Q8_0 a8 exact"
    for name, value in exact.figures.items():
        assert macro.figures[name] == pytest.approx(value, rel=1e-3)
    assert exact.figures["cosine"] > 0.99
    assert exact.figures["perplexity"] == pytest.approx(trained.figures["perplexity"], rel=0.1)
    assert macro.conversions == conversions_of(workload, chips[0], found.settings)
    # groups x columns x bit columns of two decoder layers, by hand; 8 input planes, 11 tokens
    four = 4 * (4 * (2 * 64 + 2 * 64 + 32 + 2 * 32 + 4 * 96) + 6 * 2 * 64)  # 4 groups of 16 in 64 rows, 6 in 96
    assert macro.conversions == 11 * 8 * (four + 14 * 4 * 32)  # blk.0.attn_k has 7 planes of either sign
    assert any("12 x Q4_1" in note and "not quantized again" in note for note in found.notes)
    assert to_jsonable(found)["settings"]["weights"] == {"kind": "native blocks"}


def test_noise_costs_accuracy_and_repeats_with_the_seed(workload: NextToken) -> None:
    def cosine(seed: int) -> tuple[float, float]:
        chips = chips_of("synthetic:rows=32,sigma=0.3")
        found = evaluate_network(workload, chips, Settings(NativeBlocks(), seed=seed))
        assert found.outcomes[2].code_error_rate == pytest.approx(0.09, abs=0.04)  # 2 Q(1/0.6) = 0.096, ends err half
        return found.outcomes[1].figures["cosine"], found.outcomes[2].figures["cosine"]

    exact, noisy = cosine(1)
    assert noisy < exact - 1e-3
    assert cosine(1)[1] == noisy != cosine(2)[1]


def test_what_cannot_be_done_is_refused_in_one_sentence(workload: NextToken, tmp_path: Path) -> None:
    for macro, options, words in (
        ("ideal", {}, "64 rows per conversion do not divide the block of 32 rows"),
        ("synthetic:rows=12", {}, "12 rows per conversion do not divide the block of 32 rows"),
        ("synthetic:rows=32", {"mapping": "offset"}, "mapping follows from the block format"),
        ("synthetic:rows=32", {"mappin": 1}, "no option 'mappin'"),
    ):
        with pytest.raises(InputError, match=words):
            evaluate_network(workload, chips_of(macro), Settings(NativeBlocks(), options=options))
    bare = [LinearLayer("a", 0, np.eye(32, dtype=np.float32))]
    with pytest.raises(InputError, match="layer a has no native blocks"):
        MacroBlocks(chips_of("synthetic:rows=32")[0], bare, input_bits=8)
    path = tmp_path / "plain.gguf"
    write_llama(path, {"blk.1.attn_v": "F32"})
    assert load_llama(GgufFile(path)).layers[0].blocks is None  # as before
    with pytest.raises(InputError, match=r"tensor blk\.1\.attn_v\.weight has the type F32, .* taken from Q4_0"):
        load_llama(GgufFile(path), blocks=True)


@pytest.mark.parametrize(
    ("model", "arguments", "words"),
    [
        ("minilm", {}, "minilm is stored as floats"),
        ("smollm2", {"weight_bits": 4}, "--weights-bits: native blocks define their own bits and scales"),
        ("smollm2", {"fitted": True}, "--fitted-weights: native blocks define"),
        ("smollm2", {"ternary_rule": "twn"}, "--ternary-rule: native blocks define"),
        ("smollm2", {"budget": True}, "--budget: the ideal macro with native blocks is computed as an exact product"),
        ("smollm2", {"options": ["columns_per_adc=8"]}, "--option: the ideal macro"),
    ],
)
def test_the_command_refuses_before_it_loads(model: str, arguments: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        evaluate_model(model, "ideal", native=True, **arguments)


def test_settings_take_either_rule(workload: NextToken) -> None:
    """The second quantization that native blocks save, on the same network."""
    native = evaluate_network(workload, [], Settings(NativeBlocks())).outcomes[1].figures["cosine"]
    again = evaluate_network(workload, [], Settings(WeightRule(4))).outcomes[1].figures["cosine"]
    assert again < native
