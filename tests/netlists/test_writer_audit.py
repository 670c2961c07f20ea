"""Written netlists are read back bit by bit; every kind of damage is found and named; ngspice accepts them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from interconnect.errors import InputError
from netlists.audit import audit_netlist
from netlists.cells.base import CellModel, Plane
from netlists.column import ColumnStimulus, Periphery
from netlists.condition import Condition
from netlists.mapping import MacroShape, TileManifest, ViaProgram, tile, via_program
from netlists.reference import reference_column
from netlists.technology import Technology
from netlists.writer import LEVELS, write_netlist
from ngspice_runner import Job, run


@dataclass
class Written:
    path: Path
    program: ViaProgram
    manifest: TileManifest
    model: CellModel
    weights: np.ndarray
    group: int | None

    def audit(self, **place: object):  # type: ignore[no-untyped-def]
        place = {"group_rows": self.group} | place
        return audit_netlist(self.path, self.program, self.manifest, self.model, **place)  # type: ignore[arg-type]

    def edit(self, pattern: str, replacement: str | Callable[[re.Match[str]], str], count: int = 1) -> None:
        text = self.path.read_text()
        changed, n = re.subn(pattern, replacement, text, count=count, flags=re.MULTILINE)
        assert n == count
        self.path.write_text(changed)


@pytest.fixture(params=[("cap_model", 3), ("res_model", None)], ids=["cap, groups of 3", "res, not cut"])
def written(request: pytest.FixtureRequest, tmp_path: Path, technology: Technology) -> Written:
    name, group = request.param
    model = request.getfixturevalue(name)
    weights = np.random.default_rng(3).integers(-7, 8, (10, 6)).astype(np.int16)
    program = via_program(weights, 4)
    manifest = tile(program, MacroShape(rows=4, columns=8, planes=2))
    path = tmp_path / "macro.cir"
    out = write_netlist(path, "macro", program, manifest, model, technology, config_hash="abc", group_rows=group)
    assert out.cells == program.bits.size
    assert out.size == path.stat().st_size
    return Written(path, program, manifest, model, weights, group)


def test_all_weights_come_back(written: Written) -> None:
    report = written.audit()
    assert report.ok
    assert report.cells == written.program.bits.size
    np.testing.assert_array_equal(report.weights, written.weights)


def flip(w: Written, row: int, bit_column: int) -> tuple[int, str]:
    """Flip one via in the file; returns its line and instance."""
    t, p, r, c = w.manifest.locate(row, bit_column)
    lines = w.path.read_text().split("\n")
    start = next(i for i, s in enumerate(lines) if s.startswith(f".subckt array_t{t}_p{p}"))
    i = next(i for i in range(start, len(lines)) if lines[i].startswith(f"X_r{r}_c{c}_p{p} "))
    words = lines[i].split()
    if w.model.mode == "charge":
        tab = 1 + w.model.pins.index("tab")
        words[tab] = ("g" if words[tab][0] == "s" else "s") + words[tab][1:]
    else:
        words[-1] = {"res_via_plug": "res_via_open", "res_via_open": "res_via_plug"}[words[-1]]
    lines[i] = " ".join(words)
    w.path.write_text("\n".join(lines))
    return i + 1, words[0]


def test_planes_may_have_their_own_cells(written: Written, technology: Technology) -> None:
    from dataclasses import replace

    upper = replace(written.model, plane=Plane("M4", "M5"))
    models = (written.model, upper)
    write_netlist(written.path, "macro", written.program, written.manifest, models, technology)
    text = written.path.read_text()
    assert "on M2-M3" in text
    assert "on M4-M5" in text
    assert audit_netlist(written.path, written.program, written.manifest, models).ok
    # A cell of the other plane is not a cell of this one.
    name = written.model.variants[0].subckt
    written.edit(rf"^(X_r\d+_c\d+_p0 .* {name})_p0$", r"\1_p1")
    assert audit_netlist(written.path, written.program, written.manifest, models).unknown == 1
    with pytest.raises(InputError, match="cell models for"):
        write_netlist(
            written.path,
            "macro",
            written.program,
            tile(written.program, MacroShape(rows=4, columns=8, planes=3)),
            models,
            technology,
        )


def test_a_flipped_via_is_found_and_named(written: Written) -> None:
    line, name = flip(written, 7, 21)
    report = written.audit()
    assert not report.ok
    assert (report.wrong_bits, report.missing, report.duplicate, report.unknown) == (1, 0, 0, 0)
    fault = report.via_faults[0]
    program = written.program
    assert (fault.weight_row, fault.weight_column) == (7, program.weight_column[21])
    assert (fault.sign, fault.significance) == (program.sign[21], program.significance[21])
    assert (fault.expected, fault.found) == (program.bits[7, 21], 1 - program.bits[7, 21])
    assert (fault.tile, fault.plane, fault.row, fault.column) == written.manifest.locate(7, 21)
    assert fault.line == line
    assert name == f"X_r{fault.row}_c{fault.column}_p{fault.plane}"
    assert report.weights_differing == 1
    assert str(line) in str(fault)


def test_many_flips_are_all_counted(written: Written) -> None:
    places = {(0, 0), (3, 35), (9, 17), (5, 5)}
    for row, column in places:
        flip(written, row, column)
    report = written.audit()
    assert report.wrong_bits == len(places)
    assert {written.manifest.locate(*p) for p in places} == {
        (f.tile, f.plane, f.row, f.column) for f in report.via_faults
    }
    assert len(written.audit(limit=2).via_faults) == 2


def test_missing_duplicate_and_strange_cells(written: Written) -> None:
    original = written.path.read_text()
    written.edit(r"^X_r2_c3_p1 .*\n", "")
    report = written.audit()
    assert (report.missing, report.wrong_bits) == (1, 0)
    assert "X_r2_c3_p1" in str(report.cell_faults[0])
    written.path.write_text(original)
    written.edit(r"^(X_r2_c3_p1 .*\n)", r"\1\1")
    assert written.audit().duplicate == 1
    for addition in ("R_extra s0_1 s1_1 1.0\n", " R_extra s0_1 s1_1 1.0\n", "X_r0_c99_p1 a b c res_via_plug\n"):
        written.path.write_text(original)
        written.edit(r"^(X_r2_c3_p1 .*\n)", r"\1" + addition)
        report = written.audit()
        assert (report.unknown, report.missing) == (1, 0)


def test_a_cell_on_the_wrong_line_is_found(written: Written) -> None:
    original = written.path.read_text()
    for i, pin in enumerate(written.model.pins):
        if pin == "tab":  # a tab on a line of another row is no bit at all
            continue
        written.path.write_text(original)
        written.edit(rf"^(X_r1_c3_p0(?: \S+){{{i}}} [a-z]+)(\d+)", r"\g<1>9")
        report = written.audit()
        assert (report.unknown, report.missing) == (1, 1), pin


def test_another_name_for_the_same_place_is_no_way_around(written: Written) -> None:
    """The name says row 1, the nodes say row 2: the nodes count, so this is no cell of row 1."""
    written.edit(r"^X_r2_c3_p0 ", "X_r1_c3_p0 ")
    report = written.audit()
    assert not report.ok
    assert report.missing >= 1


def test_cut_off_and_foreign_files_are_refused(written: Written, tmp_path: Path) -> None:
    text = written.path.read_text()
    for bad, why in (
        (text[: len(text) // 2], "cut off"),
        ("* nothing\n.end\n", "has other pins|none of the expected"),
        (text.replace(".end\n", ".include /etc/passwd\n.end\n"), "includes another file"),
        (text.replace("\n.end\n", "\n.end\n.subckt x a b\n.ends\n"), "after its .end"),
        (text + text, "after its .end"),
    ):
        written.path.write_text(bad)
        with pytest.raises(InputError, match=why):
            written.audit()
    written.path = tmp_path / "nosuch.cir"
    with pytest.raises(InputError, match="cannot be read"):
        written.audit()


def test_the_writer_leaves_nothing_half_done(written: Written, tmp_path: Path, technology: Technology) -> None:
    before = written.path.read_bytes()
    with pytest.raises(InputError, match=r"x\.cir: cannot be written"):
        write_netlist(tmp_path / "no" / "x.cir", "macro", written.program, written.manifest, written.model, technology)
    with pytest.raises(InputError, match="line break"):
        write_netlist(
            written.path,
            "macro",
            written.program,
            written.manifest,
            written.model,
            technology,
            config_hash="x\n.control",
        )
    assert written.path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["macro.cir"]


@pytest.mark.parametrize("level", LEVELS)
def test_levels_hold_what_they_say(level: str, written: Written, technology: Technology) -> None:
    place = {"tile": 1, "plane": 0, "column": 2}
    out = write_netlist(
        written.path,
        level,
        written.program,
        written.manifest,
        written.model,
        technology,
        group_rows=written.group,
        **place,
    )
    # 36 bit columns on 8 x 2 planes: tile 1 of the first block holds 16 columns of 4 rows.
    assert out.cells == {"cell": 0, "column": 4, "array": 4 * 16, "macro": 10 * 36}[level]
    if level == "cell":
        with pytest.raises(InputError, match="no weights to audit"):
            written.audit(level=level)
    else:
        assert written.audit(level=level, **place).ok
        # Tiles have 4 rows: groups of 3 make segments of 3 and 1.
        ends = set(re.findall(r" (bl\d+)_", written.path.read_text()))
        assert ends == ({"bl0"} if written.group is None else {"bl0", "bl1"})
        assert not written.audit(level=level, group_rows=2, **place).ok
    for place in ({"tile": 99}, {"plane": 5}, {"column": 8}):
        if level == "column":
            with pytest.raises(InputError):
                write_netlist(
                    written.path, level, written.program, written.manifest, written.model, technology, **place
                )


def bit_lines(path: Path, subckt: str) -> dict[str, list[tuple[int, int]]]:
    """(row, column) of the cells that each end of an array's bit lines collects, walked node by node."""
    body = path.read_text().replace("\n+", " ").split(f".subckt {subckt} ")[1].split(".ends")[0]
    pins, *lines = body.strip().split("\n")
    above = {}
    for line in lines:
        words = line.split()
        nodes = dict(zip(("row_in", "row_out", "gnd_in", "gnd_out", "bl_in", "bl_out"), words[1:], strict=False))
        row, column = map(int, re.findall(r"\d+", words[0])[:2])
        assert nodes["bl_out"] not in above
        above[nodes["bl_out"]] = (nodes["bl_in"], (row, column))
    out = {}
    for pin in (p for p in pins.split() if p.startswith("b")):
        out[pin], node = [], pin
        while node in above:
            node, cell = above[node]
            out[pin].insert(0, cell)
    assert sum(map(len, out.values())) == len(lines)
    return out


