"""Readout kinds side by side, each by transistors: error, energy, area and time for a capacitive and a resistive cell.

    python benchmarks/four_readouts.py [--workers 1] [--write]

--write: also writes docs/reference/readout-kinds.md. Groups of 24 rows, 384 rows and 4 planes on a line (16 segments),
typical corner, nominal supply, 27 degC. The capacitive cell is the balanced one of examples/minilm_chain.yaml under
complement drive, the resistive one res_via of examples/res_via_column.yaml. Levels, settling and energies are
transients, noise is the engine's noise analysis (the clocked comparator: its sensitivity), area that of the
transistors of the decks in standard-cell rows. The chain with its three converters and the inverter are the product's
own objects. Spread
of cells (2.5 %) is an assumption of the example, the same for all; so is what is left of the offset (0.05 counts) where
the readout is no object of the product.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.shared_line import FITTED, ROWS, example_cell
from characterization.column_testbench import ColumnTestbench
from characterization.noise import charge_noise
from characterization.procedures.chain_energy import converter_energies
from characterization.procedures.inverter_margin import inverter_spread
from characterization.procedures.local_inverter import measure_inverter
from characterization.readout.comparator_noise import ComparatorPoint, Run, point_of
from characterization.readout.converter_noise import decision_noise, frozen_noise
from characterization.readout.converter_spread import converter_spread
from characterization.readout.converters import conversion_cost
from characterization.readout.readout_noise import (
    chain_sample_noise,
    current_sense_noise,
    ramp_comparator_noise,
)
from characterization.readout.testbench import ReadoutTestbench
from characterization.readout.twin import fit_chain_twin, read_line
from characterization.readout.virtual_ground import current_sense_readings
from characterization.testbench import Converter, Testbench, Variation
from interconnect.errors import InputError
from interconnect.files import atomic_file
from netlists.cells.base import CellModel
from netlists.condition import Condition
from netlists.devices.area import DrawnTransistor
from netlists.devices.device_set import DeviceSet
from netlists.periphery import Periphery, Timing
from netlists.readout.chain import ComparatorBus, ReadoutChain, SharedLine
from netlists.readout.column_converter import ColumnConverter
from netlists.readout.column_pair import ColumnPair
from netlists.readout.column_ramp import ColumnRamp, column_ramp_deck
from netlists.readout.column_sar import ColumnSar
from netlists.readout.current_sense import CurrentSense, current_sense_deck
from netlists.readout.deck import transistors
from netlists.readout.drawn import DrawnPart, drawn_parts
from netlists.readout.inverter_parts import inverter_parts
from netlists.readout.local_inverter import LocalInverter, reference_coupling, reference_rows_of
from netlists.readout.ramp import Ramp
from netlists.readout.sar import Sar
from netlists.readout.shared_line import line_deck
from netlists.readout.strongarm import StrongArm
from netlists.technology import load_technology
from ngspice_runner import Job, run

SEGMENTS, PLANES, SHARED, RAMP_COLUMNS, TILE_COLUMNS = 16, 4, 16, 256, 256
CELL_SIGMA, OFFSET, TARGET = 0.025, 0.05, 1e-4
PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "readout-kinds.md"


@dataclass(frozen=True)
class Figures:
    """One readout. sigma: counts, by part. energy: J per conversion. transistors, area (m2), capacitance (F): per bit
    column of the whole array. time: s from the reset to the last code of 16 columns. conversions: per signed weight.
    logic: m2, where it is part of the product's converter."""

    cell: str
    name: str
    step: float
    sigma: dict[str, float]
    energy: float
    transistors: float
    area: float
    capacitance: float
    time: float
    conversions: int
    logic: float | None = None

    @property
    def total(self) -> float:
        """All parts, counts."""
        return float(np.linalg.norm(list(self.sigma.values())))

    @property
    def error(self) -> float:
        """Probability that a signed sum is wrong: every conversion of it has to be right."""
        once = math.erfc(0.5 / self.total / math.sqrt(2))
        return 1 - (1 - once) ** self.conversions


