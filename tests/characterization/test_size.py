"""What would not fit a memory is refused before anything is planned."""

from dataclasses import replace

import pytest

from characterization.size import MAX_READS, MAX_STATES, check_size
from characterization.testbench import Testbench
from interconnect.errors import InputError
from netlists.condition import Condition


def conditions(number: int) -> tuple[Condition, ...]:
    return tuple(Condition("tt", 1.0, 27.0 + 0.01 * k) for k in range(number))


def test_reads_of_drawn_chips_are_bounded(charge_setup: Testbench) -> None:
    # two levels: 6 points of every drawn chip
    setup = replace(charge_setup, conditions=conditions(2), rows=8, samples=100_000, samples_elsewhere=10)
    most = MAX_READS // 6 - 100_000  # draws that are left for the second condition
    check_size(replace(setup, samples_elsewhere=most))
    said = "reads of drawn chips at 2 conditions are more than 1000000"
    with pytest.raises(InputError, match=said):
        check_size(replace(setup, samples_elsewhere=most + 1))
    with pytest.raises(InputError, match=said):  # with those of a second stage
        check_size(replace(setup, samples_elsewhere=most - 29, worst_conditions=1, worst_samples=30))


def test_states_of_the_table_are_bounded(charge_setup: Testbench) -> None:
    most = MAX_STATES // 129**2
    setup = replace(charge_setup, rows=128, samples=30, samples_elsewhere=10)
    check_size(replace(setup, conditions=conditions(most)))
    with pytest.raises(InputError, match=f"{most + 1} conditions and 128 rows has {(most + 1) * 129**2} states"):
        check_size(replace(setup, conditions=conditions(most + 1)))
