"""Column circuits of resistive planes in a written netlist: a select per segment and plane."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import numpy as np
import pytest

from interconnect.errors import InputError
from netlists.array_options import ArrayOptions
from netlists.audit import audit_netlist
from netlists.cells.base import CellModel
from netlists.condition import Condition
from netlists.mapping import MacroShape, tile, via_program
from netlists.periphery import Periphery
from netlists.plane_select import PlaneSelect
from netlists.technology import Technology
from netlists.writer import write_netlist
from ngspice_runner import Job, run

PERIPHERY = Periphery(plane_select=PlaneSelect(planes=2))
PROGRAM = via_program(np.random.default_rng(5).integers(-7, 8, (4, 2)).astype(np.int16), 4)
MANIFEST = tile(PROGRAM, MacroShape(rows=4, columns=6, planes=2))


class Written:
    """A netlist of two planes of six columns and two segments, and its audit."""

    def __init__(self, folder: Path, model: CellModel, technology: Technology, level: str = "macro") -> None:
        self.path, self.model, self.technology, self.level = folder / "x.cir", model, technology, level
        self.place = {
            "group_rows": 2,
            "options": ArrayOptions(lcc=True),
            "condition": Condition("tt", 1.0, 27.0),
            "periphery": PERIPHERY,
        }
        write_netlist(self.path, level, PROGRAM, MANIFEST, model, technology, **self.place)  # type: ignore[arg-type]
        self.text = self.path.read_text()

    def ok(self) -> bool:
        place = {"technology": self.technology, "level": self.level} | self.place
        return audit_netlist(self.path, PROGRAM, MANIFEST, self.model, **place).ok  # type: ignore[arg-type]


@pytest.mark.parametrize("level", ["array", "macro"])
def test_everything_comes_back(level: str, res_model: CellModel, technology: Technology, tmp_path: Path) -> None:
    written = Written(tmp_path, res_model, technology, level)
    assert written.ok()
    assert len(re.findall(r"^X_lcc_bl\d_\d ", written.text, re.MULTILINE)) == 2 * 6
    assert "sample" not in written.text


def test_one_changed_word_of_a_circuit_is_found(res_model: CellModel, technology: Technology, tmp_path: Path) -> None:
    written = Written(tmp_path, res_model, technology)
    lines = written.text.split("\n")
    places = [
        (i, k)
        for i, line in enumerate(lines)
        if line.startswith(("X_lcc", "X_not", "X_select", "M_n", ".subckt lcc"))
        for k in range(1, len(line.split()))
    ]
    assert len(places) > 100
    for i, k in np.random.default_rng(1).permutation(places)[:60]:
        words = lines[i].split()
        words[k] = "0" if words[k] != "0" else "zz"
        written.path.write_text("\n".join([*lines[:i], " ".join(words), *lines[i + 1 :]]))
        with contextlib.suppress(InputError):  # so damaged that it is no netlist of ours
            assert not written.ok(), lines[i]


def test_without_a_select_they_are_refused(res_model: CellModel, technology: Technology, tmp_path: Path) -> None:
    for periphery, why in (
        (Periphery(), "none is configured"),
        (Periphery(plane_select=PlaneSelect(planes=2, clamp_width=1e-6)), "its clamps are not written"),
    ):
        with pytest.raises(InputError, match=why):
            write_netlist(
                tmp_path / "x.cir", "array", PROGRAM, MANIFEST, res_model, technology, group_rows=2,
                options=ArrayOptions(lcc=True), periphery=periphery,
            )  # fmt: skip


@pytest.mark.ngspice
@pytest.mark.parametrize("plane", [0, 1])
def test_the_selected_plane_is_read(plane: int, res_model: CellModel, technology: Technology, tmp_path: Path) -> None:
    """Rows of one segment 0.2 V above sense nodes at 0.5 V: every column's current is its ones times V / R, less what
    select (about 0.8 kohm) and wires drop of 200 kohm; the other plane and segment add nothing."""
    text = Written(tmp_path, res_model, technology, "array").text
    found = re.search(r"^\.subckt planes_t0 (.*)$", text.replace("\n+", ""), re.MULTILINE)
    assert found is not None
    names = found[1].split()
    extra = [f"X_dut {' '.join(names)} planes_t0", ".option num_threads=1 noinit", ".op"]
    for name in names:
        row = re.fullmatch(r"s_p\d_(\d)", name)
        volts = 0.7 if row and int(row[1]) < 2 else 0.5
        if name.startswith("sel"):
            volts = 1.5 if name == f"sel0_p{plane}" else 0.0
        extra.append(f"V_{name} {name} 0 {1.0 if name == 'vdd_lcc' else volts}")
    outputs = tuple(f"i(v_sense_bl_{c})" for c in range(6))
    extra.append(".save " + " ".join(outputs))
    result = run(Job(text=text.replace("\n.end\n", "\n" + "\n".join(extra) + "\n.end\n"), outputs=outputs))
    assert result.ok, result.log
    stored = PROGRAM.bits[:2, 6 * plane : 6 * plane + 6].sum(axis=0)
    assert 0 < stored.sum() < 12
    current = np.array([result.signals[name].values[-1] for name in outputs])
    np.testing.assert_allclose(current / 1e-6, stored, rtol=0.02, atol=1e-3)