class Bill:
    """Transistors of decks, added up per bit column."""

    def __init__(self, devices: DeviceSet) -> None:
        if devices.area is None:
            raise InputError(f"no area rules for the devices {devices.name}", where="four_readouts")
        self.number, self.area = 0.0, 0.0
        self._rules, self._kinds = devices.area, {devices.nmos: "nmos", devices.pmos: "pmos"}

    def add(self, text: str, subckt: str, share: float) -> None:
        """All transistors below a subcircuit, `share` of them per column."""
        found = [
            DrawnTransistor(self._kinds[t.model], t.width, t.length, t.drain, t.source, t.multiplier)
            for t in transistors(text, subckt)
        ]
        self.number += share * sum(t.multiplier for t in found)
        self.area += share * self._rules.drawn_area(found)

    def single(self, width: float, share: float) -> None:
        """Transistors that stand outside of the subcircuits."""
        self.number += share
        self.area += share * self._rules.transistor_area(width)


def clocked(bench: ReadoutTestbench, sizes: StrongArm, common_mode: float) -> ComparatorPoint:
    """Noise and aperture of a clocked comparator."""
    return point_of(
        bench.technology, bench.condition, sizes, common_mode,
        lambda _, decks: [run(Job(d.text, d.outputs, stop=getattr(d, "stop", None))) for d in decks],
    )  # fmt: skip


@dataclass(frozen=True)
class Front:
    """The chain of the product up to its code: its circuit, count (V) at its comparator, noise there of front end and
    of the converter's decisions, spread of its thresholds (V), energies of a read and of a conversion, its parts."""

    chain: ReadoutChain
    step: float
    noise: float
    comparator: float
    thresholds: float
    read: float
    conversion: float
    parts: tuple[DrawnPart, ...]

    def drawn(self) -> tuple[float, float, float, float]:
        """Transistors, area of transistors, area of logic (m2), capacitance (F) per bit column."""
        chain, total = self.chain, np.zeros(4)
        buses = 1.0 / chain.bus.columns / chain.converter.columns
        number = {"segment": SEGMENTS, "column": 1.0, "bus": buses, "group": buses / chain.converter.shared_by}
        for part in self.parts:
            share = number.get(part.unit, 1.0 / TILE_COLUMNS if part.name == "thresholds" else 0.0)
            logic = part.name in ("adc_logic", "thresholds")
            total += share * np.array(
                [0 if logic else part.transistors, 0 if logic else part.area, part.area * logic, part.capacitance]
            )
        return tuple(total)


def count_of(bench: ReadoutTestbench, cell: CellModel) -> float:
    """Step of an unloaded bit line for a row that changes sides, V."""
    return 2 * bench.technology.devices.vdd * cell.switched / cell.bl_total / ROWS


def plain(bench: ReadoutTestbench) -> Run:
    """Runs decks of any kind."""
    options = bench.technology.devices.job_options
    return lambda _, decks: [run(Job(d.text, d.outputs, stop=getattr(d, "stop", None), options=options)) for d in decks]


