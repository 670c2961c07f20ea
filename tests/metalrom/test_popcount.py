"""The digital count: its Verilog against numpy, full adders by their number, area by the library's own cells."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from interconnect.errors import InputError
from metalrom.studies.popcount.row import ADDER_CELLS, count_bits, counts, popcount_verilog, vectors_text
from metalrom.studies.popcount.synthesis import cell_library, random_inputs, simulated, synthesize

needs_iverilog = pytest.mark.skipif(shutil.which("iverilog") is None, reason="iverilog is not installed")
needs_synthesis = pytest.mark.skipif(
    any(shutil.which(name) is None for name in ("iverilog", "yosys", "sta")), reason="yosys or OpenSTA is not installed"
)

ARC = (
    'timing () {{ related_pin : "{pin}"; timing_sense : negative_unate; timing_type : combinational; '
    + " ".join(
        f'{name} (flat) {{{{ values ("0.03, 0.03", "0.03, 0.03"); }}}}'
        for name in ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
    )
    + " }}"
)
PIN = "pin ({pin}) {{ direction : input; capacitance : 3; }}"
CELLS = {"INV": "!A", "BUF": "A", "NAND2": "!(A B)", "NOR2": "!(A+B)"}


def liberty() -> str:
    """A library of four invented cells, 1 um2 a pin at its inputs, 3 fF a pin, at 2 V."""
    cells = ""
    for name, function in CELLS.items():
        pins = [pin for pin in "AB" if pin in function]
        inputs, arcs = (" ".join(text.format(pin=pin) for pin in pins) for text in (PIN, ARC))
        output = f'pin (Y) {{ direction : output; function : "{function}"; {arcs} }}'
        cells += f"  cell ({name}) {{ area : {len(pins)}; {inputs}\n    {output} }}\n"
    return f"""library (tiny) {{
  delay_model : table_lookup; time_unit : "1ns"; voltage_unit : "1V"; current_unit : "1mA";
  pulling_resistance_unit : "1kohm"; leakage_power_unit : "1nW"; capacitive_load_unit (1, ff);
  input_threshold_pct_rise : 50; input_threshold_pct_fall : 50;
  output_threshold_pct_rise : 50; output_threshold_pct_fall : 50;
  slew_lower_threshold_pct_rise : 20; slew_lower_threshold_pct_fall : 20;
  slew_upper_threshold_pct_rise : 80; slew_upper_threshold_pct_fall : 80;
  nom_voltage : 2.0; nom_temperature : 25; nom_process : 1;
  operating_conditions (typical) {{ process : 1; temperature : 25; voltage : 2.0; }}
  default_operating_conditions : typical;
  lu_table_template (flat) {{ variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
    index_1 ("0.01, 1"); index_2 ("0.1, 100"); }}
{cells}}}
"""


@pytest.mark.parametrize("rows", [1, 2, 3, 10, 17])
@needs_iverilog
def test_the_circuit_counts(rows: int, tmp_path: Path) -> None:
    """Every driven row adds its digit; the extremes -rows and rows are among the vectors."""
    (tmp_path / "row.v").write_text(popcount_verilog(rows))
    inputs = random_inputs(rows, 200, 0.6, seed=rows)
    want = counts(*inputs)
    assert (want[0], want[1]) == (rows, -rows)
    np.testing.assert_array_equal(simulated(tmp_path, ["row.v"], rows, inputs), want)


@needs_iverilog
def test_a_wrong_circuit_is_seen(tmp_path: Path) -> None:
    (tmp_path / "row.v").write_text(popcount_verilog(4).replace("row & plus", "row | plus"))
    inputs = random_inputs(4, 100, 0.6, seed=0)
    assert (simulated(tmp_path, ["row.v"], 4, inputs) != counts(*inputs)).any()


def test_adders_of_a_tree() -> None:
    """A full adder makes two bits of three: 20 bits become the 5 of their number by 15 of them; a half adder keeps the
    number of bits, and is there where two are left: at the weights 1, 2 and 4 of 20 bits."""
    text = popcount_verilog(10)
    assert text.count("popcount_adder a") == 15
    assert text.count(" ^ ") == 3 + 3  # of the half adders and of the adder's own body
    assert count_bits(10) == 5  # -10 to 10
    cell = next(c for c in ADDER_CELLS if c.name == "FAX1")
    assert "FAX1 adder (.A(a), .B(b), .C(c), .YS(s), .YC(co));" in popcount_verilog(10, cell)
    with pytest.raises(InputError, match="0 rows"):
        popcount_verilog(0)


def test_words_of_the_vectors() -> None:
    """Row 0 in the lowest bit of its part; minus, plus, row from the lowest part on."""
    row, plus, minus = (np.array([bits]) for bits in ([1, 0], [0, 1], [1, 1]))
    assert vectors_text(row, plus, minus) == f"{0b01_10_11:x}\n"


@needs_synthesis
def test_one_row_in_two_kinds_of_cells(tmp_path: Path) -> None:
    """Area adds up from the cells; energy of the inputs' switching alone is bounded by all pins toggling at once."""
    path = tmp_path / "tiny.lib"
    path.write_text(liberty())
    library = cell_library(path, 45e-9, "test")
    assert (library.vdd, library.adder) == (2.0, None)
    one, two = (synthesize(n, library, vectors=50) for n in (1, 2))
    for found in (one, two):
        assert found.wrong == 0
        assert found.cells <= found.area <= 2 * found.cells
        # at most every pin of every gate moves in every evaluation: 3 fF x V^2 / 2 a pin
        assert 0 < found.energy < 2 * found.cells * 3e-15 * 4 / 2
    assert two.area > 2 * one.area
    (tmp_path / "none.lib").write_text("library (x) { }")
    with pytest.raises(InputError, match="nom_voltage"):
        cell_library(tmp_path / "none.lib", 45e-9, "test")
