"""Small random BitNets from folders and GGUF files against transformers' own layers and gguf's own values."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from interconnect.errors import InputError
from interconnect.optional import has_library
from metalrom.assets.store import asset_state
from metalrom.cli.accuracy import evaluate_model
from metalrom.macro import synthetic_table
from metalrom.studies.accuracy import ActivationRule, Chip, NativeBlocks, NextToken, Settings, evaluate_network
from metalrom.studies.accuracy.native import BlockOperator, ExactBlocks, MacroBlocks
from metalrom.workloads.networks.fetched import language_model
from metalrom.workloads.networks.linear import Float32, LinearLayer, float_operator, rounded_operator
from metalrom.workloads.networks.llama import Llama
from metalrom.workloads.networks.llama_files import load_bitnet, load_llama
from netlists.weights import GgufFile

needs_transformers = pytest.mark.skipif(
    not has_library("torch", "transformers"), reason="the extra `networks` (torch, transformers) is missing"
)
needs_gguf = pytest.mark.skipif(not has_library("gguf"), reason="the extra `llm` (gguf) is missing")

WIDTH, WIDE, HEADS, KEY_HEADS, VOCABULARY, BLOCKS = 64, 96, 4, 2, 40, 2
SEQUENCES = [[3, 1, 4, 1, 5, 9, 2, 6], [5, 3, 5], [39, 0, 17, 22, 8]]
LINEAR = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}  # fmt: skip
NORMS = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.attn_sub_norm": "attn_sub_norm", "mlp.ffn_sub_norm": "ffn_sub_norm",
}  # fmt: skip


def config(**changes: Any) -> dict[str, Any]:
    return {
        "architectures": ["BitNetForCausalLM"], "model_type": "bitnet", "hidden_act": "relu2", "hidden_size": WIDTH,
        "intermediate_size": WIDE, "num_hidden_layers": BLOCKS, "num_attention_heads": HEADS,
        "num_key_value_heads": KEY_HEADS, "vocab_size": VOCABULARY, "max_position_embeddings": 32,
        "rms_norm_eps": 1e-5, "rope_theta": 500000.0, "tie_word_embeddings": True,
    } | changes  # fmt: skip


def tensors(width: int = WIDTH, wide: int = WIDE) -> tuple[dict[str, Float32], dict[str, Float32], dict[str, float]]:
    """(norms and the embedding, digits of the linear layers (outputs, inputs), a factor for each) by their names."""
    rng = np.random.default_rng(7)
    narrow = width // HEADS * KEY_HEADS
    shapes = dict(zip(LINEAR, [(width,) * 2, (narrow, width), (narrow, width), (width,) * 2, *[(wide, width)] * 2,
                               (width, wide)], strict=True))  # fmt: skip
    plain = {"model.embed_tokens": rng.standard_normal((VOCABULARY, width)), "model.norm": rng.uniform(0.5, 2, width)}
    digits, factors = {}, {}
    for i in range(BLOCKS):
        for name in NORMS:
            plain[f"model.layers.{i}.{name}"] = rng.uniform(0.5, 2, wide if "ffn" in name else width)
        for name, shape in shapes.items():
            digits[f"model.layers.{i}.{name}"] = rng.integers(-1, 2, shape).astype(np.float32)
            factors[f"model.layers.{i}.{name}"] = float(np.float32(rng.uniform(0.5, 2) / np.sqrt(shape[1])))
    return {name: array.astype(np.float32) for name, array in plain.items()}, digits, factors


def write_folder(folder: Path, kind: str | None, **changes: Any) -> Path:
    """A folder of the library: four digits a byte and a scale that divides or multiplies; kind None: plain floats."""
    plain, digits, factors = tensors()
    held: dict[str, np.ndarray] = {f"{name}.weight": array for name, array in plain.items()}
    for name, d in digits.items():
        if kind is None:
            held[f"{name}.weight"] = d * np.float32(factors[name])
            continue
        codes = (d + 1).astype(np.uint8).reshape(4, len(d) // 4, d.shape[1])
        packed = codes[0] | codes[1] << 2 | codes[2] << 4 | codes[3] << 6
        scale = 1 / factors[name] if kind == "bitlinear" else factors[name]
        held |= {f"{name}.weight": packed, f"{name}.weight_scale": np.array([scale], np.float32)}
    save_file({name: np.ascontiguousarray(array) for name, array in held.items()}, folder / "model.safetensors")
    packing = {} if kind is None else {"quantization_config": {"quant_method": "bitnet", "linear_class": kind}}
    (folder / "config.json").write_text(json.dumps(config(**packing, **changes)))
    return folder


def their_logits(kind: str | None, seen: dict[str, tuple[Any, Any]] | None = None, **changes: Any) -> list[Float32]:
    """Logits of BitNetForCausalLM with its layers replaced by the library's own of a kind; seen: their (x, y)."""
    import torch
    from transformers import BitNetConfig, BitNetForCausalLM
    from transformers.integrations import bitnet as theirs

    plain, digits, factors = tensors()
    with torch.compiler.set_stance("force_eager"), torch.no_grad():
        model = BitNetForCausalLM(BitNetConfig(**config(**changes), attn_implementation="eager")).eval()
        state = {f"{name}.weight": torch.from_numpy(array) for name, array in plain.items()}
        state |= {f"{n}.weight": torch.from_numpy(d * np.float32(factors[n])) for n, d in digits.items()}
        missing, unexpected = model.load_state_dict(state, strict=False)
        assert (missing, unexpected) == (["lm_head.weight"], [])
        assert model.lm_head.weight is model.model.embed_tokens.weight
        for name, d in digits.items():
            if kind is None:
                continue
            layer: Any
            if kind == "bitlinear":
                layer = theirs.BitLinear(d.shape[1], d.shape[0], bias=False, dtype=torch.float32)
                layer.weight = theirs.pack_weights(torch.from_numpy(d.copy()))
                layer.weight_scale = torch.tensor([1 / factors[name]], dtype=torch.float32)
            else:
                layer = theirs.AutoBitLinear(d.shape[1], d.shape[0], bias=False)
                layer.weight.copy_(torch.from_numpy(d))
                layer.weight_scale = torch.tensor([factors[name]], dtype=torch.float32)
            if seen is not None:
                layer.register_forward_hook(lambda _, x, y, name=name: seen.__setitem__(name, (x[0][0], y[0])))
            model.set_submodule(name, layer)
        return [model(torch.tensor([ids])).logits[0].numpy() for ids in SEQUENCES]