def front(bench: ReadoutTestbench, cell: CellModel, *, columns: int, converter: ColumnConverter) -> Front:
    """Read and conversion through a chain whose comparator serves so many columns."""
    scale = SEGMENTS / 12
    line = SharedLine()
    chain = ReadoutChain(
        line=replace(
            line, segments=SEGMENTS, planes=PLANES, capacitance=line.capacitance * scale,
            resistance=line.resistance * scale,
        ),
        bus=ComparatorBus(
            columns=columns,
            wire_capacitance=ComparatorBus().wire_capacitance * columns * converter.columns / SHARED,
        ),
        converter=converter,
    )  # fmt: skip
    technology, condition, simulate = bench.technology, bench.condition, plain(bench)
    count, metal = count_of(bench, cell), ROWS * cell.bl_total
    span = ROWS / 2 * count
    one = chain.one_column
    twin = fit_chain_twin(condition.label, read_line(bench, one, capacitance=metal, swings=span * np.array(FITTED)))
    deck = line_deck(technology, condition, one, capacitance=metal, swing=0.0)
    (waves,) = bench.run([deck])
    common = chain.sampler.common_mode
    own, aperture = decision_noise(converter, technology, condition, chain, common, simulate)
    _, noise = chain_sample_noise(bench, one, capacitance=metal, comparator=aperture)
    lines = converter.columns
    noise = math.hypot(
        noise * math.sqrt(lines), frozen_noise(converter, technology, condition, chain, common, simulate)
    )
    step = twin.gain * count
    levels = [max(chain.segment.reset_level + span * part, 0.0) for part in (-0.8, -0.4, 0.0, 0.4, 0.8)]
    energy = converter_energies(technology, condition, chain, lines * ROWS + 1, levels, simulate)
    return Front(
        chain, step, noise, own, converter_spread(converter, math.hypot(noise, own), 0.0, load=chain.array_load).total,
        sum(waves.energies(deck.windows[0]).values()), sum(energy.values()),
        drawn_parts(technology, chain, Periphery(), lines * ROWS + 1),
    )  # fmt: skip


def cells(conversions: int, capacitive: bool) -> float:
    """Spread of all driven rows, counts: a capacitive cell moves by half a count to either side, a resistive by one."""
    both = 2 if conversions == 1 else 1
    return CELL_SIGMA * math.sqrt(ROWS * both) * (0.5 if capacitive else 1.0)


def sar_of(step: float, middle: float, levels: int) -> Sar:
    """The converter of so many levels."""
    bits = max(3, math.ceil(math.log2(levels)))
    low = max(middle - step * 2**bits / 2, 0.0)
    return Sar.sized(bits, low, low + step * 2**bits, 50e-9)


def ramp_of(step: float, middle: float, levels: int) -> Ramp:
    """The ramp of so many levels; it starts seven codes below the first."""
    bits = max(3, math.ceil(math.log2(levels)))
    low = max(middle - step * 2**bits / 2, 8 * step)
    return Ramp(bits=bits, ref_low=low, ref_high=low + step * 2**bits, ref_start=low - 7 * step)


def sar_bill(bench: ReadoutTestbench, sar: Sar, share: float, bill: Bill) -> None:
    """The converter's transistors."""
    bill.add(sar.deck(bench.technology, bench.condition, [(sar.ref_low + sar.ref_high) / 2]).text, "sar", share)


def ramp_cost(bench: ReadoutTestbench, ramp: Ramp, bill: Bill) -> float:
    """Energy of a conversion (J): one comparator, and its share of a generator for 256 columns; adds transistors."""
    inputs = [float(v) for v in np.linspace(ramp.ref_low, ramp.ref_high, 5)[1:4]]
    deck = column_ramp_deck(bench.technology, bench.condition, ramp, inputs)
    (waves,) = bench.run([deck])
    used = waves.energies(deck.windows[0])
    bill.add(deck.text, "ramp_comparator", 1)
    bill.add(deck.text, "ramp_generator", 1 / RAMP_COLUMNS)
    return used["v_comparators"] / len(inputs) + (used["v_dd"] + used["v_hold"]) / RAMP_COLUMNS


