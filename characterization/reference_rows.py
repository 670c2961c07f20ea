"""Spread of the reference rows that an inverter in the segment compares with."""

from __future__ import annotations

import numpy as np

from characterization.testbench import Testbench

REFERENCE = "reference"
"""What varies of an inverter's reference rows, beside its thresholds (`Deviations.readout`)."""


def reference_sigma(setup: Testbench) -> float:
    """Sigma of the coupling of the target's reference rows over its nominal one: the mean of their cells."""
    rows = setup.inverter.reference_rows if setup.inverter else 1
    return float(setup.variation.cell_sigma / np.sqrt(rows))
