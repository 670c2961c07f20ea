"""`adc_margin`: levels, spreads, margins and code errors of one conversion; simulates nothing of its own."""

from dataclasses import dataclass

import numpy as np

from characterization.dataset import Dataset
from characterization.failures import ConditionError
from characterization.margins import LevelMargin
from characterization.noise import charge_noise, current_noise
from characterization.procedures.adc import ComparatorFigures
from characterization.procedures.chain_margin import (
    chain_assumptions,
    chain_noise,
    chain_thresholds,
    check_reach,
    ideal_readout,
    noise_of_chain,
    threshold_spread,
)
from characterization.procedures.inverter_margin import inverter_assumptions, inverter_figures, inverter_spread
from characterization.procedures.mismatch import Mismatch, spread_arguments
from characterization.procedures.registry import Procedure, ProcedureResults
from characterization.procedures.transfer import Transfer, spread_terms
from characterization.tables.table import AdcModel, Assumption, ReadoutTable
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from interconnect.errors import InputError


@dataclass(frozen=True)
class AdcMargin:
    """The readout table and what it means for the converter. margins: of every condition and count."""

    table: ReadoutTable
    margins: tuple[LevelMargin, ...]


def analyse_margin(setup: Testbench, data: Dataset, results: ProcedureResults) -> AdcMargin:
    """Join the level and spread models and the closed-form noise into the readout table.

    Raises ConditionError where the level does not rise with the count.
    """
    transfer: Transfer = results["transfer"]
    mismatch: Mismatch = results["mismatch"]
    n, top = setup.rows, setup.max_count
    active, count = np.meshgrid(np.arange(n + 1.0), np.arange(top + 1.0), indexing="ij")
    valid = count <= active * (setup.levels - 1)
    shape = (len(setup.conditions), n + 1, top + 1)
    chain, inverter = noise_of_chain(setup, results), inverter_figures(setup, results)
    # of the quietest condition; what others add to it is their own noise
    comparator = min(chain.at(c).quietest for c in setup.conditions) if chain else 0.0
    if inverter:
        comparator = min(inverter.at(c.label).comparator for c in setup.conditions)
    mean, static, noise, pattern = (np.full(shape, np.nan) for _ in range(4))
    for i, condition in enumerate(setup.conditions):
        levels = transfer.models[i]
        mean[i][valid] = levels(active[valid], count[valid])
        static[i][valid] = mismatch.models[i](*spread_arguments(setup, active[valid], count[valid]))
        pattern[i][valid] = np.sqrt(transfer.pattern[i] @ [np.ones(valid.sum()), active[valid]])
        lsb = (mean[i, n, top] - mean[i, n, 0]) / top
        if not lsb > 0:
            raise ConditionError("the level does not rise with the count", condition)
        if inverter is not None:
            noise[i][valid] = inverter.at(condition.label).noise_beside(comparator)
        elif chain is None:
            there = setup.at(condition)
            noise[i][valid] = thermal_noise(there, lsb, condition.vdd, condition.kelvin, active, count)[valid]
        else:
            noise[i][valid] = chain_noise(setup, chain.at(condition), comparator, active[valid], count[valid])
        if transfer.patterns is not None:
            # Volts of a column with a larger load are fewer: they are referred to the mean column as its level is.
            if transfer.lines:
                factor = transfer.lines[i].noise_factor()[valid]
                static[i][valid] *= factor
                noise[i][valid] *= factor
            pattern[i][valid] = np.sqrt(spread_terms(setup, active[valid], count[valid]) @ transfer.patterns[i])
            if transfer.lines and not setup.converter.follows_columns:
                static[i][valid] = np.hypot(static[i][valid], transfer.lines[i].column_spread()[valid])
    if setup.chain is not None:
        check_reach(setup.chain, mean)
    measured = measured_offset(setup, results)
    nominal_lsb = float((mean[0, n, top] - mean[0, n, 0]) / top)
    energy = (transfer.row_energy[:, :1] + transfer.row_energy[:, 1:] * np.arange(n + 1.0)) / setup.columns
    spread = None
    if measured is not None:
        offset = measured.offset_sigma
    elif setup.chain is not None and chain is not None:
        converter, spread = threshold_spread(setup, setup.chain, chain, static[0])
        offset = converter.total
    elif setup.inverter is not None and inverter is not None:
        converter, spread = inverter_spread(setup, setup.inverter, inverter, static[0])
        offset = converter.total
    else:
        offset = setup.converter.assumed_offset * nominal_lsb
    table = ReadoutTable.from_arrays(
        cell=setup.model.kind,
        unit=setup.unit,
        rows=n,
        conditions=setup.conditions,
        level=mean,
        sigma_static=static,
        sigma_noise=noise,
        sigma_pattern=pattern,
        row_energy=energy,
        read_time=read_time(setup),
        adc=AdcModel(
            codes=top + 1,
            offset_sigma=offset,
            noise_sigma=comparator if chain or inverter else setup.converter.noise_sigma * nominal_lsb,
        ),
        assumptions=(*margin_assumptions(setup, measured, spread), *column_assumptions(setup, transfer)),
        levels=setup.levels,
        threshold=chain_thresholds(setup, transfer.models) if setup.level_shape == "bent" else None,
    )
    return AdcMargin(table, table.margins_by_count())