def capacitive(bench: ReadoutTestbench) -> list[Figures]:
    """Chain with SAR, chain with ramp, pair, inverter in the segment."""
    cell, out = example_cell(bench.technology), []
    kinds: list[tuple[str, int, ColumnConverter]] = [
        ("chain, SAR", SHARED, ColumnSar()),
        ("chain, shared ramp", 1, ColumnRamp()),
        ("pair of chains, SAR", SHARED // 2, ColumnPair()),
    ]
    for name, columns, converter in kinds:
        f, lines = front(bench, cell, columns=columns, converter=converter), converter.columns
        levels = lines * ROWS + 1
        number, area, logic, capacitance = f.drawn()
        noise = {
            "front end": f.noise / f.step,
            "comparator": f.comparator / f.step,
            "cells": cells(3 - lines, capacitive=True),
            "thresholds": f.thresholds / f.step,
        }
        t, conversion = f.chain.timing, f.chain.converter.duration(levels)
        out.append(
            Figures(
                "capacitive", name, f.step, noise, lines * f.read + f.conversion, number, area, capacitance,
                t.decides + conversion + (columns - 1) * (t.settle_bus + conversion), 3 - lines, logic,
            )
        )  # fmt: skip
    return [*out, inverter(bench, cell)]


def inverter(bench: ReadoutTestbench, cell: CellModel) -> Figures:
    """The inverter in the segment, the product's own object: reads of the group and noise analyses."""
    model, line = cell.complement_driven(), SharedLine()
    a = LocalInverter(
        segments=SEGMENTS, planes=PLANES, line_capacitance=line.capacitance * SEGMENTS / line.segments,
        reference_rows=reference_rows_of(model, ROWS),
    )  # fmt: skip
    setup = Testbench(
        technology=bench.technology, model=model, periphery=Periphery(), timing=Timing(), rows=ROWS,
        columns=TILE_COLUMNS, conditions=(bench.condition,), variation=Variation(CELL_SIGMA, "stated"),
        converter=Converter(0.0, 0.0, 0.0), inverter=a,
    )  # fmt: skip
    found = measure_inverter(setup, ColumnTestbench(setup, workers=bench.workers), {})
    (point,) = found.points
    spread, _ = inverter_spread(setup, a, found, np.zeros((ROWS + 1, ROWS + 1)))
    number = {"segment": SEGMENTS, "column": 1.0, "bus": 1.0, "group": 1.0 / a.shared_by}
    total = np.zeros(3)
    for part in inverter_parts(bench.technology, a, setup.periphery, ROWS + 1):
        logic = part.name in ("adc_logic", "thresholds")
        total += number.get(part.unit, 0.0) * np.array([part.transistors, part.area, part.area * logic])
        total -= number.get(part.unit, 0.0) * logic * np.array([part.transistors, part.area, 0.0])
    noise = {
        "front end": point.zeroing / point.lsb,
        "comparator": point.comparator / point.lsb,
        "cells": cells(2, capacitive=True),
        "thresholds": spread.total / point.lsb,
    }
    print(
        f"  inverter: {a.reference_rows} reference rows, {point.lsb / bench.condition.vdd * a.ramp_time * 1e9:.3f} ns "
    )
    print(f"  of ramp per count, the bit line follows {point.line_gain:.3f} of the ramp", flush=True)
    energy = point.supply + point.reset + PLANES * point.ramp + point.line + point.gates
    return Figures(
        "capacitive", "inverter in the segment, ramp", point.lsb * point.line_gain, noise, energy, total[0], total[1],
        SEGMENTS * PLANES * a.reference_rows * reference_coupling(model), a.stop, 2, total[2],
    )  # fmt: skip


def resistive(bench: ReadoutTestbench) -> list[Figures]:
    """Regulated current sense with SAR, with ramp, as a pair."""
    sense = CurrentSense(rows=ROWS, cell_resistance=500e3)
    readings = current_sense_readings(bench, sense=sense)
    rows = current_sense_noise(bench, sense) / (sense.read_voltage / ROWS)
    zero = charge_noise(sense.integration_capacitance, bench.condition.kelvin) / readings.step
    print(
        f"  current sense: {readings.input_resistance:.0f} ohm at rest, {readings.dynamic_resistance:.0f} while ",
        end="",
    )
    print(
        f"integrating, {readings.step * 1e3:.2f} mV per count, bent by {readings.nonlinearity:.2f} counts", flush=True
    )
    text = current_sense_deck(bench.technology, bench.condition, [0], sense=sense).text
    middle = float(readings.integrated.mean())
    comparator = clocked(bench, StrongArm(), middle).noise
    out = []
    for name, conversions, levels in (
        ("current sense, SAR", 2, ROWS + 1),
        ("current sense, shared ramp", 2, ROWS + 1),
        ("pair of current senses, SAR", 1, 2 * ROWS + 1),
    ):
        lines = 3 - conversions
        bill, energy = Bill(bench.technology.devices), lines * readings.energy
        bill.add(text, "current_sense", 1)
        capacitance, own = sense.integration_capacitance, comparator
        if "ramp" in name:
            ramp = ramp_of(readings.step, middle, levels)
            energy += ramp_cost(bench, ramp, bill)
            own = ramp_comparator_noise(bench, ramp)
            time, capacitance = sense.cycle + ramp.ramp_time, capacitance + ramp.capacitors / RAMP_COLUMNS
        else:
            sar = sar_of(readings.step * (0.5 if lines == 2 else 1.0), middle, levels)
            sar_bill(bench, sar, 1 / SHARED / lines, bill)
            energy += conversion_cost(bench, sar).energy
            time = sense.cycle + SHARED * sar.conversion
            capacitance += sar.capacitors / SHARED / lines
        noise = {
            "front end": math.hypot(rows, zero) * math.sqrt(lines),
            "comparator": own / readings.step,
            "cells": cells(conversions, capacitive=False),
            "thresholds": OFFSET,
        }
        out.append(
            Figures(
                "resistive", name, readings.step, noise, energy, bill.number, bill.area, capacitance, time, conversions
            )
        )
    return out


def table(found: Sequence[Figures]) -> str:
    """Markdown, one row per readout."""
    parts = list(found[0].sigma)
    head = [
        "cell", "readout", "mV per count", *(f"{p}, counts" for p in parts), "sigma, counts", "error of a signed sum",
        "fJ per conversion", "fJ per signed sum", "transistors per column", "um2 per column", "um2 of logic",
        "fF per column",
        "ns for 16 columns",
    ]  # fmt: skip
    rows = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for x in found:
        values = [
            x.cell, x.name, f"{x.step * 1e3:.1f}", *(f"{x.sigma[p]:.3f}" for p in parts), f"{x.total:.3f}",
            f"{x.error:.1e}", f"{x.energy * 1e15:.0f}", f"{x.conversions * x.energy * 1e15:.0f}",
            f"{x.transistors:.0f}", f"{x.area * 1e12:.1f}",
            "-" if x.logic is None else f"{x.logic * 1e12:.1f}", f"{x.capacitance * 1e15:.0f}", f"{x.time * 1e9:.0f}",
        ]  # fmt: skip
        rows.append("| " + " | ".join(values) + " |")
    return "\n".join(rows)


def verdict(found: Sequence[Figures], cell: str) -> str:
    """Which readout of a cell takes the least energy among those within the target, and which miss it."""
    of_cell = [x for x in found if x.cell == cell]
    good = [x for x in of_cell if x.error <= TARGET]
    missed = ", ".join(f"{x.name} ({x.error:.1e})" for x in of_cell if x.error > TARGET) or "none"
    if not good:
        best = min(of_cell, key=lambda x: x.error)
        return f"- {cell}: none is within an error of {TARGET:g}; nearest: {best.name} ({best.error:.1e})."
    best = min(good, key=lambda x: x.conversions * x.energy)
    return f"- {cell}: {best.name} takes the least energy within an error of {TARGET:g}; outside: {missed}."


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--write", action="store_true", help="write the page of the documentation")
    args = parser.parse_args()
    technology = load_technology("generic28", "open45")
    bench = ReadoutTestbench(technology, Condition("tt", technology.devices.vdd, 27.0), workers=args.workers)
    found = [*capacitive(bench), *resistive(bench)]
    text = "\n".join([table(found), "", *(verdict(found, cell) for cell in ("capacitive", "resistive"))])
    print(text)
    if args.write:
        with atomic_file(PAGE) as target:
            target.write((INTRODUCTION + text + "\n" + REMARKS).encode())


INTRODUCTION = """# Readout kinds side by side

Written by `python benchmarks/four_readouts.py --write`; 24 rows per conversion, 384 rows and 4 planes on a
column's line, open45 transistors, typical corner, nominal supply, 27 °C.

"""
REMARKS = """
- Levels, energies and settling are transients of the transistors; noise is the engine's noise analysis, that of the
  clocked comparator follows from its own sensitivity over its aperture. Row drivers are not counted: they are the same
  for all of a cell.
- The chain with a SAR, a ramp or a pair's converter is the product's own object (`readout.kind: chain`,
  `readout.converter.kind: sar`, `ramp` or `pair`): circuit, noise, spread of the thresholds, energy, drawn parts and
  logic, time.
- Assumptions, the same for all: cells spread by 2.5 %. For readouts that are no objects of the product 0.05 counts of
  offset left after trimming. All rows are driven.
  The error is that of normally distributed levels midway between thresholds: bends of the levels, mismatch of the
  thresholds and of the chain are not in it.
- A signed sum takes two conversions, or one of a pair; the error is that of the sum. A pair's energy is that of both of
  its columns.
- Area: transistors alone, in rows of standard cells, without wiring and control drivers; logic (registers, table,
  latches, counter) apart, in gates, "-" where it is not counted; capacitors apart, since they may lie in the metals
  above. The inverter's fF are those of its reference rows, which are rows of cells: more than those that
  count.
- A converter (SAR) serves 16 columns one after the other, a pair's two at a time. A ramp's generator serves 64 buses
  of the chain, 256 columns of the current sense, at the same time; its counter's lines take 0.1 pJ per conversion more
  (estimate).
- A pair of chains is two chains whose buses carry an array each, so that the levels are smaller: 8 columns a bus, 16 a
  converter like the others. The readouts of the resistive cell are circuits of `netlists/readout` beside
  the product's estimate.
- The inverter is `readout.kind: inverter`: its rows' levels, noise, energy, drawn parts and logic are the product's.
  The generator of its ramp is not drawn, the charge of the reference rows comes out of the supply.

## Inverters in the segment

```yaml
array: {group_rows: 8}
readout:
  kind: inverter
  inverter: {ramp_time: 32ns, bits: 8}   # sizes and times; all have defaults
```

Every plane of a segment has an inverter on its bit line, powered while it is read. A switch ties it to its own
threshold (auto-zero), the rows toggle, and a ramp on reference rows moves the line back through the threshold; a
second inverter then pulls the line that the column's segments share down against a weak keeper, and its edge latches
a counter. There is no source follower and no analogue line. The cell has to be balanced and binary, with a ground
line that can be driven (`cap_balanced`), and is driven with the complement; `array.columns_per_adc` has no meaning,
since every column has its latches. The configuration's schema lists the sizes.

- Level: what the ramp has left at the edge, V. As the bit line always crosses at the same voltage, a count is V
  C_switched / C_reference of the ramp whatever else loads the line, and levels are straight. Every level and every
  mismatch draw is a transient of cells, inverter, reset, select and line; a read without an edge within the ramp is a
  failed sample (`no_edge`).
- Noise: the bit line as its reset opens (k T / C with the inverter's own part) and the inverter at its threshold,
  both by the engine's noise analysis (procedure `local_inverter`, run by itself).
- Mismatch: thresholds of both inverters and of the reset, the cells of the reference rows. What is left after the
  auto-zero is that of the reset's injection, and of the second inverter over the gain of the first.
- Thresholds: steps of the counter between the ends that replica columns give, as with a ramp behind the chain.
- Cost: drawn transistors, reference rows as cells of the array, latches, counter and table in gates; the supplies'
  currents of a read from reset to reset, the rows and reference rows of all planes. One read converts all columns of
  a plane.
- Not there: the ramp's generator (its noise, area and own current; the status of the input `ramp` is "assumption"),
  what neighbouring columns' edges do to a column through shared supplies.
"""


if __name__ == "__main__":
    main()
