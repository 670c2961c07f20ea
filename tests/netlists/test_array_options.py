"""Dummies, references, ground return, shared column circuits: written, read back, broken word by word, simulated."""

from __future__ import annotations

import contextlib
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interconnect.errors import InputError
from netlists.array_options import ArrayOptions
from netlists.audit import AuditReport, audit_netlist
from netlists.cells.base import GROUND_LINE, SIGNAL, BitLine, CellModel, Element, RowLine, Variant
from netlists.condition import Condition
from netlists.mapping import MacroShape, TileManifest, ViaProgram, tile, via_program
from netlists.periphery import Periphery
from netlists.technology import Technology
from netlists.writer import write_netlist
from ngspice_runner import Job, run

TEMPLATE = """\
{% for v in model.variants %}
{% if loop.index0 == 0 or v.subckt != model.variants[0].subckt %}
.subckt {{ v.subckt | ident }}{% for p in model.pins %} {{ p | ident }}{% endfor %} k=1
{% for e in v.elements %}
{% set value = ("{ %s * k }" | format(e.value | num)) if e.varies else (e.value | num) %}
{{ e.name | ident }} {{ e.a | ident }} {{ e.b | ident }} {{ value | cards }}
{% endfor %}
.ends {{ v.subckt | ident }}
{% endif %}
{% endfor %}
"""


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    """A template that prints any cell, for kinds of this test."""
    folder = tmp_path / "templates"
    (folder / "cells").mkdir(parents=True)
    for kind in ("four_levels", "two_lines"):
        (folder / "cells" / f"{kind}.cir.j2").write_text(TEMPLATE)
    return folder


def four_levels(base: CellModel) -> CellModel:
    """A tab that is tied to one of four lines: two bits per cell, full, two thirds, one third of the drive, ground."""
    lines = (SIGNAL, RowLine("two", "t", 2 / 3), RowLine("one", "o", 1 / 3), GROUND_LINE)
    elements = [Element("C_bl_tab", "bl_in", "tab", 1.2e-17, "the switched share", varies=True)]
    elements += [Element(f"C_{x.letter}", "bl_in", f"{x.prefix}_out", 2e-18, "to the bit line") for x in lines]
    elements += [Element(f"R_{x.letter}", f"{x.prefix}_in", f"{x.prefix}_out", 1.5, "one segment") for x in lines]
    elements += [
        Element("C_next", "bl_in", "bl_next", 1e-18, "to the next bit line"),
        Element("R_bl", "bl_in", "bl_out", 1.0, "one segment of the bit line"),
    ]
    pins = (*(f"{x.prefix}_{end}" for x in lines for end in ("in", "out")), "bl_in", "bl_out", "bl_next", "tab")
    variants = tuple(
        Variant("four_levels", tuple(elements), {"tab": to}) for to in ("gnd_out", "one_out", "two_out", "row_out")
    )
    return replace(base, kind="four_levels", pins=pins, variants=variants, lines=lines, symbol_values=(0, 1, 2, 3))


def two_lines(base: CellModel) -> CellModel:
    """A ternary cell: the row's tab reaches the plus line, the minus line or neither (it then hangs on ground)."""
    bits = (BitLine("bl", "b"), BitLine("bn", "n", -1))
    elements = (
        Element("C_tab", "row_out", "tab", 1.2e-17, "the switched share", varies=True),
        Element("C_p", "bl_in", "0", 1e-17, "plus line to ground"),
        Element("C_n", "bn_in", "0", 1e-17, "minus line to ground"),
        Element("C_next", "bn_in", "bl_next", 1e-18, "to the next column"),
        Element("C_s", "row_out", "0", 1e-17, "row line to ground"),
        Element("R_s", "row_in", "row_out", 1.5, "one segment of the row line"),
        Element("R_p", "bl_in", "bl_out", 1.0, "one segment of the plus line"),
        Element("R_n", "bn_in", "bn_out", 1.0, "one segment of the minus line"),
    )
    pins = ("row_in", "row_out", "gnd_in", "gnd_out", "bl_in", "bl_out", "bn_in", "bn_out", "bl_next", "tab")
    elements += (Element("R_g", "gnd_in", "gnd_out", 1.5, "one segment of the ground line"),)
    elements += (Element("C_g", "gnd_out", "0", 1e-17, "ground line to ground"),)
    variants = tuple(Variant("two_lines", elements, {"tab": to}) for to in ("bn_in", "gnd_out", "bl_in"))
    return replace(
        base, kind="two_lines", pins=pins, variants=variants, lines=(SIGNAL, GROUND_LINE), bit_lines=bits,
        symbol_values=(-1, 0, 1),
    )  # fmt: skip


