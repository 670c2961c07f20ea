"""What a run is signed off with: the figures of every condition with their intervals."""

from characterization.sign_off import SignOff, sign_off
from characterization.uncertainty import readout_uncertainty
from interconnect.arrays import IntArray
from metalrom.design.design import Design
from metalrom.run.characterize import CharacterizationRun


def sign_offs(design: Design, done: CharacterizationRun, histogram: IntArray) -> tuple[SignOff, ...]:
    """Code error and margin of every condition, each with its interval; histogram: the layer's reads."""
    supply = design.config.readout.supply_noise
    return tuple(
        sign_off(done.table, condition, readout_uncertainty(done.setup, done.results, index, supply=supply), histogram)
        for index, condition in enumerate(done.table.conditions)
    )
