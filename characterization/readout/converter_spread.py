"""What the thresholds of a column converter miss their wanted levels by: steps, capacitors and calibration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import singledispatch

import numpy as np

from interconnect.errors import InputError
from netlists.readout.column_pair import ColumnPair
from netlists.readout.column_ramp import ColumnRamp
from netlists.readout.column_sar import UNIT_MISMATCH, UNIT_MISMATCH_SOURCE, ColumnSar

END_SHARE = 1.0 / 3.0
"""Mean square of a threshold's share of the way from the middle to an end, thresholds evenly spread."""


@dataclass(frozen=True, slots=True)
class ConverterSpread:
    """Static sigma of a threshold, V at the bus.

    rounding: steps of the array or of the counter; a comparator's own offset, several steps wide, makes it uniform.
    capacitors: mismatch of the units that differ from the middle code, none with a ramp. calibration: what averaging
    leaves of noise in the middle and at the ends, and the mismatch of the replicas themselves. columns: levels of other
    columns that share a part of the converter, see `column_influence`. source: of all of them.
    """

    rounding: float
    capacitors: float
    calibration: float
    source: str = ""
    columns: float = 0.0

    @property
    def total(self) -> float:
        """All of them together, V."""
        return float(np.sqrt(self.rounding**2 + self.capacitors**2 + self.calibration**2 + self.columns**2))


@singledispatch
def converter_spread(converter: object, noise: float, ends: float, *, load: float = 0.0) -> ConverterSpread:
    """Spread of the thresholds of a converter; dispatches on its class.

    Parameters
    ----------
    converter : ColumnConverter
        Its array or its ramp, and its replicas.
    noise : float
        Of one read, V rms at the bus.
    ends : float
        Static sigma of a column's level at an end of the range, V: of one replica.
    load : float
        Capacitance on the top plate beside the array and its wire, F.

    Returns
    -------
    ConverterSpread
        V at the bus; the capacitors' part is the root mean square over all codes but the outer eighths.

    Raises
    ------
    InputError
        A class without a registered function.
    """
    raise InputError(f"no spread is defined for {type(converter).__name__}", where="readout.converter.kind")


@converter_spread.register
def _(converter: ColumnSar, noise: float, ends: float, *, load: float = 0.0) -> ConverterSpread:
    a = converter
    step = a.reference * a.unit_capacitance / (a.top_plate + load)
    codes = np.arange(a.units // 8, a.units - a.units // 8)
    weights = 1 << np.arange(a.bits)
    changed = ((codes[:, None] & weights) != (a.middle & weights)) @ weights
    origin = UNIT_MISMATCH_SOURCE if a.unit_mismatch == UNIT_MISMATCH else "configuration, readout.converter"
    return ConverterSpread(
        rounding=float(step / np.sqrt(12.0)),
        capacitors=float(step * a.unit_sigma * np.sqrt(np.mean(changed))),
        calibration=calibration_sigma(noise, ends, a.replica_reads, a.replicas),
        source=f"drawn array; sigma {100 * a.unit_mismatch:.2g} % for a capacitor of 1 fF, falling with the root of "
        f"its size ({origin}); noise and replicas as simulated",
    )


@converter_spread.register
def _(converter: ColumnPair, noise: float, ends: float, *, load: float = 0.0) -> ConverterSpread:
    """Two arrays that are switched opposite: twice the step of one, and root two times what its capacitors miss."""
    one = converter_spread.dispatch(ColumnSar)(converter, noise, ends, load=load)
    return replace(one, rounding=2.0 * one.rounding, capacitors=float(np.sqrt(2.0)) * one.capacitors)


@converter_spread.register
def _(converter: ColumnRamp, noise: float, ends: float, *, load: float = 0.0) -> ConverterSpread:
    a = converter
    return ConverterSpread(
        rounding=float(a.step / np.sqrt(12.0)),
        capacitors=0.0,
        calibration=calibration_sigma(noise, ends, a.replica_reads, a.replicas),
        source="steps of the counter by the ramp's nominal slope; noise and replicas as simulated",
    )


def calibration_sigma(noise: float, ends: float, reads: int, replicas: int) -> float:
    """What `reads` averaged reads of sigma `noise` (V) leave in the middle and at both ends of the range, V; ends:
    static sigma of one of `replicas` columns at an end, V."""
    averaged = noise**2 / reads
    return float(np.sqrt(averaged + END_SHARE * (averaged + ends**2 / replicas)))
