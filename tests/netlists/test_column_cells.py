"""Column decks of all charge cells in ngspice: exact with ideal periphery, close with transistors; users' cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pytest

from interconnect.errors import InputError
from interconnect.geometry import CellGeometry
from interconnect.stack import Stack
from interconnect.stackfile import load_stack
from netlists import cells
from netlists.cells import make_cell, register_cell
from netlists.cells.base import BitLine, CellModel, Element, Extract, Plane, RowLine, Variant
from netlists.column import ColumnDeck, ColumnStimulus, Deviations, Periphery, Timing, column_deck
from netlists.condition import Condition
from netlists.parameters import parameter
from netlists.reference import closed_form_level, reference_column
from netlists.technology import Technology
from ngspice_runner import Job, Result, run

NOMINAL = Condition("tt", 0.9, 27.0)


def simulate(deck: ColumnDeck) -> Result:
    result = run(Job(text=deck.text, outputs=deck.outputs, stop=deck.stop))
    assert result.ok, (result.verdict, result.log)
    assert "warning" not in result.log.lower(), result.log
    return result


def levels(deck: ColumnDeck, result: Result) -> np.ndarray:
    """Levels of all modelled columns over time, shape (columns, points)."""
    return deck.levels({name: signal.values for name, signal in result.signals.items()})


def random_case(rng: np.random.Generator, model: CellModel, most_rows: int = 24) -> ColumnStimulus:
    rows = int(rng.integers(1, most_rows + 1))
    return ColumnStimulus(
        bits=rng.integers(0, model.symbols, (rows, 3)),
        inputs=np.append(1, rng.integers(0, 2, rows - 1)),
        symbol_values=model.symbol_values,
        position=int(rng.integers(0, 60)),
        columns_total=int(rng.integers(63, 200)),
        shares=tuple(rng.dirichlet(np.ones(model.symbols))),
        deviations=Deviations(
            cell=np.exp(0.05 * rng.standard_normal((rows, 3))), row_wire=float(rng.uniform(0.5, 2)), bl_wire=1.5
        ),
    )


@pytest.mark.parametrize(
    ("which", "most_rows"),
    [("cap_present", 24), ("cap_select3", 16), ("cap_select8", 3), ("cap_ternary", 24), ("cap_tie", 24)],
)
def test_ideal_deck_is_exact_on_10_random_patterns(
    which: str, most_rows: int, technology: Technology, charge_models: dict[str, CellModel]
) -> None:
    model, rng, ideal = charge_models[which], np.random.default_rng(20), Periphery(kind="ideal")
    for number in range(10):
        case, extra = random_case(rng, model, most_rows), number % 3 * 5
        deck = column_deck(technology, model, ideal, Timing(), NOMINAL, case, extra_rows=extra)
        exact = reference_column(model, ideal, NOMINAL, case, extra_rows=extra)
        assert exact.residual < 1e-9
        assert exact.columns == pytest.approx(np.array([x.sign for x in model.bit_lines]) @ exact.lines)
        found = levels(deck, simulate(deck))[:, -1]
        np.testing.assert_allclose(found, exact.columns, rtol=0, atol=1e-6 * NOMINAL.vdd)


@pytest.mark.parametrize("which", ["cap_present", "cap_select4", "cap_ternary", "cap_tie"])
def test_closed_form_is_the_network_of_a_column_alone(which: str, charge_models: dict[str, CellModel]) -> None:
    model, rng = charge_models[which], np.random.default_rng(3)
    for extra in (0, 7):
        case = replace(random_case(rng, model), position=0, columns_total=None, deviations=Deviations())
        alone = replace(case, bits=case.bits[:, :1])
        exact = reference_column(model, Periphery(kind="ideal"), NOMINAL, alone, extra_rows=extra)
        assert exact.value == pytest.approx(exact.closed_form, rel=1e-9)


@pytest.fixture(scope="module")
def switch_capacitance(technology: Technology, charge_models: dict[str, CellModel]) -> float:
    """What the reset transistor adds to a bit line (F), from a column of the balanced cell."""
    model = charge_models["cap_balanced"]
    case = ColumnStimulus(bits=np.ones((32, 1)), inputs=np.ones(32))
    moved = settled(technology, model, case)[0]
    wanted = closed_form_level(model, Periphery(), NOMINAL, case)
    total = 32 * model.bl_total + Periphery().sense_capacitance
    return total * (wanted / moved - 1.0)


def settled(technology: Technology, model: CellModel, case: ColumnStimulus) -> tuple[float, float]:
    """(level gained since just before the input edge, level there) of the target column with transistors, V."""
    deck = column_deck(technology, model, Periphery(), Timing(read_after=2e-9), NOMINAL, case)
    result = simulate(deck)
    assert deck.input_at is not None
    line = levels(deck, result)[case.target]
    before = float(np.interp(deck.input_at, result.signals["time"].values, line))
    return float(line[-1]) - before, before


@pytest.mark.parametrize("which", ["cap_present", "cap_select2", "cap_select4", "cap_ternary", "cap_tie"])
def test_transistor_deck_settles_at_the_closed_form(
    which: str, technology: Technology, charge_models: dict[str, CellModel], switch_capacitance: float
) -> None:
    """48 rows, every other one driven. The reset switch's charge injection is in the level before the edge; what it
    adds to the load is known from another column."""
    assert 0.2e-15 < switch_capacitance < 0.4e-15  # junction and overlap of 0.12 um
    model, rng = charge_models[which], np.random.default_rng(8)
    symbols = rng.permutation(np.arange(48) % (model.symbols + 1)).clip(max=model.symbols - 1)
    if min(model.symbol_values) < 0:
        symbols = np.where(rng.random(48) < 0.7, 1, symbols)
    case = ColumnStimulus(bits=symbols[:, None], inputs=np.arange(48) % 2, symbol_values=model.symbol_values)
    gained, before = settled(technology, model, case)
    loaded = Periphery(sense_capacitance=Periphery().sense_capacitance + switch_capacitance)
    assert gained == pytest.approx(closed_form_level(model, loaded, NOMINAL, case), rel=0.01)
    if which == "cap_ternary":
        assert abs(before) < 5e-3  # injection is common to both lines, but for their difference in load
    else:
        assert -50e-3 < before < -5e-3  # tens of mV of charge injection


def test_level_lines_reach_their_share_of_the_drive(
    technology: Technology, charge_models: dict[str, CellModel]
) -> None:
    model = charge_models["cap_select4"]
    case = ColumnStimulus(bits=[[3, 2, 1]], inputs=[1], symbol_values=model.symbol_values)
    deck = column_deck(technology, model, Periphery(), Timing(read_after=1e-9), NOMINAL, case)
    nodes = ("v(s0_3)", "v(t0_3)", "v(u0_3)", "v(g0_3)")
    text = deck.text.replace(".save ", ".save " + " ".join(nodes) + " ", 1)
    result = run(Job(text=text, outputs=(*nodes, *deck.outputs), stop=deck.stop))
    assert [result.signals[n].values[-1] for n in nodes] == pytest.approx([0.9, 0.6, 0.3, 0.0], abs=1e-3)
    assert deck.level_supplies == (("i(v_level_t)", pytest.approx(0.6)), ("i(v_level_u)", pytest.approx(0.3)))


def test_differential_decks_name_both_lines(technology: Technology, charge_models: dict[str, CellModel]) -> None:
    model = charge_models["cap_ternary"]
    shift = np.array([[0.0, 0.01, 0.0], [0.0, 0.0, 0.02]])
    case = ColumnStimulus(
        bits=np.ones((2, 3)), inputs=[1, 1], symbol_values=model.symbol_values, deviations=Deviations(reset=shift)
    )
    deck = column_deck(technology, model, Periphery(), Timing(), NOMINAL, case)
    assert (deck.target, deck.target_minus) == ("v(blp_1)", "v(bln_1)")
    assert deck.columns_minus == ("v(bln_0)", "v(bln_1)", "v(bln_2)")
    assert "X_reset_p_1 blp_1 reset 0 reset_switch dvt=1.0e-02" in deck.text
    assert "X_reset_n_2 bln_2 reset 0 reset_switch dvt=2.0e-02" in deck.text
    single = column_deck(
        technology,
        charge_models["cap_balanced"],
        Periphery(),
        Timing(),
        NOMINAL,
        ColumnStimulus(bits=[[1]], inputs=[1]),
    )
    assert (single.target_minus, single.columns_minus, single.level_supplies) == (None, (), ())


def test_a_case_of_another_cell_is_refused(technology: Technology, charge_models: dict[str, CellModel]) -> None:
    case = ColumnStimulus(bits=[[1]], inputs=[1])
    with pytest.raises(InputError, match=r"symbol_values=model\.symbol_values"):
        column_deck(technology, charge_models["cap_ternary"], Periphery(), Timing(), NOMINAL, case)
    shifted = replace(case, deviations=Deviations(reset=np.zeros((2, 1))))
    with pytest.raises(InputError, match=r"deviations\.reset"):
        column_deck(technology, charge_models["cap_balanced"], Periphery(), Timing(), NOMINAL, shifted)


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoDrives:
    """A user's cell: a capacitor from the bit line to one of two driven lines, to half or to the full row voltage."""

    kind: ClassVar[str] = "two_drives"
    mode: ClassVar[Literal["charge", "current"]] = "charge"
    title: ClassVar[str] = "a capacitor to one of two lines"
    measurable: ClassVar[bool] = False
    symbol_values: ClassVar[tuple[int, ...]] = (1, 2)

    coupling: float = parameter(20e-18, "F", "capacitor between bit line and the chosen line")

    def geometry(self, stack: Stack, plane: Plane, program: Sequence[int]) -> CellGeometry:
        raise InputError("this cell is not drawn")

    def model(self, stack: Stack, plane: Plane, extract: Extract) -> CellModel:
        parts = (
            Element("C_x", "plate", "col_in", self.coupling, "the cell", varies=True),
            Element("C_col", "col_in", "0", 15e-18, "column line to ground"),
            Element("R_hi", "hi_in", "hi_out", 2.0, "full line"),
            Element("R_lo", "lo_in", "lo_out", 2.0, "half line"),
            Element("R_col", "col_in", "col_out", 1.0, "column line"),
        )
        return CellModel(
            kind=self.kind,
            mode="charge",
            plane=plane,
            pins=("hi_in", "hi_out", "lo_in", "lo_out", "col_in", "col_out", "plate"),
            variants=tuple(Variant("two_drives", parts, {"plate": f"{line}_out"}) for line in ("lo", "hi")),
            pitch=(1e-7, 1e-7),
            area=1e-14,
            reference_temperature=27.0,
            relative_error=0.0,
            fit_residual=0.0,
            method="formula",
            lines=(RowLine("hi", "h", 1.0), RowLine("lo", "l", 0.5)),
            bit_lines=(BitLine("col", "c"),),
            symbol_values=(1, 2),
        )


