"""Transistor baselines in ngspice: levels against closed forms, latches undisturbed, energies, a user's own cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pytest

from interconnect.errors import InputError
from interconnect.provenance import Provenance, Value
from netlists.baselines import (
    BASELINE_CELLS,
    BaselineCell,
    BaselineComputing,
    BaselineDeck,
    BaselineDeviations,
    BaselineDevice,
    BaselineStimulus,
    BaselineTiming,
    CellArea,
    Operation,
    baseline_column_deck,
    draw_baseline_deviations,
    make_baseline_cell,
    measure_operation,
    settling,
    shared_level,
)
from netlists.condition import Condition
from netlists.technology import Technology, load_technology
from ngspice_runner import Job, Signal, run

KINDS = ("rom_1t", "rom_1t_mlc", "sram_8t", "sram_6t")
NOMINAL = Condition("tt", 1.0, 27.0)
LCC, TIMING = BaselineComputing(), BaselineTiming()


@pytest.fixture(scope="module")
def open45() -> Technology:
    return load_technology("open45", "open45")


def simulate(deck: BaselineDeck) -> Operation:
    result = run(Job(text=deck.text, outputs=deck.outputs, stop=deck.stop))
    assert result.ok, (result.verdict, result.log)
    assert result.provenance is not None
    assert not result.provenance.notes
    return measure_operation(deck, result.signals)


def random_case(rng: np.random.Generator, cell: BaselineCell, locals_: int = 16, rows: int = 16) -> BaselineStimulus:
    return BaselineStimulus(
        symbols=rng.integers(0, cell.symbols, (locals_, rows)),
        selected=rng.integers(0, rows, locals_),
        inputs=rng.integers(0, 2, locals_),
    )


def check_level(
    technology: Technology, cell: BaselineCell, case: BaselineStimulus, condition: Condition = NOMINAL
) -> Operation:
    """One operation within 1 % (multi-level) or 0.4 % (bits) of full scale of the charge balance, cells as they were.

    The multi-level full scale is 0.45 V instead of 1 V, the charges of the switches are the same.
    """
    got = simulate(baseline_column_deck(technology, cell, LCC, TIMING, condition, case))
    form = shared_level(technology, cell, LCC, condition, case)
    share = 0.01 if cell.reading == "level" else 0.004
    assert abs(got.level - form.level) < share * form.full_scale, (got.level, form)
    if got.states.size:
        before = [list(cell.initial(int(s), condition.vdd).values()) for s in case.read]
        # Undisturbed: every latch is back at its rails.
        np.testing.assert_allclose(got.states, before, atol=1e-3)
    return got


@pytest.mark.parametrize("kind", KINDS)
def test_level_meets_the_closed_form(kind: str, open45: Technology) -> None:
    check_level(open45, make_baseline_cell(kind), random_case(np.random.default_rng(39), make_baseline_cell(kind)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_level_meets_the_closed_form_in_8_random_cases(kind: str, open45: Technology) -> None:
    rng = np.random.default_rng(8)
    for _ in range(8):
        check_level(open45, make_baseline_cell(kind), random_case(rng, make_baseline_cell(kind)))


@pytest.mark.parametrize(
    ("kind", "offset", "gain"),
    [("rom_1t", 0.02, 0.08), ("rom_1t_mlc", 0.04, 0.05)],
)
def test_what_the_switches_add(kind: str, offset: float, gain: float, open45: Technology) -> None:
    """Offset with no product and gain error against capacitors alone, of full scale; the rest is linear in the sum.

    The bounds are the size of it: half a channel (0.08 fF at 0.4 V overdrive) against 2 fF is 1 to 2 %, junctions and
    channel on the compute line are 0.4 fF of 2.6 fF per cell, in part paid back by the charge of the sampling switch.
    """
    cell = make_baseline_cell(kind)
    n = 8
    level = {}
    for count in (0, 5, n):
        symbols = np.zeros((n, 8), dtype=int)
        symbols[:count, 2] = cell.symbols - 1
        case = BaselineStimulus(symbols=symbols, selected=np.full(n, 2), inputs=np.ones(n, dtype=int))
        level[count] = simulate(baseline_column_deck(open45, cell, LCC, TIMING, NOMINAL, case)).level
    top = cell.levels(1.0)[-1]
    ideal = top * n * LCC.capacitance / (n * LCC.capacitance + LCC.line_capacitance(n))
    span = level[n] - level[0]
    assert 0 < abs(level[0]) < offset * ideal
    assert 0 < abs(span / ideal - 1) < gain
    assert level[5] == pytest.approx(level[0] + span * 5 / n, abs=0.003 * span)


def test_ideal_level_is_the_divider_by_hand(open45: Technology) -> None:
    # 3 of 4 products of 1 V: 3 x 2 fF / (4 x 2 fF + 4 x 0.5 fF + 2 fF) = 6 / 12
    ones = np.ones((4, 8), dtype=int)
    case = BaselineStimulus(symbols=ones, selected=np.zeros(4, dtype=int), inputs=np.array([1, 1, 0, 1]))
    form = shared_level(open45, make_baseline_cell("rom_1t"), LCC, NOMINAL, case)
    assert form.ideal == pytest.approx(0.5, rel=1e-12)
    # A giant unit capacitor drowns every switch: the charge balance becomes the divider.
    giant = replace(LCC, capacitance=2e-10, line_wire=0.5e-10, readout_capacitance=2e-10)
    assert shared_level(open45, make_baseline_cell("rom_1t"), giant, NOMINAL, case).level == pytest.approx(
        0.5, abs=1e-5
    )


@pytest.mark.parametrize("kind", ["rom_1t_mlc", "sram_6t"])
def test_lumped_idle_cells_are_the_same_circuit(kind: str, open45: Technology) -> None:
    cell = make_baseline_cell(kind)
    case = random_case(np.random.default_rng(5), cell, 3, 8)
    lumped, full = (
        simulate(baseline_column_deck(open45, cell, LCC, TIMING, NOMINAL, case, idle=idle))
        for idle in ("lumped", "full")
    )
    assert lumped.level == pytest.approx(full.level, abs=1e-6)
    assert lumped.energy == pytest.approx(full.energy, rel=1e-4, abs=1e-19)


def test_multi_level_line_settles_to_eight_levels_in_the_slow_corner(open45: Technology) -> None:
    cell = make_baseline_cell("rom_1t_mlc", {"states": 8, "top_level": 0.5})
    symbols = np.tile(np.arange(8)[:, None], (1, 8))
    case = BaselineStimulus(symbols=symbols, selected=np.arange(8), inputs=np.ones(8, dtype=int))
    cold = Condition("ss", 1.0, 27.0)
    got = simulate(baseline_column_deck(open45, cell, LCC, TIMING, cold, case))
    # Half a step of 8 levels is 7 % of the top level; the sampling switch takes a part of the 12 mV it injects.
    np.testing.assert_allclose(got.sampled, cell.levels(1.0), atol=0.015)


def test_energies_have_their_cause(open45: Technology) -> None:
    """rom_1t: a precharge supply refills a discharged bit line with C V^2 and gives next to nothing otherwise."""
    cell = make_baseline_cell("rom_1t")
    energy = []
    for symbol in (0, 1):
        symbols = np.zeros((2, 16), dtype=int)
        symbols[:, 0] = symbol
        case = BaselineStimulus(symbols=symbols, selected=np.zeros(2, dtype=int), inputs=np.ones(2, dtype=int))
        got = simulate(baseline_column_deck(open45, cell, LCC, TIMING, NOMINAL, case))
        energy.append({share: value / got.macs for share, value in got.energy.items()})
        assert set(got.energy) == {"word", "precharge", "lcc", "control"}
        assert got.per_mac == pytest.approx(got.total / 2)
    # Bit line: 0.64 fF of wire, junctions and gates of one to some fF.
    assert 0.64e-15 < energy[1]["precharge"] - energy[0]["precharge"] < 5e-15
    # The computing cell charges 2 fF and its own nodes to 1 V only for a product of 1.
    assert 2e-15 < energy[1]["lcc"] - energy[0]["lcc"] < 7e-15
    assert energy[0]["word"] == pytest.approx(energy[1]["word"], rel=0.1)
    # Word line per column: a gate of 0.1 um (0.1 fF), 0.04 fF of wire, 1/64 of a driver of 2.5 um.
    assert 0.14e-15 < energy[0]["word"] < 0.35e-15


def test_thresholds_follow_the_draw(open45: Technology) -> None:
    cell = make_baseline_cell("sram_8t")
    drawn = draw_baseline_deviations(open45.devices, cell, LCC, 2000, np.random.SeedSequence(3))
    again = draw_baseline_deviations(open45.devices, cell, LCC, 2000, np.random.SeedSequence(3))
    assert drawn.cell is not None
    assert drawn.lcc is not None
    np.testing.assert_array_equal(drawn.cell, again.cell)
    # open45: avt 2.4 mV um; a 0.12 um x 0.05 um NMOS: 2.4 / sqrt(2 x 0.006) = 21.9 mV
    assert drawn.cell[:, -1].std() == pytest.approx(21.9e-3, rel=0.06)
    assert drawn.lcc.shape == (2000, len(LCC.devices("discharge")))


def test_a_weak_cell_reads_late(open45: Technology) -> None:
    """A threshold shift of the one cell that stores 1 acts on that cell: it no longer discharges its bit line."""
    cell = make_baseline_cell("rom_1t")
    symbols = np.ones((2, 8), dtype=int)
    shift = np.array([[0.0], [0.9]])
    case = BaselineStimulus(
        symbols=symbols,
        selected=np.zeros(2, dtype=int),
        inputs=np.ones(2, dtype=int),
        deviations=BaselineDeviations(cell=shift),
    )
    got = simulate(baseline_column_deck(open45, cell, LCC, TIMING, NOMINAL, case))
    assert got.sampled[0] > 0.95
    assert got.sampled[1] < 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class WideRom:
    """A user's own kind: a NOR ROM of two parallel transistors."""

    kind: ClassVar[str] = "wide_rom"
    title: ClassVar[str] = "two transistors"
    reading: ClassVar[Literal["discharge", "level"]] = "discharge"
    provenance: ClassVar[Provenance] = Provenance("user", "test")

    length: float = 50e-9
    bl_wire: float = 4e-17
    wl_wire: float = 4e-17

    @property
    def pins(self) -> tuple[str, ...]:
        return ("bl", "wl")

    @property
    def symbols(self) -> int:
        return 2

    @property
    def word_gate_width(self) -> float:
        return 0.2e-6

    @property
    def devices(self) -> tuple[BaselineDevice, ...]:
        return (BaselineDevice("left", "n", 0.1e-6),)

    def levels(self, vdd: float) -> tuple[float, ...]:
        return (0.0, vdd)

    def initial(self, symbol: int, vdd: float) -> Mapping[str, float]:
        return {}

    def area(self, node: float) -> CellArea:
        value = Value(1e-13, "m^2", Provenance("user", "test"))
        return CellArea(value, value, node, 1.0)