@pytest.mark.parametrize("group", [1, 2, 3, 5, 7, 9, None])
@pytest.mark.parametrize("level", ["column", "array", "macro"])
def test_bit_lines_are_cut_after_every_group(
    level: str, group: int | None, cap_model: CellModel, tmp_path: Path, technology: Technology
) -> None:
    bits = np.random.default_rng(1).integers(0, 2, (7, 2)).astype(np.uint8)
    program = ViaProgram(bits, np.arange(2), np.ones(2, dtype=np.int64), np.zeros(2, dtype=np.int64))
    manifest = tile(program, MacroShape(rows=7, columns=2))
    path = tmp_path / "x.cir"
    write_netlist(path, level, program, manifest, cap_model, technology, group_rows=group)
    assert audit_netlist(path, program, manifest, cap_model, level=level, group_rows=group).ok
    found = bit_lines(path, "column_t0_p0_c0" if level == "column" else "array_t0_p0")
    starts = range(0, 7, group or 7)
    assert found == {
        f"bl{g}_{c}": [(r, c) for r in range(start, min(start + (group or 7), 7))]
        for g, start in enumerate(starts)
        for c in range(1 if level == "column" else 2)
    }
    text = path.read_text()
    assert ("bit lines are not cut" in text) if group is None else (f"* Group: {group} row(s)." in text)
    assert f" {len(starts)} segment(s) per bit line" in text
    if level == "macro":
        ports = re.search(r"^\.subckt tile_0\n(.*(?:\n\+.*)*)", text, re.MULTILINE)
        assert ports
        assert [x for x in ports[1].split() if x.startswith("bl")] == [
            f"bl{g}_p0_{c}" for g in range(len(starts)) for c in range(2)
        ]


