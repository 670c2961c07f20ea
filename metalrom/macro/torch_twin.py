"""A torch layer that computes as the macro would: for inference of whole networks. Needs torch (not a dependency)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from interconnect.errors import InputError
from metalrom.macro.engine import Macro


def macro_linear(linear: Any, macro: Macro, *, layer: int = 0) -> Any:
    """A `torch.nn.Module` that replaces a `torch.nn.Linear` and computes its product on `macro`.

    Weights are quantized once, symmetrically per output (largest magnitude = largest weight of the scheme that has a
    negative counterpart); activations per token at every call, symmetrically, or from 0 up if the macro's inputs are
    unsigned, which then must not be negative. Scales and bias are applied in floating point. Inference only.

    Parameters
    ----------
    linear : torch.nn.Linear
        The layer to replace.
    macro : Macro
        The macro that computes it.
    layer : int
        Number of the layer on the chip.

    Returns
    -------
    torch.nn.Module
        Takes activations of shape (..., inputs).

    Raises
    ------
    InputError
        Without torch, or for unsigned weights.
    """
    torch = _torch()

    weight = linear.weight.detach().cpu().to(torch.float64).numpy().T
    top = min(macro.scheme.high, -macro.scheme.low)
    if top < 1:
        raise InputError(f"torch twin: {macro.mapping} weights have no negative range")
    largest = np.abs(weight).max(axis=0)
    scale = np.where(largest > 0, largest, 1.0) / top
    stored = macro.store(np.rint(weight / scale).astype(np.int64), layer=layer)
    signed = macro.input_signed
    highest = 2 ** (macro.input_bits - signed) - 1

    class MacroLinear(torch.nn.Module):  # type: ignore[misc, name-defined]
        """Linear layer (inputs, outputs) whose products run through a macro; `macro` and `stored` are its parts."""

        def __init__(self) -> None:
            super().__init__()
            self.in_features, self.out_features = weight.shape
            self.macro, self.stored = macro, stored
            bias = None if linear.bias is None else linear.bias.detach().clone()
            self.register_buffer("bias", bias)

        def forward(self, x: Any) -> Any:
            """x (..., inputs) -> (..., outputs), of x's type and device."""
            tokens = x.detach().cpu().to(torch.float64).reshape(-1, self.in_features).numpy()
            if not np.isfinite(tokens).all():
                raise InputError("torch twin: an activation is not finite")
            if not signed and (tokens < 0).any():
                raise InputError("torch twin: the macro's inputs are unsigned, an activation is negative")
            peak = np.abs(tokens).max(axis=1, initial=0.0, keepdims=True)
            step = np.where(peak > 0, peak, 1.0) / highest
            y = macro.matmul(np.rint(tokens / step).astype(np.int64), stored) * step * scale
            out = torch.from_numpy(y).to(x.device, x.dtype).reshape(*x.shape[:-1], self.out_features)
            return out if self.bias is None else out + self.bias.to(x.device, x.dtype)

    return MacroLinear()


def replace_linears(model: Any, macro: Macro, *, skip: tuple[str, ...] = ()) -> list[str]:
    """Replace every `torch.nn.Linear` inside `model` in place; returns the names. skip: parts of names left alone.

    Every layer takes its own place on the chip, in the order of the model. Raises InputError without torch.
    """
    torch = _torch()
    linears = [(n, m) for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)]
    chosen = [(n, m) for n, m in linears if n and not any(part in n for part in skip)]
    for layer, (name, linear) in enumerate(chosen):
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, macro_linear(linear, macro, layer=layer))
    return [name for name, _ in chosen]


def _torch() -> Any:
    try:
        return import_module("torch")
    except ImportError:
        raise InputError("the torch twin needs torch, which is not installed", hint="pip install torch") from None