def our_logits(model: Llama, operator: Callable[[LinearLayer, Float32], Float32]) -> list[Float32]:
    return [model.logits(h) for h in model.hidden(SEQUENCES, operator)]


@needs_transformers
@pytest.mark.parametrize("activation", ["relu2", "silu"])
@pytest.mark.parametrize("kind", [None, "bitlinear", "autobitlinear"])
def test_logits_of_dequantized_weights_are_transformers(kind: str | None, activation: str, tmp_path: Path) -> None:
    model = load_bitnet(write_folder(tmp_path, kind, hidden_act=activation), blocks=kind is not None)
    wanted = their_logits(None, hidden_act=activation)
    for ours, theirs in zip(our_logits(model, float_operator), wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-6 * np.abs(theirs).max())


@needs_transformers
@pytest.mark.parametrize("kind", ["bitlinear", "autobitlinear"])
def test_logits_with_8_bit_activations_are_transformers(kind: str, tmp_path: Path) -> None:
    model = load_bitnet(write_folder(tmp_path, kind), blocks=True)
    seen: dict[str, tuple[Any, Any]] = {}
    wanted, unrounded = their_logits(kind, seen), their_logits(None)
    rounded, blocks = rounded_operator(8), BlockOperator(ExactBlocks(), ActivationRule(8))
    for layer in model.layers:
        x, y = (part.numpy() for part in seen[layer.name])
        for operator in (rounded, blocks):
            np.testing.assert_allclose(operator(layer, x), y, atol=2e-6 * np.abs(y).max())
    for operator in (rounded, blocks):
        for ours, theirs, floats in zip(our_logits(model, operator), wanted, unrounded, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=2e-6 * np.abs(theirs).max())
            assert np.abs(floats - theirs).max() > 1e-2 * np.abs(theirs).max()  # what the rounding of activations does