def test_a_group_of_no_rows_is_refused(written: Written, technology: Technology) -> None:
    with pytest.raises(InputError, match="group_rows is 0"):
        write_netlist(written.path, "macro", written.program, written.manifest, written.model, technology, group_rows=0)
    with pytest.raises(InputError, match="group_rows is -1"):
        written.audit(group_rows=-1)


@pytest.mark.parametrize(
    ("row", "old", "new", "why"),
    [
        (2, "bl0_3", "b3_3", "its bit line goes on to b3_3 and should end at bl0_3"),
        (2, "bl0_3", "bl1_3", "its bit line ends at bl1_3 and should end at bl0_3"),
        (1, "b2_3", "bl0_3", "its bit line ends at bl0_3 and should go on to b2_3"),
        (1, "b2_3", "b3_3", "its bit line goes on to b3_3 and should go on to b2_3"),
        (3, "bl1_3", "bl0_3", "its bit line ends at bl0_3 and should end at bl1_3"),
        (3, "bl1_3", "b4_3", "its bit line goes on to b4_3 and should end at bl1_3"),
        (2, "bl0_3", "bl0_4", ""),
        (2, "bl0_3", "bl_3", ""),
        (2, "bl0_3", "bl00_3", ""),
        (1, "b2_3", "b02_3", ""),
    ],
)
@pytest.mark.parametrize("kind", ["cap_model", "res_model"])
def test_a_bit_line_cut_at_the_wrong_row_is_named(
    kind: str,
    row: int,
    old: str,
    new: str,
    why: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    technology: Technology,
) -> None:
    """Rows 0 to 2 end at bl0_3, row 3 at bl1_3."""
    model = request.getfixturevalue(kind)
    program = via_program(np.random.default_rng(3).integers(-7, 8, (4, 1)).astype(np.int16), 4)
    manifest = tile(program, MacroShape(rows=4, columns=6))
    path = tmp_path / "x.cir"
    write_netlist(path, "array", program, manifest, model, technology, group_rows=3)
    text = path.read_text()
    changed, n = re.subn(rf"^(X_r{row}_c3_p0 .* ){old} ", rf"\g<1>{new} ", text, flags=re.MULTILINE)
    assert n == 1
    path.write_text(changed)
    report = audit_netlist(path, program, manifest, model, level="array", group_rows=3)
    assert (report.unknown, report.missing, report.wrong_bits, report.duplicate) == (1, 1, 0, 0)
    fault = report.cell_faults[0]
    line = changed.split("\n").index(next(s for s in changed.split("\n") if s.startswith(f"X_r{row}_c3_p0 "))) + 1
    assert (fault.kind, fault.name, fault.line) == ("unknown", f"X_r{row}_c3_p0 in array_t0_p0", line)
    assert fault.why == why
    assert str(fault).endswith(why)


