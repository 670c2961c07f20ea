"""Which readout a configuration gets that names none, and what is refused together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from characterization.procedures.transfer import check_levels
from interconnect.errors import InputError
from metalrom.api import load
from tests.builders import write_config


def chain_of(tmp_path: Path, readout: dict[str, Any] | None, **sections: Any) -> object:
    """The chain of a small configuration; None where it is read ideally."""
    path = write_config(tmp_path / "c.yaml", readout=readout, **sections)
    return load(path).setup(4).chain


@pytest.mark.parametrize(
    ("readout", "chain"),
    [
        ({"kind": "auto"}, True),
        ({"kind": "chain"}, True),
        ({"kind": "ideal"}, False),
        ({"kind": "auto", "double_sampling": True}, False),
        ({"kind": "auto", "drive": "single"}, True),
    ],
)
def test_a_balanced_cell_is_read_by_the_chain_unless_keys_of_the_ideal_one_are_given(tmp_path, readout, chain) -> None:
    assert (chain_of(tmp_path, readout) is not None) is chain


def test_the_ternary_tie_is_read_by_the_chain_and_a_ternary_cell_of_two_lines_is_not(tmp_path) -> None:
    tie = {"cell": {"kind": "cap_tie"}, "mapping": "ternary", "weights": {"random": [16, 4], "bits": "ternary"}}
    assert chain_of(tmp_path, {"kind": "auto"}, **tie) is not None
    assert chain_of(tmp_path, {"kind": "ideal"}, **tie) is None
    assert chain_of(tmp_path, {"kind": "auto"}, **tie | {"cell": {"kind": "cap_ternary"}}) is None


@pytest.mark.parametrize("kind", ["res_via", "cap_present", "cap_ternary", "cap_select"])
def test_other_cells_are_read_ideally_unless_a_chain_is_asked_for(tmp_path, kind) -> None:
    assert chain_of(tmp_path, {"kind": "auto"}, cell={"kind": kind}) is None


@pytest.mark.parametrize(
    ("rows", "counts", "key"),
    [
        (4, 9, "array.group_rows"),  # 1 + 2 + 3 + 4 + 5 = 15 levels, whatever is simulated of them
        (8, 5, "characterization.max_levels"),  # 1 + 3 + 5 + 5 + 5 = 19 levels of 0, 2, 4, 6 and 8 active rows
        (8, 6, None),
    ],
)
def test_too_few_levels_for_a_level_model_are_refused_before_simulating(tmp_path, rows, counts, key) -> None:
    """A level through transistors has ten coefficients and is fitted to 20 levels."""
    few = {"patterns": 1, "samples": 30, "max_levels": counts}
    path = write_config(tmp_path / "c.yaml", readout={"kind": "chain"}, characterization=few)
    setup = load(path).setup(rows)
    if key is None:
        check_levels(setup)
        return
    with pytest.raises(InputError, match=key):
        check_levels(setup)


def test_inverters_in_the_segment_replace_the_chain(tmp_path) -> None:
    path = write_config(tmp_path / "c.yaml", readout={"kind": "inverter", "inverter": {"bits": 7, "ramp_time": "16ns"}})
    setup = load(path).setup(4)
    assert setup.chain is None
    assert setup.inverter is not None
    assert (setup.inverter.bits, setup.inverter.ramp_time) == (7, 16e-9)
    assert setup.inverter.segments == -(-load(path).config.array.rows // 4)
    assert setup.level_shape == "bent"
    with pytest.raises(InputError, match=r"balanced binary charge cells.*cap_present is none"):
        chain_of(tmp_path, {"kind": "inverter"}, cell={"kind": "cap_present"})
    with pytest.raises(InputError, match="the readout `inverter` is of one group size"):
        chain_of(tmp_path, {"kind": "inverter"}, array={"group_rows": "auto", "group_candidates": [4]})


def test_a_group_that_is_still_open_is_read_ideally(tmp_path) -> None:
    array = {"group_rows": "auto", "group_candidates": [4]}
    assert chain_of(tmp_path, {"kind": "auto"}, array=array) is None
    assert chain_of(tmp_path, {"kind": "chain"}, array=array) is not None


def test_keys_of_both_readouts_are_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="belongs to the readout `chain`, the kind is `ideal` by `double_sampling`"):
        chain_of(tmp_path, {"kind": "auto", "double_sampling": True, "drive": "single"})
