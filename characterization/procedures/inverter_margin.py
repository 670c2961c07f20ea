"""What the margin takes from inverters in the segment: noise, spread of the thresholds, status of every figure."""

from __future__ import annotations

import numpy as np

from characterization.procedures.local_inverter import InverterFigures
from characterization.procedures.registry import ProcedureResults
from characterization.readout.converter_spread import ConverterSpread, calibration_sigma
from characterization.tables.table import Assumption
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.readout.local_inverter import LocalInverter


def inverter_figures(setup: Testbench, results: ProcedureResults) -> InverterFigures | None:
    """The figures of a readout by inverters among the results; None for another readout. Raises InputError where
    nothing measured them."""
    if setup.inverter is None:
        return None
    found = results.get("local_inverter")
    if not isinstance(found, InverterFigures):
        raise InputError(
            "noise and supplies of the inverters were not measured", hint="run the procedure local_inverter first"
        )
    return found


def inverter_spread(
    setup: Testbench, inverter: LocalInverter, found: InverterFigures, static: FloatArray
) -> tuple[ConverterSpread, Assumption]:
    """What thresholds between counter steps miss at the nominal condition, V of the ramp, and the same in words.

    static: sigma of the level by (active, count), V; the replicas are columns like any other, all rows driven.
    """
    n, top, condition = setup.rows, setup.max_count, setup.conditions[0]
    point = found.at(condition.label)
    ends = float(np.hypot(static[n, 0], static[n, top]) / np.sqrt(2.0))
    read = float(np.hypot(point.comparator, point.zeroing))
    spread = ConverterSpread(
        rounding=condition.vdd / 2**inverter.bits / float(np.sqrt(12.0)),
        capacitors=0.0,
        calibration=calibration_sigma(read, ends, inverter.replica_reads, inverter.replicas),
        source="steps of the counter by the ramp's nominal slope; noise and replicas as simulated",
    )
    text = (
        f"{spread.total * 1e3:.3g} mV rms: steps {spread.rounding * 1e3:.2g}, {inverter.replica_reads} averaged reads "
        f"of {inverter.replicas} replicas an end {spread.calibration * 1e3:.2g} mV"
    )
    return spread, Assumption("converter offset", text, "estimate", spread.source)


def inverter_assumptions(setup: Testbench) -> tuple[Assumption, ...]:
    """What stands between the bit line and the code, and where each figure comes from."""
    if setup.inverter is None:
        return ()
    a = setup.inverter
    return (
        Assumption(
            "readout",
            "inverters in the segment, complement drive: zeroed comparator per plane with its supply switch, "
            f"{a.reference_rows} reference rows, line of {a.segments} segments and {a.planes} planes",
            "simulated",
            "every level and every mismatch draw is a transient from the rows to the edge on the column's line",
        ),
        Assumption(
            "readout noise",
            "bit line as its reset opens, with reset switch and inverter",
            "simulated",
            "noise analysis of the transistors while they are zeroed, as charge of the whole line",
        ),
        Assumption(
            "comparator noise",
            "first inverter at its threshold, in its whole band",
            "simulated",
            "noise analysis of the transistors, procedure local_inverter",
        ),
        Assumption(
            "shared line",
            f"{a.line_capacitance * 1e15:.3g} fF of wire",
            "estimate",
            setup.line_source or "configuration",
        ),
        Assumption(
            "ramp",
            "linear, without noise; its charge comes out of the supply",
            "assumption",
            "a source on the lines of the reference rows; its generator is not drawn",
        ),
        Assumption(
            "converter thresholds",
            "fixed for 2 count - active rows, a dummy row for odd numbers; between the two end levels of a replica "
            "column with the nominal inner shares",
            "estimate",
            "levels of the replica are simulated; that the table is updated to them is modelled, not a deck",
        ),
        Assumption(
            "converter after the comparator",
            a.describe(),
            "estimate",
            "counter and latches as logic; the edge is that of the transistors",
        ),
    )
