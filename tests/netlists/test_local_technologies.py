"""Transistor baselines in other technologies: default sizes, switch charges measured, levels against closed forms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from interconnect.errors import InputError
from netlists.baselines import (
    BASELINE_CELLS,
    BaselineComputing,
    BaselineStimulus,
    BaselineTiming,
    MeasuredCharges,
    Operation,
    baseline_column_deck,
    default_cell,
    default_computing,
    default_timing,
    make_baseline_cell,
    measure_operation,
    measured_charges,
    shared_level,
    switch_charge_deck,
)
from netlists.baselines.sram import Sram6T
from netlists.baselines.switches import Terminal
from netlists.condition import Condition
from netlists.devices.device_set import load_devices
from netlists.technology import Technology, load_technology
from ngspice_runner import Job, run

pytestmark = pytest.mark.ngspice
OPEN45 = load_devices("open45")
# The sizes of sky130.yaml, so that the rule can be checked without the kit.
COARSE = replace(OPEN45, default_length=1.5e-7, width_scale=3.5, l_min=1.5e-7, w_min=4.2e-7)


def measure_switches(technology: Technology) -> MeasuredCharges:
    devices = technology.devices
    deck = switch_charge_deck(technology, default_computing(devices), Condition("tt", devices.vdd, 27.0))
    result = run(Job(deck.text, deck.outputs, stop=deck.stop, options=devices.job_options))
    assert result.ok, result.log
    return measured_charges(deck, result.signals)


def operate(technology: Technology, kind: str, charges: MeasuredCharges | None) -> tuple[Operation, float]:
    """(an operation of 6 local arrays of 4 rows, its error in full scales); no latch may be disturbed."""
    devices = technology.devices
    condition = Condition("tt", devices.vdd, 27.0)
    cell, lcc = default_cell(devices, kind), default_computing(devices)
    rng = np.random.default_rng(3)
    case = BaselineStimulus(
        symbols=rng.integers(0, cell.symbols, (6, 4)), selected=rng.integers(0, 4, 6), inputs=np.arange(6) % 3 != 1
    )
    deck = baseline_column_deck(technology, cell, lcc, default_timing(devices), condition, case)
    result = run(Job(deck.text, deck.outputs, stop=deck.stop, options=devices.job_options))
    assert result.ok, result.log
    got = measure_operation(deck, result.signals)
    if got.states.size:
        before = [list(cell.initial(int(s), devices.vdd).values()) for s in case.read]
        np.testing.assert_allclose(got.states, before, atol=2e-3 * devices.vdd)
    form = shared_level(technology, cell, lcc, condition, case, charges)
    return got, (got.level - form.level) / form.full_scale


@pytest.mark.parametrize("kind", BASELINE_CELLS)
def test_defaults_of_a_50_nm_process_are_the_classes_own(kind: str) -> None:
    assert default_cell(OPEN45, kind) == make_baseline_cell(kind)
    assert default_computing(OPEN45) == BaselineComputing()
    assert default_timing(OPEN45) == BaselineTiming()


def test_defaults_of_a_coarser_process() -> None:
    """Narrowest of the 6T cell: 0.09 um, which must become 0.42 um: x 4.6667 for all, more than the scale of 3.5."""
    cell = default_cell(COARSE, "sram_6t")
    assert isinstance(cell, Sram6T)
    assert (cell.pull_up_width, cell.access_width) == pytest.approx((0.42e-6, 0.46667e-6), rel=1e-5)
    assert cell.pull_down_width / cell.access_width == pytest.approx(2.0)
    assert (cell.length, cell.bl_wire) == (1.5e-7, pytest.approx(80e-18 * 14 / 3))
    lcc = default_computing(COARSE, reset_width=1e-6, columns=None)  # the narrowest is 0.1 um: x 4.2
    assert (lcc.switch_width, lcc.capacitance, lcc.reset_width, lcc.columns) == (0.42e-6, 8.4e-15, 1e-6, 64)
    # Wide enough a process keeps its own scale.
    assert default_computing(replace(COARSE, w_min=1e-7)).switch_width == pytest.approx(0.35e-6)
    assert default_timing(COARSE, gap=1e-10) == BaselineTiming(
        start=0.3e-9, edge=60e-12, gap=1e-10, read=3e-9, settle=1.5e-9, restore=2.1e-9, max_step=60e-12
    )
    with pytest.raises(InputError, match="there is no 'switch_widht'; did you mean 'switch_width'"):
        default_computing(COARSE, switch_widht=1e-7)
    with pytest.raises(InputError, match="there is no 'raed'; did you mean 'read'"):
        default_timing(COARSE, raed=1e-9)


def test_measured_charges_are_those_of_the_card() -> None:
    """Junctions and overlaps, which the card gives exactly, within 0.5 %; the channel, of which the card's formula
    has the first terms only, within 15 % of what turning the switch on moves."""
    technology = load_technology("open45", "open45")
    charges = measure_switches(technology)
    volts = np.linspace(0.0, 1.0, 11)
    for kind, width in (("n", 1e-7), ("p", 1e-7), ("n", 2e-7)):
        card = Terminal(OPEN45, "tt", "n" if kind == "n" else "p", width, 50e-9, 1.0)
        rail = card.off(np.array([0.0 if kind == "n" else 1.0]))
        got = charges(card.type, width)
        span = np.ptp(card.off(volts))
        np.testing.assert_allclose(got.off(volts), card.off(volts) - rail, atol=5e-3 * span)
        moved = np.abs(card.conducting(volts) - card.off(volts)).max()
        np.testing.assert_allclose(got.conducting(volts), card.conducting(volts) - rail, atol=0.15 * moved)
    # Beyond the ramps a switch goes on along its last line.
    far = charges("n", 1e-7).off(np.array([1.1, 1.2, 1.3]))
    assert far[2] - far[1] == pytest.approx(far[1] - far[0], rel=0.02)
    with pytest.raises(InputError, match="no p switch of 3e-07 m was measured"):
        charges("p", 3e-7)


@pytest.fixture
def wrapped(tmp_path: Path) -> Technology:
    """Our own cards as a kit's library of subcircuits: the same transistors, called the other way."""
    shells = "".join(
        f".subckt {name} d g s b\n.param l=1 w=1 ad=0 as=0 pd=0 ps=0\n"
        f"m1 d g s b {model} l={{l}} w={{w}} ad={{ad}} as={{as}} pd={{pd}} ps={{ps}}\n.ends\n"
        for name, model in (("nfet", OPEN45.nmos), ("pfet", OPEN45.pmos))
    )
    (tmp_path / "kit.lib").write_text(f"* kit\n{OPEN45.cards('tt')}{shells}")
    geometry = {name: getattr(OPEN45, name) for name in ("l_min", "l_max", "w_min", "w_max", "diffusion_length")}
    known = {"status": "user", "source": "test"}
    kit = {
        "name": "open45",
        "title": "wrapped",
        "vdd": 1.0,
        "models": {"nmos": "nfet", "pmos": "pfet"},
        "geometry": geometry | known,
        "matching": {"avt_n": 2e-9, "avt_p": 2e-9} | known,
        "library": {"corners": {"tt": [{"file": "kit.lib"}]}} | known,
        "call": {"style": "X"},
    }
    path = tmp_path / "kit.yaml"
    path.write_text(yaml.safe_dump(kit))
    return load_technology("open45", path)