def test_a_folder_without_the_library_reads_as_what_was_packed(tmp_path: Path) -> None:
    plain, digits, factors = tensors()
    model = load_bitnet(write_folder(tmp_path, "autobitlinear"), blocks=True)
    assert [layer.name for layer in model.layers] == list(digits)
    for layer in model.layers:
        np.testing.assert_array_equal(layer.blocks.integers, digits[layer.name].T)
        np.testing.assert_array_equal(layer.weight, digits[layer.name].T * np.float32(factors[layer.name]))
    np.testing.assert_array_equal(model.blocks[1].mlp_sub_norm, plain["model.layers.1.mlp.ffn_sub_norm"])
    assert (model.sizes.base, model.sizes.halves) == (500000.0, True)


class Ids:
    """Texts that are token numbers already."""

    def encode(self, text: str, *, most: int | None = None) -> list[int]:
        return [int(part) for part in text.split()][:most]


def test_an_ideal_chain_of_ternary_cells_equals_the_exact_product(tmp_path: Path) -> None:
    """Groups of ten rows, which divide neither the 64 nor the 96 rows of the layers."""
    model = load_bitnet(write_folder(tmp_path, "bitlinear"), blocks=True)
    table = synthetic_table(10, levels=3).replace(cell="cap_tie")
    chip = Chip("cap_tie", table, table.conditions[0])
    operator = BlockOperator(MacroBlocks(chip, model.layers, input_bits=8), ActivationRule(8))
    for ours, wanted in zip(our_logits(model, operator), our_logits(model, rounded_operator(8)), strict=True):
        np.testing.assert_allclose(ours, wanted, atol=2e-6 * np.abs(wanted).max())
    found = evaluate_network(
        NextToken(model, Ids(), [" ".join(map(str, ids)) for ids in SEQUENCES]), [chip], Settings(NativeBlocks())
    )
    trained, exact, macro = found.outcomes
    assert exact.scheme == "bitnet a8 exact"
    assert macro.code_error_rate == 0
    assert macro.figures == exact.figures
    assert exact.figures["perplexity"] != pytest.approx(trained.figures["perplexity"], rel=1e-5)


