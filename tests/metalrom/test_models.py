"""Forward passes against straightforward sums over single heads and tokens, written from the papers' formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.workloads.networks.bert import Bert, BertBlock, BertSizes, LayerNorm, gelu
from metalrom.workloads.networks.linear import Float32, LinearLayer, float_operator
from metalrom.workloads.networks.llama import Llama, LlamaBlock, LlamaSizes, silu, squared_relu
from metalrom.workloads.networks.packing import batches, pack

WIDTH, WIDE, HEADS, VOCABULARY = 12, 20, 3, 17
SEQUENCES = [[3, 1, 4, 1, 5], [9, 2], [6, 5, 3, 5, 8], [16]]
EPSILON = 1e-5


class Draw:
    """Random weights of a network, layer by layer."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._layers = 0

    def array(self, *shape: int) -> Float32:
        return self._rng.standard_normal(shape).astype(np.float32)

    def linear(self, inputs: int, outputs: int, bias: bool = True) -> LinearLayer:
        self._layers += 1
        return LinearLayer(
            f"layer {self._layers}",
            self._layers - 1,
            self.array(inputs, outputs) / np.float32(np.sqrt(inputs)),
            self.array(outputs) if bias else None,
        )

    def norm(self) -> LayerNorm:
        return LayerNorm(self.array(WIDTH), self.array(WIDTH))


def _bert(seed: int) -> Bert:
    d = Draw(seed)
    blocks = tuple(
        BertBlock(
            d.linear(WIDTH, WIDTH),
            d.linear(WIDTH, WIDTH),
            d.linear(WIDTH, WIDTH),
            d.linear(WIDTH, WIDTH),
            d.norm(),
            d.linear(WIDTH, WIDE),
            d.linear(WIDE, WIDTH),
            d.norm(),
        )
        for _ in range(2)
    )
    sizes = BertSizes(2, HEADS, VOCABULARY, 8, EPSILON)
    return Bert(sizes, d.array(VOCABULARY, WIDTH), d.array(8, WIDTH), d.array(WIDTH), d.norm(), blocks)


def _llama(seed: int, key_heads: int = 1, *, bitnet: bool = False) -> Llama:
    d = Draw(seed)
    narrow = WIDTH // HEADS * key_heads
    blocks = tuple(
        LlamaBlock(
            d.array(WIDTH),
            d.linear(WIDTH, WIDTH, bias=False),
            d.linear(WIDTH, narrow, bias=False),
            d.linear(WIDTH, narrow, bias=False),
            d.linear(WIDTH, WIDTH, bias=False),
            d.array(WIDTH),
            d.linear(WIDTH, WIDE, bias=False),
            d.linear(WIDTH, WIDE, bias=False),
            d.linear(WIDE, WIDTH, bias=False),
            squared_relu if bitnet else silu,
            d.array(WIDTH) if bitnet else None,
            d.array(WIDE) if bitnet else None,
        )
        for _ in range(2)
    )
    sizes = LlamaSizes(2, HEADS, key_heads, 8, 1e4, EPSILON, halves=bitnet)
    return Llama(sizes, d.array(VOCABULARY, WIDTH), blocks, d.array(WIDTH))


def _plain_attention(q, k, v, causal):
    """One query, one head at a time; q (tokens, heads, size), k and v (tokens, key heads, size)."""
    tokens, heads, size = q.shape
    out = np.zeros((tokens, heads, size))
    for h in range(heads):
        shared = h // (heads // k.shape[1])
        for t in range(tokens):
            seen = range(t + 1) if causal else range(tokens)
            weight = np.exp([float(q[t, h] @ k[s, shared]) / math.sqrt(size) for s in seen])
            out[t, h] = sum(w * v[s, shared] for w, s in zip(weight / weight.sum(), seen, strict=True))
    return out.reshape(tokens, -1)


def _plain_bert(model: Bert, ids: list[int]):
    def norm(x, n):
        return np.array([(r - r.mean()) / math.sqrt(r.var() + EPSILON) for r in x]) * n.gain + n.bias

    def apply(layer, x):
        return np.einsum("ti,ij->tj", x, layer.weight.astype(np.float64)) + layer.bias

    x = norm(
        np.array([model.word[i] + model.position[t] + model.kind for t, i in enumerate(ids)], np.float64), model.norm
    )
    for b in model.blocks:
        q, k, v = (apply(layer, x).reshape(len(ids), HEADS, -1) for layer in (b.query, b.key, b.value))
        x = norm(apply(b.output, _plain_attention(q, k, v, False)) + x, b.attention_norm)
        h = apply(b.widen, x)
        h = h * 0.5 * (1 + np.vectorize(math.erf)(h / math.sqrt(2)))
        x = norm(apply(b.narrow, h) + x, b.norm)
    return x