@pytest.mark.parametrize("kind", ["rom_1t_mlc", "sram_6t"])
def test_a_library_of_the_same_transistors_gives_the_same_level(kind: str, wrapped: Technology) -> None:
    got, error = operate(wrapped, kind, measure_switches(wrapped))
    own, _ = operate(load_technology("open45", "open45"), kind, None)
    assert abs(error) < 0.01
    assert got.level == pytest.approx(own.level, abs=1e-3)
    # The other columns' gates: drawn here, an upper estimate there.
    assert 0.95 < got.energy["control"] / own.energy["control"] < 1.0
    assert got.energy["lcc"] == pytest.approx(own.energy["lcc"], rel=0.01, abs=1e-17)


def test_a_library_tells_no_charges(wrapped: Technology) -> None:
    with pytest.raises(InputError, match=r"open45: the charge of the switches is unknown.*measured_charges"):
        shared_level(
            wrapped,
            make_baseline_cell("rom_1t"),
            BaselineComputing(),
            Condition("tt", 1.0, 27.0),
            BaselineStimulus(symbols=np.ones((2, 4), int), selected=np.zeros(2, int), inputs=np.ones(2, int)),
        )


def check_levels(name: str, kinds: tuple[str, ...]) -> None:
    technology = load_technology(name, name)
    charges = measure_switches(technology) if technology.devices.from_library else None
    for kind in kinds:
        got, error = operate(technology, kind, charges)
        assert abs(error) < 0.01, (kind, error)
        assert got.level > 0.05 * technology.devices.vdd, "the case must have something to add"
        assert got.per_mac > 0


@pytest.mark.parametrize("name", ["freepdk45", "sky130"])
def test_level_within_1_percent_in_every_kit(name: str, kits: None) -> None:
    check_levels(name, ("rom_1t_mlc", "sram_6t"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["freepdk45", "sky130"])
def test_level_of_the_other_kinds_within_1_percent(name: str, kits: None) -> None:
    check_levels(name, ("rom_1t", "sram_8t"))