def test_a_netlist_of_another_group_is_told_by_its_pins_and_cuts(written: Written) -> None:
    for group in {1, 2, 3, None} - {written.group}:
        report = written.audit(group_rows=group)
        assert not report.ok
        assert report.wrong_bits == 0
        named = [str(f) for f in report.cell_faults]
        # In tiles of 4 rows groups of 2 and of 3 make two segments each: only the cuts tell.
        pins_tell = {group, written.group} != {2, 3}
        assert bool(re.match(r"array_t0_p0 has \d+ pins instead of \d+$", named[0])) == pins_tell
        assert any("its bit line" in s for s in named)


def test_a_piece_with_comments_and_blank_lines_is_read_like_any_other(written: Written) -> None:
    written.edit(r"^(X_r2_c3_p1 )", r"* a remark\n\n  \n\1")
    assert written.audit().ok
    written.edit(r"^(X_r2_c3_p1 )", r"  * a remark\nR_short s0_0 s1_0 1.0\n\1")
    report = written.audit()
    assert (report.unknown, report.missing) == (1, 0)
    assert "R_short" in str(report.cell_faults[0])


def test_nodes_with_leading_zeros_are_other_nodes(written: Written) -> None:
    """`X_r02_c3_p1 s02_3 ...` is a consistent cell on lines that nothing else is joined to."""
    written.edit(r"^X_r2_c3_p1 (.*)$", lambda m: "X_r02_c3_p1 " + re.sub(r"\b([sgb])2_", r"\g<1>02_", m[1]))
    report = written.audit()
    assert (report.unknown, report.missing) == (1, 1)


