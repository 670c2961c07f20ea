"""Weights of a configuration: folders of parts, convolution kernels, and what is said of them."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from interconnect.errors import InputError
from metalrom.config.schema import Config
from metalrom.design.design import Design
from tests.builders import make_config


def design(folder: Path, **weights: object) -> Design:
    config = make_config(weights={"random": None, "transpose": True, **weights})
    return Design(Config.model_validate(config), folder / "small.yaml")


def checkpoint(folder: Path) -> np.ndarray:
    rng = np.random.default_rng(1)
    kernel = rng.standard_normal((4, 2, 2, 4)).astype(np.float32)
    save_file(
        {"conv.weight": kernel, "fc.weight": rng.standard_normal((4, 16)).astype(np.float32)},
        folder / "model.safetensors",
    )
    return kernel


def test_a_kernel_of_a_folder_is_unfolded_and_said_so(tmp_path: Path) -> None:
    kernel = checkpoint(tmp_path)
    found = design(tmp_path, file=".", tensor="conv.weight")
    scale = np.abs(kernel.reshape(4, -1)).max(axis=1) / 7
    np.testing.assert_array_equal(found.weights.values, np.rint(kernel.reshape(4, -1) / scale[:, None]).T)
    assert found.weights_source == (
        "conv.weight of ., a convolution kernel of 4 x 2 x 2 x 4: rows are its unfolded inputs (im2col)"
    )
    part = design(tmp_path, file=".", tensor="conv.weight", groups=2, group=1)
    np.testing.assert_array_equal(part.weights.values, found.weights.values[:, 2:])
    assert "4: group 1 of 2, rows are" in part.weights_source
    assert design(tmp_path, file=".", tensor="fc.weight").weights_source == "fc.weight of ."


def test_what_is_no_layer_is_refused(tmp_path: Path) -> None:
    checkpoint(tmp_path)
    with pytest.raises(InputError, match=r"a convolution kernel, .*weights\.transpose"):
        _ = design(tmp_path, file=".", tensor="conv.weight", transpose=False).weights
    with pytest.raises(InputError, match="there is no such weight file"):
        _ = design(tmp_path, file="nosuch", tensor="w").weights


def test_ternary_weights_of_a_file_keep_digits_and_scale_and_the_rule_is_chosen(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    digits = rng.integers(-1, 2, (8, 4))
    weight = (digits * np.float32(0.3)).astype(np.float32)
    trained = rng.standard_normal((8, 4)).astype(np.float32)
    save_file({"t": weight.T.copy(), "w": trained.T.copy()}, tmp_path / "model.safetensors")
    found = design(tmp_path, file=".", tensor="t", bits="ternary").weights
    np.testing.assert_array_equal(found.values, digits)
    np.testing.assert_array_equal(found.scale, np.float64(np.float32(0.3)))
    kept = np.abs(trained) > 0.7 * np.abs(trained).mean(0)
    for rule, wanted in (("twn", np.sign(trained) * kept), ("bitnet", np.rint(trained / np.abs(trained).mean(0)))):
        section = design(tmp_path, file=".", tensor="w", bits="ternary", ternary_rule=rule)
        np.testing.assert_array_equal(section.weights.values, np.clip(wanted, -1, 1))
    with pytest.raises(ValueError, match="`ternary_rule` belongs to `bits: ternary`"):
        design(tmp_path, file=".", tensor="w", bits=4, ternary_rule="bitnet")
