"""Thermal noise of a column in closed form."""

import numpy as np

from interconnect.arrays import FloatArray

BOLTZMANN = 1.380649e-23
"""J/K, exact (SI, 2019)."""


def charge_noise(capacitance: float, kelvin: float) -> float:
    """Rms voltage that the reset switch freezes on a floating node: sqrt(k T / C), V. `capacitance` in F."""
    return float(np.sqrt(BOLTZMANN * kelvin / capacitance))


def current_noise(conductance: FloatArray, kelvin: float, integration_time: float) -> FloatArray:
    """Rms current of resistors `conductance` (S) into a virtual ground, averaged over `integration_time` (s).

    Thermal density 4 k T G in the noise bandwidth 1 / (2 t) of a rectangular integration window (Johnson-Nyquist).
    """
    out: FloatArray = np.sqrt(4.0 * BOLTZMANN * kelvin * np.asarray(conductance) / (2.0 * integration_time))
    return out