@pytest.mark.skipif(
    asset_state("wordsim") != "fetched" or not has_library("tokenizers"),
    reason="needs `metalrom fetch wordsim` and the extra `llm` (tokenizers)",
)
def test_the_command_takes_the_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import tokenizers

    write_folder(tmp_path, "autobitlinear")
    words = {"[unk]": 0, "[begin]": 1} | {letter: i + 2 for i, letter in enumerate("abcdefghijklmnopqrstuvwxyz")}
    letters = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[unk]"))  # noqa: S106
    letters.pre_tokenizer = tokenizers.pre_tokenizers.Split("", "isolated")
    letters.post_processor = tokenizers.processors.TemplateProcessing(
        single="[begin] $A", special_tokens=[("[begin]", 1)]
    )
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match=r"tokenizer\.json: is refused by tokenizers"):
        language_model(tmp_path)
    (tmp_path / "tokenizer.json").write_text(letters.to_str())
    assert language_model(tmp_path)[1].encode("cab") == [1, 4, 2, 3]
    evaluate_model(str(tmp_path), "synthetic:rows=10", native=True, limit=1, tokens=6, json=True)
    printed = json.loads(capsys.readouterr().out)
    _, exact, macro = printed["outcomes"]
    assert exact["scheme"] == "bitnet a8 exact"
    assert macro["code_error_rate"] == 0
    assert macro["figures"] == exact["figures"]
    assert "14 x bitnet" in " ".join(printed["notes"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_type": "llama"}, "model_type is 'llama', expected 'bitnet'"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings is False, expected True"),
        ({"attention_bias": True}, "attention_bias is True"),
        ({"hidden_act": "gelu"}, "activation 'gelu' is not known; expected silu or relu2"),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 2.0}}, "rope_type is 'yarn', expected 'default'"),
        ({"head_dim": 32}, "head_dim is 32, expected 16"),
        ({"num_key_value_heads": 3}, "head counts that do not divide"),
        ({"intermediate_size": 100}, r"layers\.0\.mlp\.gate_proj\.weight has shape \(96, 64\), expected \(100, 64\)"),
        ({"rope_theta": None}, "is not the config.json of a BitNet"),
        ({"hidden_size": "wide"}, "is not the config.json of a BitNet"),
    ],
)
def test_folders_that_are_not_understood_are_refused(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        load_bitnet(write_folder(tmp_path, "bitlinear", **changes))


def test_plain_floats_have_no_digits(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"q_proj\.weight is no packed ternary matrix"):
        load_bitnet(write_folder(tmp_path, None), blocks=True)
    online = {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "online"}
    with pytest.raises(InputError, match=r"q_proj\.weight is no packed ternary matrix"):
        load_bitnet(write_folder(tmp_path, None, quantization_config=online))


def write_gguf(path: Path, architecture: str, kind: int, extra: dict[str, Float32] | None = None) -> dict[str, Float32]:
    """The network with 256 and 512 inputs per layer; returns the linear layers' weights by the library's names."""
    import gguf

    plain, digits, factors = tensors(256, 512)
    weights = {name: d * np.float32(np.float16(factors[name])) for name, d in digits.items()}
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_block_count(BLOCKS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KEY_HEADS)
    writer.add_context_length(32)
    writer.add_embedding_length(256)
    writer.add_feed_forward_length(512)
    writer.add_rope_freq_base(500000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_token_list([f"t{i}" for i in range(VOCABULARY)])
    short = {"model.embed_tokens": "token_embd", "model.norm": "output_norm"}
    for name in (*plain, *digits):
        if name.startswith("model.layers."):
            _, _, number, part = name.split(".", 3)
            short[name] = f"blk.{number}.{(LINEAR | NORMS)[part]}"
    for name, array in plain.items():
        writer.add_tensor(f"{short[name]}.weight", array)
    for name, w in weights.items():
        packed = gguf.quants.quantize(w, gguf.GGMLQuantizationType(kind))
        writer.add_tensor(f"{short[name]}.weight", packed, raw_dtype=gguf.GGMLQuantizationType(kind))
    for name, array in (extra or {}).items():
        writer.add_tensor(name, array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return weights


@needs_gguf
@pytest.mark.parametrize("kind", [34, 35], ids=["TQ1_0", "TQ2_0"])
@pytest.mark.parametrize(("architecture", "activation"), [("bitnet", "silu"), ("bitnet-b1.58", "relu2")])
def test_gguf_files_are_the_network_of_ggufs_own_values(
    architecture: str, activation: str, kind: int, tmp_path: Path
) -> None:
    import gguf

    path = tmp_path / "m.gguf"
    weights = write_gguf(path, architecture, kind)
    model = load_llama(GgufFile(path), blocks=True)
    theirs = {tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors}
    for layer, w in zip(model.layers, weights.values(), strict=True):
        tensor = theirs[f"{layer.name}.weight"]
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        assert np.abs(layer.weight.T - values).max() == 0
        assert np.abs(layer.weight.T - w).max() == 0  # the scales are half-precision numbers
        np.testing.assert_array_equal(layer.blocks.dequantized(), layer.weight)
        columns = layer.blocks.whole_columns()
        assert columns.block_size == layer.inputs
        np.testing.assert_array_equal(columns.dequantized(), layer.weight)
    if not has_library("torch", "transformers"):
        pytest.skip("the extra `networks` (torch, transformers) is missing")
    import torch
    from transformers import BitNetConfig, BitNetForCausalLM

    told = config(hidden_size=256, intermediate_size=512, hidden_act=activation)
    reference = BitNetForCausalLM(BitNetConfig(**told, attn_implementation="eager")).eval()
    state = tensors(256, 512)[0] | weights
    reference.load_state_dict({f"{n}.weight": torch.from_numpy(w) for n, w in state.items()}, strict=False)
    with torch.no_grad():
        wanted = [reference(torch.tensor([ids])).logits[0].numpy() for ids in SEQUENCES]
    for ours, logits in zip(our_logits(model, float_operator), wanted, strict=True):
        np.testing.assert_allclose(ours, logits, atol=3e-6 * np.abs(logits).max())


@needs_gguf
def test_a_scale_beside_a_gguf_layer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    write_gguf(path, "bitnet", 35, {"blk.1.ffn_up.scale": np.ones(1, np.float32)})
    with pytest.raises(InputError, match=r"has a tensor blk\.1\.ffn_up\.scale, which is not known"):
        load_llama(GgufFile(path))