FULL = ArrayOptions(
    dummy_columns=1,
    reference_columns=("zeros", "ones", "alternating"),
    ground_return=5.0,
    lcc=True,
    columns_per_adc=3,
    sample_capacitance=5e-16,
)


@dataclass
class Case:
    path: Path
    program: ViaProgram
    manifest: TileManifest
    model: CellModel
    technology: Technology
    templates: Path
    options: ArrayOptions = FULL
    level: str = "macro"

    @property
    def place(self) -> dict[str, Any]:
        return {
            "group_rows": 2,
            "options": self.options,
            "condition": Condition("tt", 1.0, 27.0),
            "periphery": Periphery(),
            "templates": self.templates,
        }

    def write(self) -> str:
        write_netlist(self.path, self.level, self.program, self.manifest, self.model, self.technology, **self.place)
        return self.path.read_text()

    def audit(self, **more: Any) -> AuditReport:
        place = {"technology": self.technology, "level": self.level} | self.place | more
        return audit_netlist(self.path, self.program, self.manifest, self.model, **place)


@pytest.fixture(params=["cap", "four", "two"])
def case(
    request: pytest.FixtureRequest, cap_model: CellModel, templates: Path, tmp_path: Path, technology: Technology
) -> Case:
    build = {"cap": lambda m: m, "four": four_levels, "two": two_lines}
    model: CellModel = build[request.param](cap_model)
    weights = np.random.default_rng(5).integers(-7, 8, (3, 2)).astype(np.int16)
    program = via_program(weights, 4, symbol_values=model.symbol_values)
    # 12, 8 and 6 columns on planes of 5: the last plane of every tile is not full.
    manifest = tile(program, MacroShape(rows=3, columns=5, planes=2))
    return Case(tmp_path / "x.cir", program, manifest, model, technology, templates)


@pytest.mark.parametrize("level", ["column", "array", "macro"])
@pytest.mark.parametrize("options", [ArrayOptions(), FULL, replace(FULL, lcc=False)], ids=["plain", "full", "no lcc"])
def test_everything_comes_back(case: Case, level: str, options: ArrayOptions) -> None:
    case.level, case.options = level, options
    text = case.write()
    report = case.audit()
    assert report.ok, [str(f) for f in report.cell_faults]
    if level == "macro":
        np.testing.assert_array_equal(report.weights.shape, (3, 2))
        assert report.weights_differing == 0
        columns = case.program.bit_columns + options.extra * len(list(case.manifest.placements()))
        assert report.cells == 3 * columns
    assert ("lcc_2" in text) == (options.lcc and level != "column")
    # Without the technology the cells are still checked element by element.
    assert case.audit(technology=None).ok


def test_references_and_dummies_hold_what_they_should(case: Case) -> None:
    text, counts = case.write(), case.model.symbol_values
    tab = 1 + case.model.pins.index("tab")
    tied = {}
    for line in text.split("\n"):
        if match := re.match(r"X_r(\d)_c(\d)_p0 ", line):
            own = dict(zip(case.model.pins, line.split()[1:], strict=False))
            pin = next(p for p in case.model.pins if p != "tab" and own[p] == line.split()[tab])
            symbol = next(k for k, v in enumerate(case.model.variants) if v.ties["tab"] == pin)
            tied[int(match[1]), int(match[2])] = counts[symbol]
    top = max(counts)
    # Columns: 0 dummy; 1, 2, 3 references; 4 to 8 program; 9 dummy.
    for column, expected in ((0, [0, 0, 0]), (1, [0, 0, 0]), (2, [top] * 3), (3, [0, top, 0]), (9, [0, 0, 0])):
        assert [tied[r, column] for r in range(3)] == expected