WIDE = """* A user's cell
.subckt wide_rom_0 bl wl dvt_left=0
{{ mos("M_left", "open", "wl", "0", "0", "n", 1e-7, shift="dvt_left") }}
.ends
.subckt wide_rom_1 bl wl dvt_left=0
{{ mos("M_left", "bl", "wl", "0", "0", "n", 1e-7, shift="dvt_left") }}
{{ mos("M_right", "bl", "wl", "0", "0", "n", 1e-7) }}
.ends
"""


def test_a_users_own_cell_plugs_in(open45: Technology, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BASELINE_CELLS, "_registered", {})
    BASELINE_CELLS.register(WideRom.kind, WideRom)
    assert tuple(BASELINE_CELLS) == (*KINDS, "wide_rom")
    with pytest.raises(InputError, match="already a local cell kind 'wide_rom'"):
        BASELINE_CELLS.register(WideRom.kind, WideRom)
    cell = make_baseline_cell("wide_rom")
    case = random_case(np.random.default_rng(2), cell, 4, 8)
    (tmp_path / "cells").mkdir()
    template = tmp_path / "cells" / "wide_rom.cir.j2"
    template.write_text(WIDE, encoding="ascii")
    got = simulate(baseline_column_deck(open45, cell, LCC, TIMING, NOMINAL, case, templates=tmp_path))
    form = shared_level(open45, cell, LCC, NOMINAL, case)
    assert got.level == pytest.approx(form.level, abs=0.01 * form.full_scale)


