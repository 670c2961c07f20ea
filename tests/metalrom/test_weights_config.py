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
