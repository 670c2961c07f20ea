"""Threshold shifts of one manufactured column, drawn from Pelgrom's law."""

import numpy as np

from interconnect.arrays import FloatArray
from netlists.baselines.base import BaselineCell, BaselineDevice
from netlists.baselines.case import BaselineDeviations
from netlists.baselines.computing import BaselineComputing
from netlists.devices.device_set import DeviceSet


def sigmas(devices: DeviceSet, transistors: tuple[BaselineDevice, ...], length: float) -> FloatArray:
    """Standard deviation of each transistor's own threshold, V, shape (transistors,)."""
    return np.array([devices.sigma_vth("nmos" if t.type == "n" else "pmos", t.width, length) for t in transistors])


def draw_baseline_deviations(
    devices: DeviceSet, cell: BaselineCell, lcc: BaselineComputing, locals_: int, seed: np.random.SeedSequence
) -> BaselineDeviations:
    """One draw for the selected cells and computing cells of `locals_` local arrays: avt / sqrt(2 W L) per device."""
    rng = np.random.default_rng(seed)
    of_cell = sigmas(devices, cell.devices, cell.length)
    of_lcc = sigmas(devices, lcc.devices(cell.reading), lcc.length)
    return BaselineDeviations(
        cell=rng.standard_normal((locals_, of_cell.size)) * of_cell,
        lcc=rng.standard_normal((locals_, of_lcc.size)) * of_lcc,
    )