def _plain_llama(model: Llama, ids: list[int]):
    """Rotation as complex numbers (Su et al. 2021): pair i of a head turns by position * base^(-2 i / size)."""
    bitnet = model.sizes.halves  # pairs of halves, the squared ReLU, and norms before the last products

    def norm(x, gain):
        if gain is None:
            return x
        return np.array([r / math.sqrt(np.mean(r * r) + EPSILON) for r in x]) * gain

    def turn(x):
        size = x.shape[2]
        z = x[..., : size // 2] + 1j * x[..., size // 2 :] if bitnet else x[..., 0::2] + 1j * x[..., 1::2]
        for t in range(len(x)):
            for i in range(size // 2):
                z[t, :, i] *= np.exp(1j * t * model.sizes.base ** (-2 * i / size))
        return np.concatenate([z.real, z.imag], -1) if bitnet else np.stack([z.real, z.imag], -1).reshape(x.shape)

    def apply(layer, x):
        return np.einsum("ti,ij->tj", x, layer.weight.astype(np.float64))

    x = model.embedding[ids].astype(np.float64)
    for b in model.blocks:
        h = norm(x, b.attention_norm)
        q, k, v = (apply(layer, h).reshape(len(ids), -1, WIDTH // HEADS) for layer in (b.query, b.key, b.value))
        x = x + apply(b.output, norm(_plain_attention(turn(q), turn(k), v, True), b.attention_sub_norm))
        h = norm(x, b.mlp_norm)
        gate = apply(b.gate, h)
        gate = gate * gate * (gate > 0) if bitnet else gate / (1 + np.exp(-gate))
        x = x + apply(b.down, norm(gate * apply(b.up, h), b.mlp_sub_norm))
    return norm(x, model.norm)


@pytest.mark.parametrize("seed", [0, 1])
def test_bert_equals_plain_sums(seed: int) -> None:
    model = _bert(seed)
    for ids, hidden in zip(SEQUENCES, model.hidden(SEQUENCES), strict=True):
        np.testing.assert_allclose(hidden, _plain_bert(model, ids), atol=2e-5)


@pytest.mark.parametrize("bitnet", [False, True])
@pytest.mark.parametrize("key_heads", [1, 3])
def test_llama_equals_plain_sums(key_heads: int, bitnet: bool) -> None:
    model = _llama(2, key_heads, bitnet=bitnet)
    for ids, hidden in zip(SEQUENCES, model.hidden(SEQUENCES), strict=True):
        expected = _plain_llama(model, ids)
        np.testing.assert_allclose(hidden, expected, atol=5e-5)
        np.testing.assert_allclose(model.logits(hidden), expected @ model.embedding.T, atol=5e-4)


def test_llama_never_looks_ahead() -> None:
    model = _llama(3)
    long, short = model.hidden([[1, 2, 3, 4], [1, 2]])
    np.testing.assert_allclose(long[:2], short, atol=1e-5)


def test_embeddings_are_means_of_length_one() -> None:
    model = _bert(4)
    for e, h in zip(model.embed(SEQUENCES), model.hidden(SEQUENCES), strict=True):
        np.testing.assert_allclose(e, h.mean(0) / np.linalg.norm(h.mean(0)), atol=1e-6)


def test_every_layer_goes_through_the_operator_in_order() -> None:
    for model in (_bert(5), _llama(5)):
        seen: list[int] = []

        def operator(layer: LinearLayer, x: Float32, seen: list[int] = seen) -> Float32:
            assert x.shape == (sum(map(len, SEQUENCES)), layer.inputs)
            seen.append(layer.index)
            return float_operator(layer, x)

        model.hidden(SEQUENCES, operator)
        assert seen == list(range(len(model.layers)))
        assert [layer.index for layer in model.layers] == seen


def test_gelu_is_the_exact_form() -> None:
    # x Phi(x) at 1 and -1: 0.8413447460685429 and -0.15865525393145707 (normal distribution function)
    np.testing.assert_allclose(gelu(np.array([1, -1, 0], np.float32)), [0.84134475, -0.15865525, 0], atol=1e-6)


def test_sequences_that_do_not_fit_are_refused() -> None:
    for bad, words in (([], "no token"), ([[1], []], "no token"), ([[1] * 9], "9 tokens"), ([[17]], "outside")):
        with pytest.raises(InputError, match=words):
            pack(bad, vocabulary=17, longest=8)


def test_batches_keep_order_and_bound() -> None:
    parts = batches([[1] * n for n in (3, 3, 9, 1, 2)], 6)
    assert [[len(s) for s in part] for part in parts] == [[3, 3], [9], [1, 2]]