def test_a_template_without_the_pins_is_refused(open45: Technology, tmp_path: Path) -> None:
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / "rom_1t.cir.j2").write_text(".subckt rom_1t_0 wl bl\n.ends\n", encoding="ascii")
    case = random_case(np.random.default_rng(2), make_baseline_cell("rom_1t"), 2, 8)
    with pytest.raises(InputError, match="rom_1t_0 with the pins bl wl"):
        baseline_column_deck(open45, make_baseline_cell("rom_1t"), LCC, TIMING, NOMINAL, case, templates=tmp_path)


def test_a_disturbed_latch_is_seen(open45: Technology) -> None:
    """A pull-down 0.6 V too weak loses against its access transistor: the read flips the cell, and the states show."""
    cell = make_baseline_cell("sram_6t")
    names = [d.name for d in cell.devices]
    shift = np.zeros((2, len(names)))
    shift[1, names.index("down_b")] = 0.6
    case = BaselineStimulus(
        symbols=np.ones((2, 8), dtype=int),
        selected=np.zeros(2, dtype=int),
        inputs=np.ones(2, dtype=int),
        deviations=BaselineDeviations(cell=shift),
    )
    got = simulate(baseline_column_deck(open45, cell, LCC, TIMING, NOMINAL, case))
    np.testing.assert_allclose(got.states, [[1.0, 0.0], [0.0, 1.0]], atol=1e-3)


