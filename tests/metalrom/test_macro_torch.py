"""The torch twin of a linear layer against torch itself; without torch only its refusal is tested."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.macro import Macro, macro_linear
from metalrom.macro.torch_twin import replace_linears

HAS_TORCH = importlib.util.find_spec("torch") is not None


@pytest.mark.skipif(HAS_TORCH, reason="torch is installed")
def test_without_torch_the_twin_says_so():
    with pytest.raises(InputError, match="needs torch"):
        macro_linear(None, Macro.ideal())


@pytest.mark.parametrize("mapping", ["differential", "twos_complement", "offset"])
def test_ideal_twin_is_the_quantized_layer(mapping):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    linear = torch.nn.Linear(70, 30)
    x = torch.randn(2, 5, 70)
    x[0, 0] = 0
    twin = macro_linear(linear, Macro.ideal(mapping=mapping))
    y = twin(x)
    weight = linear.weight.detach().double().numpy()
    scale = np.abs(weight).max(1) / 127
    step = np.maximum(np.abs(x.double().numpy()).max(2, keepdims=True), 1e-300) / 127
    product = np.rint(x.double().numpy() / step) @ np.rint(weight / scale[:, None]).T
    expected = product * step * scale + linear.bias.detach().double().numpy()
    np.testing.assert_allclose(y.numpy(), expected, rtol=1e-5, atol=1e-6)
    assert y.shape == (2, 5, 30)
    assert torch.nn.functional.cosine_similarity(y.flatten(), linear(x).flatten(), dim=0) > 0.9995


def test_convert_replaces_the_layers_of_a_model():
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Linear(16, 32), torch.nn.GELU(), torch.nn.Linear(32, 4, bias=False))
    x = torch.randn(3, 16)
    before = model(x)
    assert replace_linears(model, Macro.ideal(), skip=("2",)) == ["0"]
    assert isinstance(model[2], torch.nn.Linear)
    assert replace_linears(model, Macro.ideal()) == ["2"]
    np.testing.assert_allclose(model(x).numpy(), before.detach().numpy(), atol=0.02)


def test_what_the_twin_cannot_take():
    torch = pytest.importorskip("torch")
    linear = torch.nn.Linear(4, 2)
    with pytest.raises(InputError, match="no negative range"):
        macro_linear(linear, Macro.ideal(mapping="unsigned"))
    twin = macro_linear(linear, Macro.ideal(input_signed=False))
    with pytest.raises(InputError, match="negative"):
        twin(-torch.ones(1, 4))
    with pytest.raises(InputError, match="not finite"):
        twin(torch.full((1, 4), float("nan")))
