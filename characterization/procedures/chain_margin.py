"""What the margin takes from a readout chain: thresholds, noise at the comparator's input, status of every figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from characterization.fit import signed_count
from characterization.procedures.registry import ProcedureResults
from characterization.readout.chain_noise import ChainNoise, ChainNoisePoint
from characterization.readout.converter_spread import ConverterSpread, converter_spread
from characterization.tables.table import Assumption
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.readout.chain import ReadoutChain

IDEAL = "ideal (behavioural sampler and converter; for studies)"
"""Label of the readout that no transistor stands behind, in every output."""


def ideal_readout() -> Assumption:
    """The ideal readout as an assumption."""
    return Assumption("readout", IDEAL, "assumption", "configuration, readout.kind")


def noise_of_chain(setup: Testbench, results: ProcedureResults) -> ChainNoise | None:
    """The chain's noise among the results; None for an ideal readout. Raises InputError where nothing measured it."""
    if setup.chain is None:
        return None
    found = results.get("chain_noise")
    if not isinstance(found, ChainNoise):
        raise InputError("the noise of the readout chain was not measured", hint="run the procedure chain_noise first")
    return found


def chain_noise(
    setup: Testbench, point: ChainNoisePoint, comparator: float, active: FloatArray, count: FloatArray
) -> FloatArray:
    """Noise of a conversion, V at the comparator's input, less `comparator` (V), which the converter has already."""
    difference = count
    if setup.level_shape == "bent":
        _, difference = signed_count(active, count, setup.levels - 1)
    share = np.clip(difference / setup.rows, -1, 1)
    excess = np.maximum(point.deciding(share) ** 2 - comparator**2, 0.0)
    out: FloatArray = np.sqrt(point.line(share) ** 2 + excess)
    return out


class DifferenceLevels(Protocol):
    """Levels over what driven rows raise less what they lower."""

    def of_difference(self, active: float, difference: FloatArray) -> FloatArray:
        """Levels of differences with so many rows driven, V."""
        ...