def run_netlist(path: Path, extra: str, outputs: tuple[str, ...], stop: float | None) -> dict[str, float]:
    text = path.read_text().replace("\n.end\n", f"\n{extra}\n.end\n")
    result = run(Job(text=text, outputs=outputs, stop=stop))
    assert result.ok, (result.verdict, result.log)
    return {name: float(result.signals[name].values[-1]) for name in outputs}


@pytest.mark.parametrize(("rows", "group"), [(6, None), (7, 4)])
@pytest.mark.parametrize("kind", ["cap_model", "res_model"])
def test_a_written_array_settles_where_the_column_says(
    kind: str,
    rows: int,
    group: int | None,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    technology: Technology,
) -> None:
    """An array of 3 columns from the file in ngspice against the exact solution of each segment's rows alone."""
    model: CellModel = request.getfixturevalue(kind)
    rng = np.random.default_rng(9)
    bits, inputs = rng.integers(0, 2, (rows, 3)), np.array([1, 0, 1, 1, 0, 1, 1])[:rows]
    program = ViaProgram(bits.astype(np.uint8), np.arange(3), np.ones(3, dtype=np.int64), np.zeros(3, dtype=np.int64))
    manifest = tile(program, MacroShape(rows=rows, columns=3))
    segments = [slice(start, min(start + (group or rows), rows)) for start in range(0, rows, group or rows)]
    ends = [f"bl{g}_{c}" for g in range(len(segments)) for c in range(3)]
    path = tmp_path / "x.cir"
    write_netlist(path, "array", program, manifest, model, technology, group_rows=group)
    charge = model.mode == "charge"
    # The case's first bit line has a quiet neighbour, the file's has none: add that load at its ends.
    per_row = model.capacitance("bl_next", 0)
    edges = [f"C_edge{g} bl{g}_0 0 {(s.stop - s.start) * per_row:.17e}" for g, s in enumerate(segments)]
    drives = [f"R_d{r} {'src' if x else '0'} s{r}_0 1.0e+03" for r, x in enumerate(inputs)]
    loads = (
        [f"C_l{e} {e} 0 5.0e-16\nS_l{e} {e} 0 rst 0 swm on" for e in ends]
        if charge
        else [f"R_l{e} {e} m{e} 1.0e+02\nV_l{e} m{e} 0 0" for e in ends]
    )
    analysis = (
        "V_src src 0 PWL(0 0 5.0e-10 0 5.2e-10 0.9)\nV_rst rst 0 PWL(0 1 3.0e-10 1 3.2e-10 0)\n"
        ".model swm sw vt=0.5 ron=1000 roff=1.0e+18\n.tran 5.0e-12 1.1e-09 0 1.0e-11"
        if charge
        else "V_src src 0 0.1\n.op"
    )
    outputs = tuple(f"v({e})" if charge else f"i(v_l{e})" for e in ends)
    extra = "\n".join(
        [
            f"X_dut {' '.join(f's{r}_0' for r in range(rows))} {' '.join(ends)} array_t0_p0",
            *drives,
            *loads,
            *edges,
            ".option num_threads=1 noinit method=gear reltol=1.0e-06 vntol=1.0e-09 abstol=1.0e-18 chgtol=1.0e-21"
            if charge
            else ".option num_threads=1 noinit",
            analysis,
            f".save {' '.join(outputs)}",
        ]
    )
    got = run_netlist(path, extra, outputs, 1.1e-9 if charge else None)
    exact = [
        reference_column(
            model,
            Periphery(kind="ideal"),
            Condition("tt", 0.9, 27.0),
            ColumnStimulus(bits=bits[s], inputs=inputs[s], ones_fraction=0.0),
        ).columns
        for s in segments
    ]
    np.testing.assert_allclose(list(got.values()), np.concatenate(exact), rtol=1e-6)


