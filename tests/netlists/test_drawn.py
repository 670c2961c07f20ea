"""Layout area of transistors by hand, and the parts of a readout chain."""

from __future__ import annotations

from dataclasses import replace

import pytest

from interconnect.errors import InputError
from netlists.devices.area import AreaRules, DrawnTransistor
from netlists.devices.device_set import load_devices
from netlists.periphery import Periphery
from netlists.readout.chain import ComparatorBus, DoubleSampler, ReadoutChain, SharedLine
from netlists.readout.drawn import control_lines, drawn_parts
from netlists.technology import Technology, load_technology

HALF_CELL = 0.19e-6 * 0.70e-6
"""m2: one gate pitch by half a row of the 45 nm library."""


@pytest.fixture(scope="module")
def technology() -> Technology:
    return load_technology("open45", "open45")


@pytest.fixture
def rules() -> AreaRules:
    found = load_devices("open45").area
    assert found is not None
    return found


def mos(kind: str, drain: str, source: str, width: float = 0.2e-6, length: float = 50e-9) -> DrawnTransistor:
    return DrawnTransistor(kind, width, length, drain, source)


def test_gates_of_the_library_have_its_areas(rules: AreaRules) -> None:
    """Nangate 45 nm: INV_X1 0.532 um2 (2 sites), NAND2_X1 0.798 um2 (3 sites), as published in its data sheet."""
    inverter = [mos("nmos", "out", "vss"), mos("pmos", "out", "vdd")]
    nand = [mos("nmos", "out", "m"), mos("nmos", "m", "vss"), mos("pmos", "out", "vdd"), mos("pmos", "out", "vdd")]
    assert rules.drawn_area(inverter) == pytest.approx(0.532e-12)
    assert rules.drawn_area(nand) == pytest.approx(0.798e-12)
    assert rules.logic_area(1) == pytest.approx(0.798e-12)


@pytest.mark.parametrize(
    ("edges", "pitches"),
    [
        ((("a", "b"),), 2),  # one gate and the far diffusion
        ((("a", "b"), ("c", "d")), 4),  # nothing in common
        ((("a", "b"), ("b", "c")), 3),  # one diffusion shared
        ((("a", "m"), ("b", "m"), ("c", "m"), ("d", "m")), 6),  # a star of four: two strips
        ((("a", "m"), ("a", "m"), ("a", "m"), ("a", "m"), ("m", "x")), 6),  # m a m a m x is one strip
    ],
)
def test_strips_follow_from_the_circuit(rules: AreaRules, edges: tuple[tuple[str, str], ...], pitches: int) -> None:
    assert rules.drawn_area([mos("nmos", d, s) for d, s in edges]) == pytest.approx(pitches * HALF_CELL)


def test_folded_and_long_transistors(rules: AreaRules) -> None:
    """0.42 um is the widest finger of a row of 1.4 um; a channel of 0.2 um is 0.15 um longer than the shortest."""
    assert rules.drawn_area([mos("pmos", "a", "b", 0.5e-6)]) == pytest.approx(3 * HALF_CELL)
    long = rules.drawn_area([mos("pmos", "a", "b", 0.2e-6, 0.2e-6)])
    assert long == pytest.approx(2 * HALF_CELL + 0.15e-6 * 0.70e-6)
    with pytest.raises(InputError, match="transistor width"):
        rules.drawn_area([mos("nmos", "a", "b", 0.0)])


