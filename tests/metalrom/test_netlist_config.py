"""What a configuration says about weights, mappings and arrays reaches the program and the netlist."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.api import Project, load
from metalrom.macro.readout import synthetic_table
from metalrom.run.evaluate import macro_geometry, macro_of
from netlists.mapping import weights_of
from tests.builders import write_config

ARRAY = {
    "rows": 8,
    "dummy_columns": 2,
    "reference_columns": ["ones"],
    "ground_return": "3ohm",
    "lcc": True,
    "lcc_capacitance": "2fF",
    "columns_per_adc": 5,
}


def project(tmp_path: Path, weights: dict[str, Any], **sections: Any) -> Project:
    """The options of ARRAY and these weights, instead of the random ones where a file is named."""
    random = {"random": None} if "file" in weights else {}
    return load(write_config(tmp_path / "small.yaml", array=ARRAY, weights={**random, **weights}, **sections))


@pytest.mark.parametrize("mapping", ["differential", "twos_complement", "offset", "ternary"])
def test_integers_of_a_hex_file_are_stored_as_they_are(tmp_path: Path, mapping: str) -> None:
    (tmp_path / "w.hex").write_text("3 f\n0 9\n")
    p = project(tmp_path, {"file": "w.hex", "shape": [2, 2], "integers": True}, mapping=mapping)
    np.testing.assert_array_equal(weights_of(p.program), [[3, -1], [0, -7]])
    assert p.manifest.to_json()["encoding"]["mapping"] == mapping
    assert p.manifest.to_json()["encoding"]["add_per_input"] == (-8 if mapping == "offset" else 0)


def test_words_of_another_width_and_sign(tmp_path: Path) -> None:
    (tmp_path / "w.mem").write_text("07 0f")
    words = {"file": "w.mem", "shape": [1, 2], "bits": 8, "integers": True, "unsigned": True}
    assert project(tmp_path, {**words, "word_bits": 5}).weights.values.tolist() == [[7, 15]]
    with pytest.raises(InputError, match=r"w\.mem: line 1: '07' has 2 digits, expected 1 \(4 bits\)"):
        _ = project(tmp_path, {**words, "word_bits": 4}).weights


def test_ternary_weights(tmp_path: Path) -> None:
    p = project(tmp_path, {"random": [8, 3], "bits": 2}, mapping="ternary")
    assert set(np.unique(weights_of(p.program))) == {-1, 0, 1}
    assert p.program.bit_columns == 6  # a pair of columns per weight


def test_the_array_s_options(tmp_path: Path) -> None:
    options = project(tmp_path, {"random": [8, 2]}).array_options
    assert (options.dummy_columns, options.reference_columns, options.ground_return) == (2, ("ones",), 3.0)
    assert (options.lcc, options.columns_per_adc, options.sample_capacitance) == (True, 5, 2e-15)


def test_a_weight_that_does_not_fit_its_mapping_is_told_with_the_key(tmp_path: Path) -> None:
    (tmp_path / "w.csv").write_text("-8,1\n")
    p = project(tmp_path, {"file": "w.csv", "integers": True})
    with pytest.raises(InputError, match=r"small\.yaml: mapping: a weight of -8 does not fit 4 bits"):
        _ = p.program
    with pytest.raises(InputError, match="`integers` belongs to `file`"):
        project(tmp_path, {"random": [8, 2], "integers": True})


@pytest.mark.parametrize("mapping", ["differential", "twos_complement", "offset", "unsigned"])
def test_the_estimator_counts_the_columns_that_the_netlist_has(tmp_path: Path, mapping: str) -> None:
    (tmp_path / "w.hex").write_text("3 5\n0 1\n")
    p = project(tmp_path, {"file": "w.hex", "shape": [2, 2], "integers": True}, mapping=mapping)
    geometry = macro_geometry(p, 8)
    assert geometry.bit_columns_per_weight == p.program.bit_columns // p.program.weight_columns
    macro = macro_of(p, synthetic_table(8), "ideal_1.00V_27C")
    x = np.array([[1, -2], [3, 4]])
    np.testing.assert_array_equal(macro.matmul(x, p.weights.values.astype(np.int64)), x @ p.weights.values)