def test_an_operation_ends_where_it_began(open45: Technology) -> None:
    """Its energies are then those of a cycle: line and unit capacitors are back at 0 V."""
    cell = make_baseline_cell("rom_1t")
    ones = np.ones((4, 8), dtype=int)
    case = BaselineStimulus(symbols=ones, selected=np.zeros(4, dtype=int), inputs=np.ones(4, dtype=int))
    deck = baseline_column_deck(open45, cell, LCC, TIMING, NOMINAL, case)
    result = run(Job(text=deck.text, outputs=deck.outputs, stop=deck.stop))
    assert result.ok
    for name in (deck.target, *deck.caps):
        values = result.signals[name].values
        assert values.max() > 0.5
        assert abs(values[0]) < 1e-3
        assert abs(values[-1]) < 1e-3


def test_settling_of_an_exponential_is_its_logarithm(open45: Technology) -> None:
    """Time constants of 0.1 and 0.05 ns, 1 % of 1 V: 0.1 ns x ln 100 = 0.4605 ns and half of it."""
    ones = np.ones((1, 8), dtype=int)
    case = BaselineStimulus(symbols=ones, selected=np.zeros(1, dtype=int), inputs=np.ones(1, dtype=int))
    deck = baseline_column_deck(open45, make_baseline_cell("rom_1t"), LCC, TIMING, NOMINAL, case)
    time = np.linspace(0, deck.stop, 20001)
    signals = {
        "time": Signal("time", "s", time),
        "v(cap_0)": Signal("v(cap_0)", "V", 1 - np.exp(-np.maximum(time - deck.timing.word_at, 0) / 0.1e-9)),
        "v(line)": Signal("v(line)", "V", 1 - np.exp(-np.maximum(time - deck.timing.share_at, 0) / 0.05e-9)),
    }
    assert settling(deck, signals, 0.01) == pytest.approx((0.4605e-9, 0.2303e-9), rel=5e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_example_decks_run(kind: str) -> None:
    """The decks of docs/examples/netlists, as a reader would run them; benchmarks/baselines.py --decks writes them."""
    path = Path(__file__).parents[2] / "docs" / "examples" / "netlists" / f"{kind}.cir"
    result = run(Job(text=path.read_text(encoding="ascii"), outputs=("v(line)", "i(v_supply_word)")))
    assert result.ok, (result.verdict, result.log)
    # One of two products is 1 (mlc: the top level, 0.45 V): 2 fF of 2 x 2.5 fF + 2 fF, less and more the switches.
    top = 0.45 if kind == "rom_1t_mlc" else 1.0
    level = np.interp(2.0e-9, result.signals["time"].values, result.signals["v(line)"].values)
    assert level == pytest.approx(top * 2 / 7, abs=0.03 * top)