def test_strips_outside_of_standard_cells_by_hand() -> None:
    """FreePDK45: pitch 50 + 140 nm, a strip 2 x 105 + 80 - 140 nm more, 55 + 75 + 50 + 75 nm beside the width.
    Four resets of 0.12 um are two strips, four followers and the select of 0.24 um one; nothing is folded, and gates of
    logic stay."""
    devices = load_devices("open45")
    rules = devices.with_periphery_rules("memory").area
    assert rules is not None
    resets = [mos("nmos", f"bl_{k}", "level", 0.12e-6) for k in range(4)]
    followers = [mos("pmos", "0", "s", 0.24e-6) for _ in range(4)] + [mos("pmos", "s", "line", 0.24e-6)]
    hand = (4 * 0.19 + 2 * 0.15) * (0.12 + 0.255) + (5 * 0.19 + 0.15) * (0.24 + 0.255)
    assert rules.drawn_area([*resets, *followers]) == pytest.approx(hand * 1e-12)
    wide = [mos("nmos", "a", "b", 1.0e-6)]
    assert rules.drawn_area(wide) == pytest.approx(0.34 * 1.255 * 1e-12)
    assert rules.logic_area(1) == pytest.approx(0.798e-12)
    assert devices.area is not None
    assert devices.with_periphery_rules("standard_cell").area == devices.area
    assert rules.drawing.status == "estimate"
    with pytest.raises(InputError, match="no area rules 'memory'"):
        replace(devices, layouts={}).with_periphery_rules("memory")


@pytest.mark.parametrize(("planes", "pitches"), [(1, 2 + 3), (2, 3 + 4), (4, 6 + 6), (8, 12 + 10)])
def test_a_segment_has_two_transistors_per_plane_and_a_select(
    technology: Technology, planes: int, pitches: int
) -> None:
    """P resets to one level: ceil(P / 2) strips; P followers from ground to one node and the select: one strip."""
    chain = ReadoutChain(line=SharedLine(segments=3, planes=planes))
    segment = next(p for p in drawn_parts(technology, chain, Periphery(), 25) if p.name == "lcc_reset")
    assert segment.transistors == 2 * planes + 1
    assert segment.area == pytest.approx(pitches * HALF_CELL)


def test_parts_follow_from_the_chain(technology: Technology) -> None:
    chain = ReadoutChain(
        line=SharedLine(segments=16, planes=4), bus=ComparatorBus(columns=8), sampler=DoubleSampler(capacitance=7e-15)
    )
    parts = {p.name: p for p in drawn_parts(technology, chain, Periphery(), 25)}
    assert parts["row_drivers"].transistors == 4  # an inverter for the signal and one for the ground line
    assert parts["column_line"].transistors == 2  # bias and clamp
    assert parts["column_line"].capacitance == 7e-15
    assert parts["column_mux"].transistors == 8 + 1 + 1  # a switch per column, bus reset, diode of the bias
    assert parts["adc"].capacitance == pytest.approx(257 * 0.25e-15)  # 8 bits of units and the one that ends them
    comparator = 1 + 2 + 2 + 2 + 4 + 2 + 8  # tail, inputs, two cross-coupled pairs, precharge; five inverters
    assert parts["adc"].transistors == 8 * 2 + 1 + comparator  # two switches per bit, reset of the top plate
    # 25 levels take 5 decisions of 6 + 4; 24 codes of 8 bits selected; 8 + 6 bits of flip-flop and adder; 8 adders
    assert parts["adc_logic"].transistors == 4 * (5 * 10 + 24 * 8 / 2 + 14 * 13 + 8 * 7)
    assert parts["thresholds"].transistors == 4 * 24 * 8 * 4
    switched = ReadoutChain(line=SharedLine(bias_switch_width=0.12e-6))
    line = next(p for p in drawn_parts(technology, switched, Periphery(), 25) if p.name == "column_line")
    assert line.transistors == 4  # the bias has two switches
    assert (switched.biased_lines, chain.biased_lines) == (2, 8)
    single = ReadoutChain(drive="single")
    driver = next(p for p in drawn_parts(technology, single, Periphery(), 25) if p.name == "row_drivers")
    assert 2 * driver.area == pytest.approx(parts["row_drivers"].area)
    assert (
        control_lines(chain) == 16 * 5 + 4 + 2 + 8
    )  # resets and selects, rails of the resets, clamp and bus reset, joins