TEMPLATE = """\
* a user's cell
.subckt two_drives hi_in hi_out lo_in lo_out col_in col_out plate k=1
C_x plate col_in { {{ model.value("C_x") | num }} * k }
C_col col_in 0 {{ model.value("C_col") | num }}
R_hi hi_in hi_out {{ model.value("R_hi") | num }}
R_lo lo_in lo_out {{ model.value("R_lo") | num }}
R_col col_in col_out {{ model.value("R_col") | num }}
.ends two_drives
"""


@pytest.fixture
def user_kind() -> Iterator[str]:
    register_cell(TwoDrives)
    yield TwoDrives.kind
    cells.CELLS.unregister(TwoDrives.kind)


@pytest.mark.parametrize("periphery", ["ideal", "transistor"])
def test_a_users_cell_plugs_in_with_its_own_template(
    user_kind: str, periphery: Literal["ideal", "transistor"], technology: Technology, tmp_path: Path
) -> None:
    (tmp_path / "cells").mkdir()
    (tmp_path / "cells" / f"{user_kind}.cir.j2").write_text(TEMPLATE)
    stack = load_stack("generic28")
    model = make_cell(user_kind, {"coupling": 30e-18}).model(stack, Plane("M2", "M3"), lambda g, s: None)  # type: ignore[arg-type,return-value]
    rng = np.random.default_rng(2)
    case = ColumnStimulus(
        bits=rng.integers(0, 2, (12, 3)), inputs=rng.integers(0, 2, 12), symbol_values=model.symbol_values, position=2
    )
    around = Periphery(kind=periphery)
    deck = column_deck(technology, model, around, Timing(read_after=1e-9), NOMINAL, case, templates=tmp_path)
    assert "* a user's cell" in deck.text
    assert "h<row>_<n> signal line, l<row>_<n> line at 0.5 of the drive, c<row>_<column> bit line" in deck.text
    found = levels(deck, simulate(deck))
    exact = reference_column(model, Periphery(kind="ideal"), NOMINAL, case)
    if periphery == "ideal":
        np.testing.assert_allclose(found[:, -1], exact.columns, rtol=1e-6)
        assert exact.closed_form == pytest.approx(exact.value, rel=1e-9)  # nothing couples to its neighbours
    else:
        time = found.shape[1]
        assert time > 10
        assert found[1, -1] - found[1].min() == pytest.approx(exact.value, rel=0.4)


def test_a_kind_cannot_be_registered_twice(user_kind: str) -> None:
    with pytest.raises(InputError, match="already"):
        register_cell(TwoDrives)
