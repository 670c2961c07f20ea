"""How large a characterization may become: known from its testbench, before anything is planned or simulated."""

from characterization.procedures.mismatch import points
from characterization.testbench import Testbench
from interconnect.errors import InputError

MAX_READS = 1_000_000
"""Reads of drawn chips, at all points and conditions: planning takes 0.5 to 0.8 kB for each, sampling as much again."""

MAX_STATES = 2**24
"""States of a readout table, over (condition, active rows, count): it holds some ten numbers of 8 bytes for each."""


def check_size(setup: Testbench) -> None:
    """Raise InputError for more reads of drawn chips, or a larger table, than usual machines have the memory for."""
    conditions = len(setup.conditions)
    draws = sum(setup.samples_of(c) for c in setup.conditions)
    draws += min(setup.worst_conditions, conditions) * setup.worst_samples
    reads = draws * len(points(setup.rows, setup.levels))
    if reads > MAX_READS:
        raise InputError(
            f"{reads} reads of drawn chips at {conditions} conditions are more than {MAX_READS}",
            where="characterization.samples",
            hint="ask for fewer samples, samples_elsewhere, worst_samples or conditions",
        )
    states = conditions * (setup.rows + 1) * (setup.max_count + 1)
    if states > MAX_STATES:
        raise InputError(
            f"a readout table of {conditions} conditions and {setup.rows} rows has {states} states, more than "
            f"{MAX_STATES}",
            where="conditions",
            hint="name fewer conditions or sum fewer rows",
        )
