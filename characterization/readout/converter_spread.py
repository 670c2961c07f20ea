"""What the thresholds of a column converter miss their wanted levels by: steps, capacitors and calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from netlists.readout.column_sar import ColumnSar

END_SHARE = 1.0 / 3.0
"""Mean square of a threshold's share of the way from the middle to an end, thresholds evenly spread."""


@dataclass(frozen=True, slots=True)
class ConverterSpread:
    """Static sigma of a threshold, V at the bus.

    rounding: steps of the array; a comparator's own offset, several steps wide, makes it uniform. capacitors: mismatch
    of the units that differ from the middle code. calibration: what averaging leaves of noise in the middle and at the
    ends, and the mismatch of the replicas themselves.
    """

    rounding: float
    capacitors: float
    calibration: float

    @property
    def total(self) -> float:
        """All three together, V."""
        return float(np.sqrt(self.rounding**2 + self.capacitors**2 + self.calibration**2))


def converter_spread(converter: ColumnSar, noise: float, ends: float) -> ConverterSpread:
    """Spread of the thresholds of a converter.

    Parameters
    ----------
    converter : ColumnSar
        Its array and replicas.
    noise : float
        Of one read, V rms at the bus.
    ends : float
        Static sigma of a column's level at an end of the range, V: of one replica.

    Returns
    -------
    ConverterSpread
        V at the bus; the capacitors' part is the root mean square over all codes but the outer eighths.
    """
    a = converter
    step = a.reference * a.unit_capacitance / a.top_plate
    codes = np.arange(a.units // 8, a.units - a.units // 8)
    weights = 1 << np.arange(a.bits)
    changed = ((codes[:, None] & weights) != (a.middle & weights)) @ weights
    averaged = noise**2 / a.replica_reads
    calibration = averaged + END_SHARE * (averaged + ends**2 / a.replicas)
    return ConverterSpread(
        rounding=float(step / np.sqrt(12.0)),
        capacitors=float(step * a.unit_sigma * np.sqrt(np.mean(changed))),
        calibration=float(np.sqrt(calibration)),
    )
