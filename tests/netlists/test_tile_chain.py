"""Written tiles with their readout chain: what they hold, what the audit finds in them, and a read of one column."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from interconnect.errors import InputError
from netlists.array_options import NO_OPTIONS, ArrayOptions
from netlists.audit import AuditReport, audit_netlist
from netlists.case import ColumnStimulus
from netlists.cells.base import CellModel
from netlists.column import column_deck
from netlists.condition import Condition
from netlists.mapping import MacroShape, TileManifest, ViaProgram, tile
from netlists.mapping.scheme import Encoding
from netlists.periphery import Periphery, Timing
from netlists.readout.chain import EDGE, ComparatorBus, ReadoutChain, SharedLine
from netlists.readout.column_pair import ColumnPair
from netlists.readout.column_ramp import ColumnRamp
from netlists.readout.deck import gate_area, transistors
from netlists.readout.drawn import control_lines
from netlists.readout.tile_chain import TileChain, units_of_tile
from netlists.render import render
from netlists.technology import Technology
from netlists.transistors import mos_printer, transistor_values
from netlists.writer import write_netlist
from ngspice_runner import Job, run

AT = Condition("tt", 1.0, 27.0)
PERIPHERY = Periphery(sense_capacitance=1e-16)
GROUP = 4

CHAINS: dict[str, ReadoutChain] = {
    "one column": ReadoutChain(line=SharedLine(segments=2, planes=2), bus=ComparatorBus(columns=4)),
    "two columns": ReadoutChain(line=SharedLine(segments=2, planes=2, columns=2), bus=ComparatorBus(columns=2)),
    "one plane": ReadoutChain(line=SharedLine(segments=2, planes=1), bus=ComparatorBus(columns=8)),
    "single drive": ReadoutChain(drive="single", line=SharedLine(segments=2, planes=2), bus=ComparatorBus(columns=3)),
    "pair": ReadoutChain(
        line=SharedLine(segments=2, planes=2, columns=2), bus=ComparatorBus(columns=2), converter=ColumnPair()
    ),
    "ramp": ReadoutChain(
        line=SharedLine(segments=2, planes=2), bus=ComparatorBus(columns=2), converter=ColumnRamp(shared_by=3)
    ),
}


def stored(rows: int, columns: int, seed: int = 1) -> ViaProgram:
    """Drawn symbols, every column by itself."""
    bits = np.random.default_rng(seed).integers(0, 2, (rows, columns)).astype(np.uint8)
    ones = np.ones(columns, dtype=np.int64)
    return ViaProgram(bits, np.arange(columns), ones, 0 * ones, Encoding("stored", (0, 1)))


@dataclass
class Case:
    path: Path
    program: ViaProgram
    manifest: TileManifest
    model: CellModel
    technology: Technology
    tile_chain: TileChain
    level: str = "macro"
    options: ArrayOptions = NO_OPTIONS

    @property
    def place(self) -> dict[str, Any]:
        rows = self.manifest.shape.rows
        return {
            "group_rows": -(-rows // self.tile_chain.chain.line.segments),
            "options": self.options,
            "condition": AT,
            "periphery": PERIPHERY,
            "tile_chain": self.tile_chain,
        }

    def write(self) -> str:
        write_netlist(
            self.path, self.level, self.program, self.manifest, self.model, self.technology, **self.place
        )  # fmt: skip
        return self.path.read_text()

    def audit(self, text: str | None = None) -> AuditReport:
        if text is not None:
            self.path.write_text(text)
        return audit_netlist(
            self.path, self.program, self.manifest, self.model, technology=self.technology, level=self.level,
            **self.place,
        )  # fmt: skip


@pytest.fixture
def make(tmp_path: Path, cap_model: CellModel, technology: Technology) -> Callable[..., Case]:
    def case(name: str, columns: int = 16, **fields: Any) -> Case:
        chain = CHAINS[name]
        program = stored(2 * GROUP, columns)
        manifest = tile(program, MacroShape(rows=2 * GROUP, columns=8, planes=2))
        levels = 2 * GROUP + 1 if chain.converter.columns == 2 else GROUP + 1
        found = TileChain(chain=chain, levels=levels)
        return Case(tmp_path / "tile.cir", program, manifest, cap_model, technology, found, **fields)

    return case


def test_units_by_hand() -> None:
    """40 driven rows, 12 columns, 4 planes in pairs; two columns on a line, three lines on a bus: in each of two banks
    6 lines of 5 segments, 2 buses, a generator for both."""
    found = units_of_tile(
        rows=40, columns=12, planes=4, segments=5, planes_per_line=2, columns_per_line=2, columns_per_conversion=1,
        columns_per_bus=6, buses_per_group=2, control_lines=20,
    )  # fmt: skip
    assert found == {"row": 80, "segment": 60, "column": 12, "bus": 4, "group": 2, "line": 40, "tile": 1}


@pytest.mark.parametrize("name", CHAINS)
@pytest.mark.parametrize("level", ["array", "macro"])
def test_a_written_tile_holds_what_is_billed(make: Callable[..., Case], name: str, level: str) -> None:
    case = make(name, level=level)
    case.write()
    report = case.audit()
    assert report.ok, [str(f) for f in report.cell_faults]
    parts = {p.name: p for p in report.readout.parts}
    assert {"lcc_reset", "column_line", "column_mux", "adc"} <= parts.keys()
    assert ("row_drivers" in parts) == (level == "macro")
    chain = case.tile_chain.chain
    # By hand: 2 segments of 8 columns on 2 planes, a reset and a follower each, and a row select per segment and line.
    lines = 16 // chain.line.bit_lines
    assert parts["lcc_reset"].transistors == 2 * (8 * 2 * 2 + lines)
    assert parts["column_line"].capacitance == pytest.approx(lines * chain.sampler.capacitance)
    if level == "macro":  # an inverter for every driven line of 8 rows and every bank
        driven = 2 if chain.drive == "complement" else 1
        assert parts["row_drivers"].transistors == 2 * 8 * driven * (2 // chain.line.planes)
    assert "as billed" in str(report.readout)
    assert "NOT as billed" not in str(report.readout)


@pytest.mark.parametrize("name", CHAINS)
def test_control_lines_are_pins_as_many_as_are_billed(name: str) -> None:
    chain = CHAINS[name]
    pins = TileChain(chain=chain, levels=5).control_pins(2, 2)
    assert len(set(pins)) == len(pins) == control_lines(chain) * (2 // chain.line.planes)


@pytest.mark.parametrize("name", ["two columns", "pair", "ramp"])
@pytest.mark.parametrize("columns", [6, 11, 13])
def test_tiles_that_are_not_full(make: Callable[..., Case], name: str, columns: int) -> None:
    """Segments and buses are whole wherever the program ends: a plane that is missing, half a line, half a bus."""
    case = make(name, columns=columns)
    case.write()
    assert case.audit().ok


def test_dummies_and_references_around(make: Callable[..., Case]) -> None:
    """References are read like other columns, dummies have no end."""
    case = make("two columns", options=ArrayOptions(dummy_columns=1, reference_columns=("ones", "zeros")))
    text = case.write()
    assert case.audit().ok
    assert text.count(" vdd_analog segment\n") == 2 * 5  # two segments of (8 + 2) / 2 lines
    assert "bl0_p0_1 bl0_p0_2 bl0_p1_1 bl0_p1_2 reset0_p0_0" in text  # by plane, then by column of the line


@pytest.mark.parametrize("name", ["two columns", "pair"])
def test_every_changed_word_is_found(make: Callable[..., Case], name: str) -> None:
    case = make(name)
    text = case.write()
    start = text.index("X_segment0_b0_0")
    words = [m for m in re.finditer(r"\S+", text[start:]) if not text[: start + m.start()].endswith(".ends ")]
    for match in words[:400:11]:
        a, b = start + match.start(), start + match.end()
        word = match[0]
        if word.startswith((".", "+")):
            continue
        report = case.audit(text[:a] + word + "x" + text[b:])
        assert not report.ok, word


def test_planted_faults_are_named(make: Callable[..., Case]) -> None:
    case = make("one column")
    text = case.write()

    def faults(changed: str) -> list[str]:
        assert changed != text
        report = case.audit(changed)
        assert not report.ok
        return [str(f) for f in report.cell_faults]

    # A follower that is missing: 16 lines of segments have it.
    missing = re.sub(r"^M_follower_1 .*\n", "", text, flags=re.MULTILINE)
    assert "tile 0: lcc_reset has 64 transistors, 80 are billed" in faults(missing)
    # Two planes on one follower, the other one on none.
    swapped = text.replace("X_segment1_b0_3 bl1_p0_3 bl1_p1_3", "X_segment1_b0_3 bl1_p0_3 bl1_p0_3")
    assert "x_segment1_b0_3 in planes_t0 has bl1_p0_3 where bl1_p1_3 should be" in faults(swapped)
    exchanged = text.replace("X_segment1_b0_3 bl1_p0_3 bl1_p1_3", "X_segment1_b0_3 bl1_p1_3 bl1_p0_3")
    assert "x_segment1_b0_3 in planes_t0 has bl1_p1_3 where bl1_p0_3 should be" in faults(exchanged)
    # A segment that is missing: two resets, two followers, a select.
    without = re.sub(r"^X_segment1_b0_3 .*\n", "", text, flags=re.MULTILINE)
    assert {"x_segment1_b0_3 is missing in planes_t0", "tile 0: lcc_reset has 75 transistors, 80 are billed"} <= set(
        faults(without)
    )
    # A series capacitor of another size: 8 lines of 30 fF.
    smaller = re.sub(r"^(C_double \S+ \S+) \S+$", r"\1 2.9e-14", text, flags=re.MULTILINE)
    assert "tile 0: column_line has 232 fF of drawn capacitors, 240 fF are billed" in faults(smaller)
    twice = text.replace("X_bias_b0_0 ", "X_bias_b0_1 bias_b0_1 vdd_analog line_bias\nX_bias_b0_1 ", 1)
    assert any("x_bias_b0_1 in planes_t0 is there twice" in f for f in faults(twice))


def test_whole_and_compact_texts_are_of_the_same_transistors(technology: Technology) -> None:
    """What a deck holds as one transistor of many fingers is written out in a tile: equal gate areas, the resets of a
    segment and the diode of a bus besides."""
    chain = CHAINS["two columns"]
    mos = mos_printer(technology, chain.length)
    compact = render("readout/chain.cir.j2", {"h": chain, "mos": mos})
    whole = render("readout/chain.cir.j2", {"h": chain, "mos": mos, "whole": True})
    resets = chain.line.bit_lines * chain.segment.reset_width * chain.length
    assert gate_area(whole, "segment") == pytest.approx(gate_area(compact, "segment") + resets)
    for name in ("column_line", "comparator_bus"):
        assert gate_area(whole, name) == pytest.approx(gate_area(compact, name))
    assert [t.multiplier for t in transistors(whole, "segment")] == [1] * (2 * chain.line.bit_lines + 1)


def test_what_a_tile_cannot_hold_is_refused(make: Callable[..., Case], res_model: CellModel) -> None:
    case = make("one column")
    case.model = res_model
    with pytest.raises(InputError, match="charge cells of one bit line"):
        case.write()
    other = make("one column", options=ArrayOptions(lcc=True))
    with pytest.raises(InputError, match="no other column circuits"):
        other.write()
    three = make("one column")
    three.manifest = tile(three.program, MacroShape(rows=8, columns=8, planes=3))
    with pytest.raises(InputError, match="lines of 2 planes do not divide 3 planes"):
        three.write()


def test_devices_without_area_rules_are_audited_by_their_transistors(make: Callable[..., Case]) -> None:
    case = make("one column")
    case.technology = replace(case.technology, devices=replace(case.technology.devices, area=None))
    case.write()
    report = case.audit()
    assert report.ok
    assert "368 fF of drawn capacitors, as billed" in str(report.readout)


@pytest.mark.ngspice
@pytest.mark.parametrize("columns", [1, 2])
def test_a_read_through_the_written_tile(
    columns: int, tmp_path: Path, cap_model: CellModel, technology: Technology
) -> None:
    """40 rows x 8 columns x 2 planes, column 3 of plane 0: the level at the decision is that of the column's own deck,
    which holds one plane's segment between its neighbours and everything beside as loads, within 0.02 LSB."""
    rows, group, target = 40, 20, 3
    chain = ReadoutChain(
        line=SharedLine(segments=2, planes=2, columns=columns), bus=ComparatorBus(columns=8 // columns)
    )
    program = stored(rows, 16, seed=2)
    manifest = tile(program, MacroShape(rows=rows, columns=8, planes=2))
    found = TileChain(chain=chain, levels=group + 1)
    case = Case(tmp_path / "tile.cir", program, manifest, cap_model, technology, found)
    inputs = np.zeros(rows, dtype=int)
    inputs[:group] = np.random.default_rng(3).integers(0, 2, group)
    bits = program.bits[:group, :7]  # the eighth column is a load

    def level(stored_bits: Any, driven: Any) -> float:
        stimulus = ColumnStimulus(bits=stored_bits, inputs=driven, columns_total=8)
        deck = column_deck(technology, cap_model, PERIPHERY, Timing(), AT, stimulus, chain=chain)
        return read(deck.text, "v(bus)", chain.timing.stop, chain)

    low, high = (level(np.full_like(bits, k), np.ones(group, dtype=int)) for k in (0, 1))
    expected = level(bits, inputs[:group])
    text = case.write().replace("\n.end\n", "\n" + bench(case, chain, inputs, target))
    measured = read(text, "v(bus_b0_0)", chain.timing.stop, chain)
    assert 0.2 < (expected - low) / (high - low) < 0.8  # a level in the middle of the range
    assert measured == pytest.approx(expected, abs=0.02 * (high - low) / group)


def read(text: str, vector: str, stop: float, chain: ReadoutChain) -> float:
    """The level at the decision, V."""
    result = run(Job(text=text, outputs=(vector,), stop=stop))
    assert result.ok, (result.verdict, result.log)
    time, values = (np.real(result.signals[n].values) for n in ("time", vector))
    return float(np.interp(chain.timing.timing.read_at, time, values))


def bench(case: Case, chain: ReadoutChain, inputs: Any, target: int) -> str:
    """Sources at the pins of tile_0 for one read of a column of plane 0 in segment 0, at the column deck's instants."""
    t, s, v = chain.timing, chain.segment, AT.vdd
    k, line = target % chain.line.columns, target // chain.line.columns
    start, end = t.timing.input_start, t.timing.input_end
    back = t.rows_return

    def source(pin: str) -> str:
        row = re.fullmatch(r"in_(g_)?(\d+)", pin)
        if row:  # one inverter: 0 V raises the line
            idle, driven = (0.0, v) if row[1] else (v, 0.0)
            if not inputs[int(row[2])]:
                return f"{idle}"
            return f"PWL(0 {idle} {start} {idle} {end} {driven} {back} {driven} {back + EDGE} {idle})"
        fixed = {
            f"level_p0_{k}": s.reset_level,
            "select0_b0": 0.0,
            "common": chain.sampler.common_mode,
            "reference": 0.45,
            "clk": 0.0,
        }
        moving = {
            "clamp_b0": f"PWL(0 {v} {t.clamp_opens} {v} {t.clamp_opens + EDGE} 0)",
            "bus_reset_b0": f"PWL(0 {v} {t.bus_joins - 5 * EDGE} {v} {t.bus_joins - 4 * EDGE} 0)",
            f"join_b0_{line}": f"PWL(0 0 {t.bus_joins} 0 {t.bus_joins + EDGE} {v})",
        }
        if pin in moving:
            return moving[pin]
        kinds = {"reset": s.reset_gate, "level": s.parking_level, "select": v, "join": 0.0, "trial": 0.0, "vdd": v}
        return f"{fixed[pin] if pin in fixed else kinds[re.split(r'[0-9_]', pin)[0]]}"

    found = re.search(r"^\.subckt tile_0 (.*)$", case.path.read_text().replace("\n+", " "), re.MULTILINE)
    assert found
    pins = found[1].split()
    pulsed = f"reset0_p0_{k}"
    lines = [
        f"X_dut {' '.join(pins)} tile_0",
        render("periphery/reset.cir.j2", transistor_values(case.technology, PERIPHERY)),
        f"V_gate vdd_gate 0 {s.reset_gate}",
        f"V_reset_b reset_b 0 PWL(0 0 {t.timing.reset_end} 0 {t.timing.reset_done} {s.reset_gate})",
        f"X_reset_driver reset_b {pulsed} vdd_gate 0 reset_driver",
        f"I_bias bias_b0_0 0 {chain.line.bias_current}",
        *(f"V_{p} {p} 0 {source(p)}" for p in pins if p != pulsed and not p.startswith(("bias_", "bus_b0", "q"))),
        ".option num_threads=1 noinit temp=27 reltol=1e-4 vntol=1e-7 abstol=1e-12 chgtol=1e-17",
        f".tran 2.5e-11 {t.stop} 0 1e-10",
        ".save v(bus_b0_0)",
        ".end\n",
    ]
    return "\n".join(lines)