def test_one_changed_word_anywhere_is_found(case: Case) -> None:
    """Every word but the first of every statement, the names of cells aside, is replaced once (a sample of them)."""
    case.options = replace(FULL, columns_per_adc=2)
    lines = case.write().split("\n")
    places = [
        (i, k)
        for i, line in enumerate(lines)
        if line and line[0] not in "*"
        for k, word in enumerate(line.split())
        # The word of .ends is optional; `k=1` is no pin.
        if k > 0 and not line.startswith(".ends") and word != "k=1"
    ]
    assert len(places) > 1000
    rng = np.random.default_rng(2)
    heads = [p for p in places if not lines[p[0]].startswith(("X_r", "+"))]
    for i, k in [*rng.permutation(places)[:150], *rng.permutation(heads)[:150]]:
        words = lines[i].split()
        words[k] = "0" if words[k] != "0" else "zz"
        case.path.write_text("\n".join([*lines[:i], " ".join(words), *lines[i + 1 :]]))
        with contextlib.suppress(InputError):  # so damaged that it is no netlist of ours
            assert not case.audit().ok, (lines[i], words)
    case.path.write_text("\n".join(lines))
    assert case.audit().ok


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (r"^(R_ground_return gret 0) 5.0e\+00$", r"\1 6.0e+00", "R_ground_return in array_t0_p0"),
        (r"^R_ground_return .*\n", "", "array_t0_p0 has 0 ground returns"),
        (r"^(X_lcc_bl0_4 .*) mux0_0 mux0_0_b", r"\1 mux0_2 mux0_2_b", "x_lcc_bl0_4 in planes_t0 is there twice or on"),
        (r"^(X_lcc_bl1_5 .*) adc_bl_1 ", r"\1 adc_bl_0 ", "x_lcc_bl1_5 in planes_t0"),
        (r"^X_lcc_bl1_5 .*\n", "", "x_lcc_bl1_5 is missing in planes_t0"),
        (r"^(X_lcc_bl0_4 )bl0_p0_4 bl0_p1_4", r"\1bl0_p1_4 bl0_p0_4", "x_lcc_bl0_4 in planes_t0"),
        (r"^(X_sample line) hold", r"\1 adc", "'x_sample line adc sample sample_b vdd vss tgate' does not belong"),
        (r"^(C_sample hold vss) .*", r"\1 1.0e-16", "'c_sample hold vss 1.0e-16' does not belong in lcc_2"),
        (r"^(X_not_sample .*)$", r"\1\nR_x sample 0 1.0", "r_x in planes_t0"),
        (r"^\.end$", "R_loose a b 1.0\n.end", "'r_loose a b 1.0' does not belong outside"),
    ],
)
def test_faults_are_named(
    old: str, new: str, why: str, cap_model: CellModel, templates: Path, tmp_path: Path, technology: Technology
) -> None:
    program = via_program(np.array([[3, -5, 1], [7, 0, -2], [-1, 6, 4]]), 4)
    manifest = tile(program, MacroShape(rows=3, columns=5, planes=2))
    case = Case(tmp_path / "x.cir", program, manifest, cap_model, technology, templates)
    text, n = re.subn(old, new, case.write(), count=1, flags=re.MULTILINE)
    assert n == 1
    case.path.write_text(text)
    report = case.audit()
    assert not report.ok
    assert any(why in str(f) for f in report.cell_faults), [str(f) for f in report.cell_faults]


def test_a_wrong_reference_cell_is_named(case: Case) -> None:
    text = case.write()
    tab = case.model.pins.index("tab")
    line = next(x for x in text.split("\n") if x.startswith("X_r1_c2_p1 "))
    words = line.split()
    pin = case.model.variants[case.model.symbol_values.index(0)].ties["tab"]
    words[1 + tab] = words[1 + case.model.pins.index(pin)]
    case.path.write_text(text.replace(line, " ".join(words), 1))
    report = case.audit()
    assert (report.wrong_bits, report.unknown, report.weights_differing) == (1, 0, 0)
    assert "(reference column 1 (ones))" in str(report.via_faults[0])


def simulate(text: str, extra: list[str], outputs: tuple[str, ...], stop: float) -> dict[str, Any]:
    deck = text.replace("\n.end\n", "\n" + "\n".join(extra) + "\n.end\n")
    result = run(Job(text=deck, outputs=outputs, stop=stop))
    assert result.ok, (result.verdict, result.log)
    assert "warning" not in result.log.lower(), result.log
    return {name: result.signals[name].values for name in outputs}


def ports(text: str, name: str) -> list[str]:
    joined = text.replace("\n+", "")
    found = re.search(rf"^\.subckt {name} (.*)$", joined, re.MULTILINE)
    assert found
    return found[1].split()


