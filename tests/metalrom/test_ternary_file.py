"""Ternary digits of a packed file: the cells of netlist and masks hold them as they are, one cell per weight."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from interconnect.errors import InputError
from metalrom.api import Project
from metalrom.config.schema import Config
from netlists.audit import audit_netlist
from netlists.mapping import via_program
from netlists.weights import load_ternary, ternary_names
from netlists.writer import write_netlist
from tests.builders import make_config

TENSOR = "q.weight"
PLANES = [{"row": "M2", "column": "M3"}, {"row": "M4", "column": "M5"}]


def digits() -> np.ndarray:
    """8 outputs of 12 inputs; the first output is all zero, the second has no zero."""
    made = np.random.default_rng(4).integers(-1, 2, (8, 12)).astype(np.int8)
    made[0], made[1] = 0, 1
    return made


def folder(path: Path, matrix: np.ndarray, scale: np.ndarray) -> Path:
    """A packed checkpoint: row r + 2 k in bits 2k of byte r, digit + 1, by transformers' own rule."""
    codes = (matrix + 1).astype(np.uint8).reshape(4, 2, 12)
    packed = sum(codes[k] << np.uint8(2 * k) for k in range(4)).astype(np.uint8)
    plain = np.ones((8, 12), np.float32)
    save_file({TENSOR: packed, f"{TENSOR}_scale": scale, "plain.weight": plain}, path / "model.safetensors")
    content = {"quantization_config": {"quant_method": "bitnet", "linear_class": "autobitlinear"}}
    (path / "config.json").write_text(json.dumps(content))
    return path


def project(path: Path, **weights: object) -> Project:
    found = make_config(
        cell={"kind": "cap_tie", "planes": PLANES},
        array={"rows": 8, "columns": 4, "group_rows": 4},
        mapping="ternary",
        weights={"random": None, "file": ".", "tensor": TENSOR, "transpose": True, "bits": "ternary", **weights},
    )
    return Project(Config.model_validate(found), path / "small.yaml", extraction="formula")


def test_digits_and_scales_are_those_of_the_file(tmp_path: Path) -> None:
    """A rule that quantizes anew would keep the digits but scale by mean|w|, the share of digits that are not 0."""
    scale = np.array([0.5, 2.0, -3.0, 1.0, 0.25, 4.0, 1.5, 0.125], np.float32)
    found = project(folder(tmp_path, digits(), scale))
    np.testing.assert_array_equal(found.weights.values, digits().T)
    np.testing.assert_array_equal(found.weights.scale, scale)
    assert found.weights_source.endswith("ternary digits as stored")
    values = np.array(found.program.symbol_values)
    assert found.program.bit_columns == 8  # one cell per weight
    np.testing.assert_array_equal(values[found.program.bits], digits().T)
    assert ternary_names(tmp_path) == (TENSOR,)
    assert load_ternary(tmp_path, "plain.weight") is None
    with pytest.raises(InputError, match=r"has shape \(12, 8\) \(inputs, outputs\), expected \(8, 12\)"):
        _ = project(tmp_path, shape=[8, 12]).weights


def test_real_weights_are_quantized_as_before(tmp_path: Path) -> None:
    found = project(folder(tmp_path, digits(), np.ones(8, np.float32)), tensor="plain.weight")
    np.testing.assert_array_equal(found.weights.values, np.ones((12, 8)))
    wide = project(tmp_path, bits=8)  # the same file, asked for as real weights
    assert np.abs(wide.weights.values).max() == 127


def test_a_netlist_holds_the_digits_and_a_wrong_one_is_found(tmp_path: Path) -> None:
    found = project(folder(tmp_path, digits(), np.ones(8, np.float32)))
    path = tmp_path / "macro.cir"
    write_netlist(path, "macro", found.program, found.manifest, found.models, found.technology, group_rows=4)

    def wrong(matrix: np.ndarray) -> int:
        program = via_program(matrix.T, 2, mapping="ternary", symbol_values=(0, 1, -1))
        return audit_netlist(path, program, found.manifest, found.models, group_rows=4).weights_differing

    assert wrong(digits()) == 0
    other = digits()
    other[5, 7], other[0, 0] = (other[5, 7] + 2) % 3 - 1, -1  # one to its next value, one zero to a minus
    assert wrong(other) == 2


def test_the_masks_hold_the_digits(tmp_path: Path) -> None:
    """Four tiles of two planes; a cut in every cell of a digit that is not 0, at the place of its sign."""
    pytest.importorskip("gdstk")
    from metalrom.layout.audit import symbols_of
    from metalrom.layout.check import plan_of
    from metalrom.layout.files import write_layout
    from metalrom.layout.read import open_layout

    found = project(folder(tmp_path, digits(), np.ones(8, np.float32)))
    plan = plan_of(found, "macro")
    shapes = open_layout(write_layout(plan, tmp_path / "m.gds").path).flatten(plan.grid)
    read = np.full((12, 8), 9)
    for part in plan.parts:
        assert part.scope is not None
        p = part.scope.placement
        symbols, lost = symbols_of(plan, part, shapes)
        assert len(lost) == 0
        read[p.row_start : p.row_stop, p.column_start : p.column_stop] = np.array([0, 1, -1])[symbols]
    np.testing.assert_array_equal(read, digits().T)
    vias = sum(len(shapes.of(plan.layers.layers[name].drawing)) for name in ("V2", "V4"))
    assert vias == np.count_nonzero(digits())