def thermal_noise(
    setup: Testbench, lsb: float, vdd: float, kelvin: float, active: FloatArray, count: FloatArray
) -> FloatArray:
    """Thermal noise of a level, V or A, shape of `count`.

    Charge: sqrt(k T / C_tot), with C_tot = V_dd C_signal / LSB taken from the simulated slope, so that it holds the
    junction and gate capacitance of the reset switch too. With double sampling that noise is in both samples and
    cancels; the two sampling capacitors leave sqrt(2 k T / C_sample). Current: 4 k T G of the counted resistors and
    of those in undriven rows; an amplifier's noise is the converter's. A difference of two bit lines has the noise of
    both (k T times what the inverse of their capacitance matrix gives for it: 2 k T / C_tot for equal lines).
    Raises InputError for a readout of transistors, whose noise is simulated.
    """
    if setup.has_transistor_readout:
        raise InputError(
            "the closed form of thermal noise describes an ideal readout", where="readout.kind", hint="kind: ideal"
        )
    lines = np.sqrt(len(setup.model.bit_lines))
    sample = setup.converter.sample_capacitance
    if sample is not None:
        return np.full(count.shape, lines * np.sqrt(2.0) * charge_noise(sample, kelvin))
    if setup.unit == "V":
        total = vdd * setup.model.switched / lsb
        return np.full(count.shape, lines * charge_noise(total, kelvin))
    idle_ones = setup.ones * np.maximum(
        setup.rows - active, 0.0
    )  # a stored one of an undriven row is a resistor to 0 V
    return current_noise((count + idle_ones) / setup.varying, kelvin, setup.converter.integration_time)


def read_time(setup: Testbench) -> float:
    """Duration of one read, s. Charge: reset, first sample, inputs, sample; current: inputs and integration. Through a
    chain: to the first decision; by inverters: to the end of the ramp."""
    if setup.chain is not None:
        return setup.chain.timing.decides
    if setup.inverter is not None:
        return setup.inverter.ramp_end
    if setup.unit == "V":
        return setup.timing.read_at
    return setup.timing.read_at - setup.timing.input_start + setup.converter.integration_time


def measured_offset(setup: Testbench, results: ProcedureResults) -> ComparatorFigures | None:
    """The comparator whose offset sigma replaces the assumed one; None where a number is assumed.

    Raises InputError when it is asked for and nothing has measured it (charge cells, sar and flash converters only).
    """
    if setup.converter.offset_sigma is not None:
        return None
    found = results.get("adc")
    if setup.unit != "V" or found is None or found.readings[0].comparator is None:
        raise InputError(
            "no converter's offset was characterized",
            where="readout.offset_sigma",
            hint="for a charge cell, with readout.adc of kind sar or flash, and adc first in "
            "characterization.procedures; or give a number",
        )
    comparator: ComparatorFigures = found.readings[0].comparator
    return comparator