def chain_thresholds(setup: Testbench, models: Sequence[DifferenceLevels]) -> FloatArray:
    """Decision levels of a chain's converter, shape (conditions, active, codes - 1), V.

    The converter compares with fixed levels, one between every two neighbours of the difference d (`signed_count`; of
    binary cells always even: a dummy row completes an odd number). They lie midway between the nominal levels of a
    replica column whose rows are all driven, on a ladder whose two ends are that replica's own levels at the condition:
    inner steps keep their nominal share. The comparator's offset is trimmed, at the nominal condition, to the middle
    level of half of the rows driven, which differs a little from the replica's. The code of (active, count) is that of
    d, shifted digitally by the known number of active rows; a step beyond the replica's ends, which no level reaches,
    is as wide as a mean one.
    """
    most = setup.levels - 1
    rows = setup.rows if setup.has_signed_levels else setup.rows + setup.rows % 2
    steps = rows * most
    replica = 2.0 * np.arange(steps + 1.0) / most - rows
    active = np.arange(setup.rows + 1)[:, None]
    # the step above code k of a active rows is that above count k + odd + (rows - driven) most / 2 of the replica
    odd = np.zeros_like(active) if setup.has_signed_levels else active % 2
    step = np.arange(setup.max_count)[None, :] + odd + (rows - (active + odd)) * most // 2
    out = []
    nominal = models[0].of_difference(float(rows), replica)
    half = float(2 * (rows // 4))
    middle = np.zeros(1)
    trim = (models[0].of_difference(half, middle) - models[0].of_difference(float(rows), middle))[0]
    for model in models:
        ends = model.of_difference(float(rows), replica[[0, -1]])
        edges = ends[0] + ((nominal[:-1] + nominal[1:]) / 2 - nominal[0]) * (ends[1] - ends[0]) / (
            nominal[-1] - nominal[0]
        )
        beyond = edges[-1] + (ends[1] - ends[0]) / steps * np.maximum(step - (steps - 1), 0)
        out.append(trim + np.where(step < steps, edges[np.minimum(step, steps - 1)], beyond))
    return np.array(out)


def in_reach(chain: ReadoutChain, level: FloatArray) -> bool:
    """Whether levels (V at the bus over the clamp's) lie within the thresholds that the chain's converter can make."""
    low, high = chain.converter.reach(chain.sampler.common_mode, chain.array_load)
    common = chain.sampler.common_mode
    return low <= float(np.nanmin(level)) + common and float(np.nanmax(level)) + common <= high


def check_reach(chain: ReadoutChain, level: FloatArray) -> None:
    """Refuse levels (V at the bus over the clamp's, NaN where there is none) beyond the thresholds that the chain's
    converter can make: raises InputError."""
    if not in_reach(chain, level):
        low, high = chain.converter.reach(chain.sampler.common_mode, chain.array_load)
        common = chain.sampler.common_mode
        first, last = float(np.nanmin(level)) + common, float(np.nanmax(level)) + common
        raise InputError(
            f"covers {low:.3g} to {high:.3g} V, the levels {first:.3g} to {last:.3g} V",
            where="readout.converter",
            hint="a wider range, or fewer rows per conversion",
        )


def chain_assumptions(setup: Testbench) -> tuple[Assumption, ...]:
    """What stands between the bit line and the code, and where each figure comes from."""
    if setup.chain is None:
        return ()
    chain = setup.chain
    beside = f", {chain.line.columns} columns" if chain.line.columns > 1 else ""
    out = [
        Assumption(
            "readout",
            f"chain of transistors, {chain.drive} drive: follower per bit line, row select, line of "
            f"{chain.line.segments} segments and {chain.line.planes} planes{beside}, double sampling on "
            f"{chain.sampler.capacitance * 1e15:g} fF, bus of {chain.bus.columns} lines"
            + (", a plus and a minus column at a time through buses of their own" if setup.pair else ""),
            "simulated",
            "every level and every mismatch draw is a transient of the whole chain",
        ),
        Assumption(
            "readout noise",
            "both samples as the comparator averages them, kT/C of capacitor, clamp, bus and array",
            "simulated",
            "noise analysis of the chain's transistors; bus reset by k T / C with the simulated load",
        ),
        Assumption(
            "comparator noise",
            chain.converter.noise_basis,
            "simulated",
            "procedure chain_noise; 2/3 gm + gds per channel; against transient noise see comparator_noise"
            if chain.converter.clocked
            else "procedure chain_noise",
        ),
        Assumption(
            "shared line",
            f"{chain.line.capacitance * 1e15:.3g} fF, {chain.line.resistance:.3g} ohm of wire; bus "
            f"{chain.bus.wire_capacitance * 1e15:.3g} fF",
            "estimate",
            setup.line_source or "configuration",
        ),
        Assumption(
            "converter after the comparator",
            chain.converter.describe(setup.max_count + 1),
            "fitted twin",
            chain.converter.twin_basis,
        ),
    ]
    if setup.level_shape == "bent":
        fixed = (
            "the sum of +1 and -1" if setup.has_signed_levels else "2 count - active rows, a dummy row for odd numbers"
        )
        value = f"fixed for {fixed}; between the two end levels of a replica column with the nominal inner shares"
    else:
        value = "gain and offset of the replicas at the condition, the table shifted by the known number of active rows"
    source = "levels of the replica are simulated; that the table is updated to them is modelled, not a deck"
    out.append(Assumption("converter thresholds", value, "estimate", source))
    return tuple(out)


def threshold_spread(
    setup: Testbench, chain: ReadoutChain, noise: ChainNoise, static: FloatArray
) -> tuple[ConverterSpread, Assumption]:
    """What thresholds of the chain's converter miss at the nominal condition, and the same in words.

    static: sigma of the level by (active, count), V; the replicas are columns like any other, all rows driven.
    """
    point = noise.at(setup.conditions[0])
    read = float(np.hypot(point.line(np.zeros(1))[0], point.comparator))
    n, top = setup.rows, setup.max_count
    ends = float(np.hypot(static[n, 0], static[n, top]) / np.sqrt(2.0))
    found = converter_spread(chain.converter, read, ends, load=chain.array_load)
    found = replace(found, columns=noise.columns)
    others = f", levels of other columns {noise.columns * 1e3:.2g} mV" if noise.columns else ""
    text = (
        f"{found.total * 1e3:.3g} mV rms: steps {found.rounding * 1e3:.2g}, capacitors "
        f"{found.capacitors * 1e3:.2g}, {chain.converter.replica_reads} averaged reads of the middle and of "
        f"{chain.converter.replicas} replicas an end {found.calibration * 1e3:.2g} mV{others}"
    )
    return found, Assumption("converter offset", text, "estimate", found.source)