def test_a_macro_with_transistors_runs(cap_model: CellModel, tmp_path: Path, technology: Technology) -> None:
    """Two rows, each a group of its own: the second segment sees only its own, idle row."""
    program = via_program(np.array([[1, -1], [1, 1]], dtype=np.int16), 2)
    manifest = tile(program, MacroShape(rows=2, columns=2, planes=2))
    path = tmp_path / "m.cir"
    place = {"condition": Condition("ss", 0.9, 85.0), "group_rows": 1}
    write_netlist(path, "macro", program, manifest, cap_model, technology, periphery=Periphery(), **place)
    assert audit_netlist(path, program, manifest, cap_model, **place).ok
    assert audit_netlist(path, program, manifest, cap_model, technology=technology, periphery=Periphery(), **place).ok
    ends = [f"bl{g}_p{p}_{c}" for p in (0, 1) for g in (0, 1) for c in (0, 1)]
    outputs = tuple(f"v({e})" for e in ends[:4])
    extra = (
        f"X_tile in_0 in_1 {' '.join(ends)} reset_b vdd_rows vdd_reset tile_0\n"
        "V_r vdd_rows 0 0.9\nV_v vdd_reset 0 0.9\nV_b reset_b 0 PWL(0 0 3.0e-10 0 3.2e-10 0.9)\n"
        "V_0 in_0 0 PWL(0 0.9 5.0e-10 0.9 5.2e-10 0)\nV_1 in_1 0 0.9\n"
        ".tran 1.0e-11 1.0e-09 0 1.0e-11\n.option num_threads=1 noinit\n.save " + " ".join(outputs)
    )
    got = run_netlist(path, extra, outputs, 1e-9)
    text = path.read_text()
    for old, new in (
        ("X_drive_p0_0 in_0 ", "X_drive_p0_0 in_1 "),
        ("X_drive_p0_0 in_0 s_p0_0 ", "X_drive_p0_0 in_0 s_p0_1 "),
        ("X_reset0_p1_1 bl0_p1_1 ", "X_reset0_p1_1 bl0_p1_0 "),
        ("X_reset1_p1_1 bl1_p1_1 ", "X_reset1_p1_1 bl0_p1_1 "),
        ("X_reset1_p1_1 bl1_p1_1 reset 0 reset_switch\n", ""),
        ("X_reset1_p1_1 bl1_p1_1 ", "X_reset2_p1_1 bl2_p1_1 "),
        ("X_reset1_p1_1 bl1_p1_1 ", "X_reset1_p1_1 bl01_p1_1 "),
        ("+ s_p1_0 s_p1_1 ", "+ s_p1_1 s_p1_0 "),
        ("+ s_p1_0 s_p1_1 bl0_p1_0 bl0_p1_1 bl1_p1_0 ", "+ s_p1_0 s_p1_1 bl0_p1_0 bl0_p1_1 bl0_p1_0 "),
        ("bl1_p0_1 bl0_p1_0 bl0_p1_1 bl1_p1_0 bl1_p1_1", "bl1_p0_1 bl1_p1_0 bl0_p1_1 bl0_p1_0 bl1_p1_1"),
        ("\n+ s0_0 s1_0 bl0_0 bl0_1 bl1_0 bl1_1\nX_r0_c0_p1", "\n+ s1_0 s0_0 bl0_0 bl0_1 bl1_0 bl1_1\nX_r0_c0_p1"),
        ("\n+ s0_0 s1_0 bl0_0 bl0_1 bl1_0 bl1_1\nX_r0_c0_p1", "\n+ s0_0 s1_0 bl1_0 bl0_1 bl0_0 bl1_1\nX_r0_c0_p1"),
    ):
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))
        assert not audit_netlist(path, program, manifest, cap_model, **place).ok, (old, new)
    # Row 0 rises; its weight +1 sits on the positive column of weight column 0. Row 1 has the same weight and stays.
    assert got["v(bl0_p0_0)"] > got["v(bl0_p0_1)"] + 1e-3
    assert abs(got["v(bl1_p0_0)"] - got["v(bl1_p0_1)"]) < 1e-3
