"""Times, loads and leakage at a tile's boundary at one condition: what the run found, and what is assumed beside it."""

from collections.abc import Iterator
from dataclasses import dataclass

from characterization.procedures.chain_energy import ChainEnergy
from characterization.procedures.leakage import Leakage
from characterization.procedures.local_inverter import InverterFigures
from metalrom.exporters.run_data import RunData
from metalrom.macro.cost import GATE_CAPACITANCE
from metalrom.macro.estimate import MacroEstimate

FO4_PER_LENGTH = 500e-6
"""s/m; delay of an inverter with a fanout of four per drawn channel length."""
THRESHOLDS = {"delay": 50.0, "low": 20.0, "high": 80.0}
"""Percent of the supply: where delays are taken, and between which a transition is."""
_FO4 = (
    "fanout-of-four delay of 500 ps per um of channel length, the rule of thumb for slow conditions of R. Ho, K. W. "
    "Mai and M. A. Horowitz, Proc. IEEE 89 (2001) 490"
)


@dataclass(frozen=True, slots=True)
class BoundaryTiming:
    """s, F, W. read: rise of read to settled; convert: rise of convert to code; turn: from one rise
    of convert to the next.

    fall: rise of read to the fall of settled. transition: of outputs. setup_x: before read; setup_select: before
    convert; both are held through the conversion. row_load: of a bit of x, load: of every other input. leakage: of
    the tile, None where the run did not measure it.
    """

    read: float
    convert: float
    turn: float
    fall: float
    transition: float
    setup_x: float
    setup_select: float
    row_load: float
    load: float
    leakage: float | None
    notes: tuple[str, ...]

    @property
    def cycle(self) -> float:
        """From one rise of read to the next, with one conversion."""
        return self.read + self.turn


def boundary_timing(source: RunData, estimate: MacroEstimate) -> BoundaryTiming:
    """Of the run at the condition of an estimate. Raises InputError where the device set has no channel length."""
    g, table = source.results.macro_geometry, source.table
    fo4 = FO4_PER_LENGTH * g.known_rules.length
    drivers = -(-g.planes // g.planes_per_driver)
    convert = estimate.step["adc"]
    turn = sum(step.value.mid for name, step in estimate.step.items() if name != "read")
    leakage, found = _leakage(source, estimate.condition.label, drivers)
    notes = (
        f"read to settled: {table.read_time:.6g} s (measured: read time of the readout table)",
        f"convert to code: {convert.value.mid:.6g} s ({convert.provenance.status}: {convert.provenance.source})",
        f"ASSUMED, {fo4:.4g} s each: {_FO4}",
        "ASSUMED: set-up of x before read 2, of select before convert 4 of these delays; fall of settled after read 2; "
        f"transition of outputs 1 ({THRESHOLDS['low']:g} to {THRESHOLDS['high']:g} %)",
        "ASSUMED: x and select are held until the codes are out, as no register or sampling switch was simulated there",
        "ASSUMED: delays depend neither on load nor on the transitions of inputs",
        f"ASSUMED: {GATE_CAPACITANCE:.3g} F per input and row driver, as the estimate of the logic counts a gate",
        found,
    )
    return BoundaryTiming(
        read=table.read_time,
        convert=convert.value.mid,
        turn=turn,
        fall=2 * fo4,
        transition=fo4,
        setup_x=2 * fo4,
        setup_select=4 * fo4,
        row_load=drivers * GATE_CAPACITANCE,
        load=GATE_CAPACITANCE,
        leakage=leakage,
        notes=notes,
    )


def _leakage(source: RunData, condition: str, drivers: int) -> tuple[float | None, str]:
    """W of a tile's idle row drivers, and where it comes from."""
    rows = source.results.macro_geometry.rows * drivers
    for label, name, each in _driver_leakage(source):
        if label == condition:
            text = (
                f"leakage: {rows} idle row drivers of {each:.4g} W (measured: {name}); converters and logic not known"
            )
            return rows * each, text
    return None, "not known and left out: leakage (ask for the procedure `leakage`)"


def _driver_leakage(source: RunData) -> Iterator[tuple[str, str, float]]:
    """(condition, procedure, W of one idle row driver) of every procedure of the run that measured it."""
    vdd = {c.label: c.vdd for c in source.table.conditions}
    for name, result in source.run.procedures.items():
        if isinstance(result, Leakage):
            idle = (s for s in result.states if s.state == "idle" and s.condition in vdd)
            yield from ((s.condition, name, s.drivers / result.rows * vdd[s.condition]) for s in idle)
        elif isinstance(result, ChainEnergy | InverterFigures):
            yield from ((p.condition, name, p.driver_leakage) for p in result.points)
