"""Figures of merit as the literature defines them. 1 MAC = 2 operations; 1 Mb = 10^6 bits."""

import math

from interconnect.errors import InputError
from metalrom.macro.merit import OPERATIONS_PER_MAC
from netlists.devices.area import area_at_node


def tops(macs: float, seconds: float) -> float:
    """Tera-operations per second of `macs` done in `seconds`."""
    return OPERATIONS_PER_MAC * macs / _positive(seconds, "time") * 1e-12


def tops_per_watt(macs: float, joules: float) -> float:
    """Tera-operations per second and watt, which is operations per picojoule, of `macs` for `joules`."""
    return OPERATIONS_PER_MAC * macs / _positive(joules, "energy") * 1e-12


def energy_per_mac(tops_per_watt: float) -> float:
    """Joules of one MAC at an efficiency."""
    return OPERATIONS_PER_MAC / _positive(tops_per_watt, "efficiency") * 1e-12


def tops_per_mm2(macs: float, seconds: float, square_metres: float) -> float:
    """Tera-operations per second and square millimetre."""
    return tops(macs, seconds) / (_positive(square_metres, "area") * 1e6)


def normalised_to_one_bit(figure: float, input_bits: int, weight_bits: int) -> float:
    """TOPS, TOPS/W or TOPS/mm2 counted in 1-bit x 1-bit operations: times input bits times weight bits."""
    for bits in (input_bits, weight_bits):
        _positive(bits, "number of bits")
    return figure * input_bits * weight_bits


def density(bits: float, square_metres: float) -> float:
    """Stored bits per area of the whole macro (array, drivers, converters, control), Mb/mm2."""
    return bits / _positive(square_metres, "area") * 1e-12


def density_at_node(density: float, node: float, target: float = 65e-9) -> float:
    """A density as if it shrank ideally from `node` to `target` (m): times (node / target)^2."""
    return density / area_at_node(1.0, node, target)


def array_efficiency(macro_density: float, cell_area: float) -> float:
    """Share of the macro that is cells: macro density (Mb/mm2) times cell area per bit (m2)."""
    return macro_density * 1e12 * cell_area


def key_value_saving(sequence: int, kept: int) -> float:
    """Share of DRAM reads saved when keys and values of the first `kept` of `sequence` generated tokens stay on chip.

    Token i is read by every later one: sum over i < kept of (sequence - i), over the same for all tokens.
    """
    if not 0 <= kept <= sequence or sequence < 1:
        raise InputError(f"{kept} of {sequence} tokens cannot be kept", hint="0 to the length of the sequence")
    reads = [sequence - token for token in range(sequence)]
    return math.fsum(reads[:kept]) / math.fsum(reads)


def _positive(value: float, what: str) -> float:
    if not (value > 0 and math.isfinite(value)):
        raise InputError(f"figure of merit: {what} is {value:g}, expected more than 0")
    return value
