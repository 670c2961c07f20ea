"""MiniLM's encoder in torch, with weights and activations as the macro holds them, for teacher and student alike.

Ternary weights follow Li, Liu, `Ternary Weight Networks` (2016), for every output channel: zero below 0.7 mean|w|, the
scale is the mean of the kept |w|. A second plane holds what the first leaves over, by the same rule. Gradients pass
straight through (Bengio et al. 2013). Activations are integers of 8 bits with one scale for each token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from interconnect.optional import optional_library
from metalrom.studies.distill.texts import Batch
from metalrom.workloads.networks.bert import Bert
from metalrom.workloads.networks.linear import LinearLayer
from netlists.weights.quantization import TWN_THRESHOLD

LARGEST_ACTIVATION = 127
_MASKED = -1e4

Parameters = Mapping[str, Any]
"""Name -> torch tensor: `NAME.weight` (outputs, inputs), `NAME.bias`, and gains and biases of the norms."""


def torch_library() -> Any:
    """Torch. Raises MissingLibrary without the extra."""
    return optional_library("torch", extra="networks", purpose="distillation runs")


@dataclass(frozen=True)
class Encoded:
    """hidden: states after every block, each (texts, longest, width); embedding: (texts, width), of length 1."""

    hidden: Sequence[Any]
    embedding: Any


def parameters_of(model: Bert) -> dict[str, Any]:
    """The trainable tensors of a network, in single precision: of the linear layers and of the norms in the blocks."""
    torch = torch_library()
    found: dict[str, Any] = {}
    for block in model.blocks:
        for layer in block.layers:
            found[f"{layer.name}.weight"] = torch.from_numpy(layer.weight.T.copy())
            found[f"{layer.name}.bias"] = torch.from_numpy(_bias(layer).copy())
    for number, block in enumerate(model.blocks):
        for name, norm in (("attention_norm", block.attention_norm), ("norm", block.norm)):
            found[f"{number}.{name}.gain"] = torch.from_numpy(norm.gain.copy())
            found[f"{number}.{name}.bias"] = torch.from_numpy(norm.bias.copy())
    return found


def ternary_planes(weight: Any, planes: int) -> list[tuple[Any, Any]]:
    """(digits -1, 0, 1 of shape (outputs, inputs), scales (outputs, 1)) of every plane."""
    found = []
    left = weight
    for _ in range(planes):
        size = left.abs()
        kept = size > TWN_THRESHOLD * size.mean(1, keepdim=True)
        digits = left.sign() * kept
        scale = (size * kept).sum(1, keepdim=True) / kept.sum(1, keepdim=True).clamp(min=1)
        found.append((digits, scale))
        left = left - scale * digits
    return found


def fix_digits(model: Bert, parameters: dict[str, Any]) -> dict[str, Any]:
    """Digits of one plane by the name of the layer; their scales (outputs, 1) take the place of the weights."""
    found = {}
    for layer in model.layers:
        name = f"{layer.name}.weight"
        ((found[layer.name], scale),) = ternary_planes(parameters[name].detach(), 1)
        parameters[name] = scale.requires_grad_()
    return found


class Encoder:
    """Runs parameters through the encoder of `model`; its embeddings and biases of the first norm stay as they are.

    planes: ternary planes of every weight; 0: weights and activations in floating point. noise: standard deviation of
    a linear layer's outputs by its name, relative to their own, drawn anew for each; none by default. digits: of
    `fix_digits`, of which the parameters hold the scales; none: the parameters' own.
    """

    def __init__(
        self,
        model: Bert,
        planes: int,
        noise: Mapping[str, float] | None = None,
        digits: Mapping[str, Any] | None = None,
    ) -> None:
        torch = self._torch = torch_library()
        self._model, self._planes, self._noise, self._digits = model, planes, dict(noise or {}), digits
        self._word, self._position, self._kind, self._gain, self._bias = (
            torch.from_numpy(part)
            for part in (model.word, model.position, model.kind, model.norm.gain, model.norm.bias)
        )

    def weights(self, parameters: Parameters) -> dict[str, Any]:
        """The matrices that multiply, in the precision of the products, each with a gradient to its parameter."""
        torch = self._torch
        found = {}
        for layer in self._model.layers:
            weight = parameters[f"{layer.name}.weight"]
            if self._digits is not None:
                weight = self._digits[layer.name] * weight
            elif self._planes:
                with torch.no_grad():
                    held = sum(scale * digits for digits, scale in ternary_planes(weight, self._planes))
                weight = weight + (held - weight).detach()
            found[layer.name] = weight.to(torch.bfloat16)
        return found

    def __call__(self, parameters: Parameters, batch: Batch, weights: Mapping[str, Any] | None = None) -> Encoded:
        """The hidden states and embeddings of a batch. weights: of `weights(parameters)`, where they are at hand."""
        torch, model = self._torch, self._model
        functional = torch.nn.functional
        held = self.weights(parameters) if weights is None else weights
        ids, lengths = torch.from_numpy(batch.ids), torch.from_numpy(batch.lengths)
        present = torch.arange(ids.shape[1])[None, :] < lengths[:, None]
        mask = torch.zeros(present.shape, dtype=torch.bfloat16).masked_fill(~present, _MASKED)[:, None, None, :]
        width, heads, epsilon = self._word.shape[1], model.sizes.heads, model.sizes.epsilon

        def linear(layer: LinearLayer, x: Any) -> Any:
            out = functional.linear(x, held[layer.name], parameters[f"{layer.name}.bias"].to(x.dtype))
            spread = self._noise.get(layer.name)
            return out if spread is None else out + spread * out.detach().std() * torch.randn_like(out)

        def norm(x: Any, name: str) -> Any:
            return functional.layer_norm(x, (width,), parameters[f"{name}.gain"], parameters[f"{name}.bias"], epsilon)

        def split(x: Any) -> Any:
            return x.view(*ids.shape, heads, width // heads).transpose(1, 2)

        x = self._word[ids] + self._position[: ids.shape[1]] + self._kind
        x = functional.layer_norm(x, (width,), self._gain, self._bias, epsilon)
        hidden = []
        for number, block in enumerate(model.blocks):
            seen = self._activations(x)
            q, k, v = (split(linear(part, seen)) for part in (block.query, block.key, block.value))
            mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)
            x = norm(linear(block.output, self._activations(mixed)) + x, f"{number}.attention_norm")
            wide = functional.gelu(linear(block.widen, self._activations(x)))
            x = norm(linear(block.narrow, self._activations(wide)) + x, f"{number}.norm")
            hidden.append(x)
        here = present[..., None].to(x.dtype)
        pooled = (hidden[-1] * here).sum(1) / here.sum(1)
        return Encoded(hidden, functional.normalize(pooled, dim=-1))

    def _activations(self, x: Any) -> Any:
        """8-bit integers times the scale of their token; straight through for the gradient."""
        torch = self._torch
        if not self._planes:
            return x.to(torch.bfloat16)
        with torch.no_grad():
            scale = x.abs().amax(-1, keepdim=True).float().clamp(min=1e-6) / LARGEST_ACTIVATION
            held = (x / scale).round() * scale
        return (x + (held - x).detach()).to(torch.bfloat16)


def embed(
    run: Callable[[Batch], Encoded], sequences: Sequence[Sequence[int]], batches: Callable[..., Any], tokens: int = 2048
) -> Any:
    """Embeddings of token sequences, shape (sequences, width), float32."""
    torch = torch_library()
    rows: list[Any] = [None] * len(sequences)
    with torch.no_grad():
        for places, batch in batches(sequences, tokens):
            for place, row in zip(places, run(batch).embedding.float().numpy(), strict=True):
                rows[place] = row
    return np.array(rows)


def _bias(layer: LinearLayer) -> Any:
    return np.zeros(layer.outputs, np.float32) if layer.bias is None else layer.bias