@pytest.mark.parametrize("plane", [0, 1])
def test_a_macro_with_column_circuits_reads_the_selected_plane(case: Case, plane: int) -> None:
    """Reset with every plane selected, one plane selected, all rows raised, sampled, the converter's input read: the
    column of ones ends above the column of zeros, alternating (one row of two in the segment) between them."""
    case.options = replace(FULL, sample_capacitance=2e-17)
    text = case.write()
    names = ports(text, "tile_0")
    edge = {"reset_b": "PWL(0 0 5.0e-10 0 5.2e-10 1.0)", "sample": "PWL(0 1 1.5e-09 1 1.52e-09 0)"}
    extra = [f"X_dut {' '.join(names)} tile_0", ".option num_threads=1 noinit", ".tran 1.0e-11 2.0e-09 0 2.0e-11"]
    for name in names:
        if name.startswith("in_"):
            wave = "PWL(0 1 8.0e-10 1 8.2e-10 0)"
        elif name.startswith("sel_"):
            wave = "1.0" if name == f"sel_p{plane}" else "PWL(0 1 6.0e-10 1 6.2e-10 0)"
        elif name.startswith("mux"):
            wave = "1.0" if name == "mux0_1" else "0"  # position 1: the reference of ones
        elif name.startswith("vdd_"):
            wave = {"vdd_two": "0.6667", "vdd_one": "0.3333"}.get(name, "1.0")
        elif name in edge:
            wave = edge[name]
        else:  # a converter input: a small load
            extra.append(f"C_{name} {name} 0 1.0e-17")
            continue
        extra.append(f"V_{name} {name} 0 {wave}")
    outputs = tuple(f"v(x_dut.x_planes.bl0_p{p}_{c})" for p in (0, 1) for c in (1, 2, 3))
    outputs = (*outputs, "v(adc_bl_0)", "v(x_dut.x_planes.x_lcc_bl0_2.hold)")
    extra.append(".save " + " ".join(outputs))
    got = simulate(text, extra, outputs, 2e-9)
    zeros, ones, alternating = (got[f"v(x_dut.x_planes.bl0_p{plane}_{c})"][-1] for c in (1, 2, 3))
    assert ones > alternating + 1e-4 > zeros + 2e-4


def test_an_array_alone_parses_and_finds_its_operating_point(case: Case) -> None:
    case.level, case.options = "array", replace(FULL, lcc=False)
    text = case.write()
    names = ports(text, "array_t0_p0")
    driven = [x for x in names if not x.startswith("b")]
    extra = [f"X_dut {' '.join(names)} array_t0_p0", ".option num_threads=1 noinit"]
    extra += [f"V_{x} {x} 0 1.0" for x in driven] + [f"R_{x} {x} 0 1.0e+03" for x in names if x not in driven]
    outputs = (f"v({driven[0]})",)
    result = run(
        Job(
            text=text.replace("\n.end\n", "\n" + "\n".join([*extra, ".op\n.save " + outputs[0], ".end", ""])),
            outputs=outputs,
        )
    )
    assert result.ok, (result.verdict, result.log)
    assert "warning" not in result.log.lower()


def test_what_cannot_be_is_refused(case: Case, res_model: CellModel, tmp_path: Path, technology: Technology) -> None:
    for bad, why in (
        ({"dummy_columns": -1}, r"array\.dummy_columns"),
        ({"columns_per_adc": 0}, r"array\.columns_per_adc"),
        ({"reference_columns": ("one",)}, "did you mean 'ones'"),
        ({"ground_return": 0.0}, r"array\.ground_return"),
        ({"sample_capacitance": -1.0}, r"array\.sample_capacitance"),
    ):
        with pytest.raises(InputError, match=why):
            ArrayOptions(**bad)  # type: ignore[arg-type]
    bits = via_program(np.array([[1]]), 2)
    manifest = tile(bits, MacroShape(rows=1, columns=2))
    with pytest.raises(InputError, match="need a periphery of transistors"):
        write_netlist(tmp_path / "y.cir", "array", bits, manifest, res_model, technology, options=FULL)
    with pytest.raises(InputError, match="read by its current"):
        write_netlist(
            tmp_path / "y.cir", "array", bits, manifest, res_model, technology, options=FULL, periphery=Periphery()
        )
    other = via_program(np.array([[1]]), 2, symbol_values=(1, 0))
    with pytest.raises(InputError, match=r"values \(1, 0\), cell"):
        write_netlist(tmp_path / "y.cir", "array", other, tile(other, manifest.shape), case.model, technology)
    twin = replace(case.model, lines=(SIGNAL, RowLine("other", "s", 0.5)))
    with pytest.raises(InputError, match="cannot be distinguished"):
        write_netlist(case.path, "array", case.program, case.manifest, twin, technology)