def margin_assumptions(
    setup: Testbench, measured: ComparatorFigures | None = None, spread: Assumption | None = None
) -> tuple[Assumption, ...]:
    """Inputs of the margin that nothing here has measured; measured: the comparator, where one was; spread: of a
    chain's thresholds, where it is known."""
    c = setup.converter
    offset = (
        Assumption(
            "converter offset", f"{c.offset_sigma:g} LSB rms after trimming", "assumption", "configuration, readout"
        )
        if measured is None
        else Assumption(
            "converter offset",
            f"{measured.offset_sigma * 1e3:.3g} mV rms of {measured.samples} drawn comparators, not trimmed",
            "measured",
            "procedure adc, thresholds by the device set's Pelgrom coefficients",
        )
    )
    if measured is None and setup.has_transistor_readout:
        unknown = "steps of the converter, calibration by replicas"
        offset = spread or Assumption("converter offset", unknown, "estimate", "procedure adc_margin")
    out = [
        Assumption("cell mismatch", setup.variation.text, "estimate", setup.variation.source),
        offset,
        Assumption(
            "neighbouring bits",
            f"drawn with {_shares(setup)}, the layer's own share",
            "measured",
            "the via program of the layer",
        ),
    ]
    if setup.chain is not None:
        return (*out, *chain_assumptions(setup))
    if setup.inverter is not None:
        return (*out, *inverter_assumptions(setup))
    out[0:0] = [ideal_readout()]
    out += [
        Assumption("converter noise", f"{c.noise_sigma:g} LSB rms", "assumption", "configuration, readout"),
        Assumption(
            "converter thresholds",
            "calibrated gain and offset per condition, shifted by the known number of active rows",
            "assumption",
            "behavioral converter",
        ),
    ]
    if setup.unit == "V":
        out.append(
            Assumption(
                "readout input load",
                f"{setup.periphery.sense_capacitance * 1e18:g} aF per bit line",
                "assumption",
                "configuration, periphery.sense_capacitance",
            )
        )
        if c.sample_capacitance is not None:
            out.append(
                Assumption(
                    "double sampling",
                    f"difference of two samples on {c.sample_capacitance * 1e15:g} fF each behind a unity buffer",
                    "assumption",
                    "configuration, readout; the buffer is not simulated, its noise is the converter's",
                )
            )
    else:
        out.append(
            Assumption(
                "current sense",
                f"virtual ground behind {setup.periphery.sense_resistance:g} ohm, "
                f"{c.integration_time * 1e9:g} ns integration",
                "assumption",
                "configuration, periphery and readout",
            )
        )
        select = setup.periphery.plane_select
        if select is not None:
            out.append(
                Assumption(
                    "plane select",
                    f"{select.planes} planes on a sense node {select.level:g} V above ground, {select.kind} of "
                    f"{select.width * 1e6:g} um",
                    "simulated",
                    "in every deck; bit lines of the other planes as one node with their mean data, drivers shared",
                )
            )
    return tuple(out)


def _shares(setup: Testbench) -> str:
    if setup.symbol_values == (0, 1):
        return f"{100 * setup.ones:.3g} % ones"
    parts = zip(setup.symbol_values, setup.symbol_shares, strict=True)
    return ", ".join(f"{100 * share:.3g} % of count {count}" for count, share in sorted(parts))


def column_assumptions(setup: Testbench, transfer: Transfer) -> tuple[Assumption, ...]:
    """What the levels of cells with a load that depends on the data rest on."""
    if setup.chain is not None and not setup.balanced:
        return (
            Assumption(
                "thresholds of the mean column",
                "one table for all columns of a tile; what columns of other data differ by is in the pattern spread",
                "simulated",
                "drawn columns, each level through the whole chain",
            ),
        )
    if not transfer.lines:
        return ()
    line = transfer.lines[0]
    spread = f"{100 * line.gain_spread():.2g} % rms"
    if setup.converter.follows_columns:
        name = "thresholds follow the column"
        value = f"each column's gain and offset per driven row from what it stores; one gain for all is off by {spread}"
    else:
        name = "thresholds of the mean column"
        value = f"one gain and offset for all columns; the columns differ by {spread}, in the static spread"
    return (
        Assumption(
            name,
            value,
            "assumption",
            "behavioral converter; the lines from the charge balance of the extracted cell, with "
            f"{line.extra * 1e18:.3g} aF of the reset switch found from the simulated levels",
        ),
    )


PROCEDURE = Procedure(
    "adc_margin",
    "levels, margins and code errors",
    ("transfer", "mismatch"),
    lambda setup: [],
    analyse_margin,
    through_chain=True,
)
