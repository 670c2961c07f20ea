"""Digital scales of outputs: a matrix of integers has one factor per output, multiplied once all its groups are summed.

An array multiplier of a x b bits is a b AND gates and as many full adders. It works through the outputs of a tile while
the next product is converted; factors are constants of the masks. M. Horowitz (ISSCC 2014) gives 0.2 pJ for 8 x 8 bits
at 45 nm and 0.9 V, Nangate's cells 4.8 um2 for a full adder: the count of gates agrees with both within its range.
"""

from __future__ import annotations

from metalrom.macro.geometry import MacroGeometry
from netlists.readout.column_converter import ADDER, FLIP_FLOP, SELECTOR

AND = 1.33
"""NAND2 equivalents of a two-input AND: 1.064 against 0.798 um2 (Nangate's open 45 nm library)."""


def multiplier_gates(first: int, second: int) -> float:
    """NAND2 equivalents of an array multiplier of so many bits, without registers."""
    return first * second * (ADDER + AND)


def scale_gates(geometry: MacroGeometry) -> tuple[float, str]:
    """NAND2 equivalents of a tile's multipliers, their registers and the stored factors, and what they are."""
    g, bits = geometry, geometry.scale_bits
    each = multiplier_gates(g.accumulator_bits, bits) + (g.accumulator_bits + bits) * FLIP_FLOP
    stored = g.weights_per_row * bits * SELECTOR
    shared = f"for {-(-g.weights_per_row // g.scale_multipliers):,} outputs each"
    source = (
        f"{g.scale_multipliers} multiplier(s) of {g.accumulator_bits} x {bits} bits {shared}, registers, and a factor "
        f"of {bits} bits of mask-programmed constants per output, a selector each"
    )
    return g.scale_multipliers * each + stored, source


def scale_switching(geometry: MacroGeometry) -> float:
    """Gates that a multiplication moves, per conversion: one for each output of a full product of a tile."""
    g = geometry
    registers = (g.accumulator_bits + g.scale_bits) * FLIP_FLOP
    return (multiplier_gates(g.accumulator_bits, g.scale_bits) + registers) / (g.partial_products * g.groups)
