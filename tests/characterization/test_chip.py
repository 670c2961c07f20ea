"""Random chips: the same seed gives the same bits, global parts are shared, local ones are not, levels scatter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from characterization.models.chip import Ambient, ChipSource, metal_sensitivity
from interconnect.errors import InputError
from interconnect.extraction import extract
from interconnect.scaling import Scaling
from interconnect.variation import scaled
from netlists.case import ColumnStimulus
from netlists.cells import make_cell
from netlists.cells.base import CellModel, Plane
from netlists.column import column_deck
from netlists.condition import Condition
from netlists.devices.draws import global_draw, global_spread
from netlists.periphery import Periphery, Timing
from netlists.reference import reference_column
from netlists.technology import Technology, load_technology


@pytest.fixture(scope="module")
def technology() -> Technology:
    return load_technology("generic28", "open45")


def build(technology: Technology, scaling: Scaling) -> CellModel:
    return make_cell("cap_balanced").model(
        technology.stack, Plane("M2", "M3"), lambda g, s: extract(*scaled(g, s, scaling), method="formula")
    )


@pytest.fixture(scope="module")
def source(technology: Technology) -> ChipSource:
    assert technology.stack.spread is not None
    return ChipSource(
        technology=technology,
        periphery=Periphery(),
        condition=Condition("tt", 1.0, 27.0),
        rows=8,
        columns=3,
        metal=metal_sensitivity(lambda scaling: build(technology, scaling)),
        spread=technology.stack.spread,
        devices=global_spread(technology.devices),
        cell_sigma=0.05,
        ambient=Ambient(vdd_sigma=0.02, temperatures=(0.0, 85.0)),
    )


def case(source: ChipSource, seed: int, sample: int) -> tuple[str, float]:
    chip = source.draw(seed, sample)
    bits = np.zeros((8, 3), dtype=np.uint8)
    bits[:5, 1] = 1
    column = ColumnStimulus(bits=bits, inputs=np.ones(8, dtype=np.uint8), columns_total=8, deviations=chip.deviations)
    deck = column_deck(source.technology, chip.model, source.periphery, Timing(), chip.condition, column)
    ideal = replace(source.periphery, kind="ideal")
    return deck.sha256, reference_column(chip.model, ideal, chip.condition, column).value


def test_a_chip_is_bit_identical_for_its_seed_and_sample(source: ChipSource) -> None:
    decks = [case(source, 7, 3)[0], case(source, 7, 3)[0], case(source, 7, 4)[0], case(source, 8, 3)[0]]
    assert decks[0] == decks[1]
    assert len(set(decks)) == 3
    source.draw(7, 100)  # what else is drawn does not matter
    assert case(source, 7, 3)[0] == decks[0]


def test_global_shifts_are_shared_and_local_ones_are_not(source: ChipSource) -> None:
    chips = [source.draw(1, k) for k in range(400)]
    shared = np.array([global_draw(source.devices, 1, k).vth_n for k in range(400)])
    reset = np.array([c.deviations.reset for c in chips])
    pull_down = np.array([c.deviations.driver_nmos for c in chips])
    local = reset - shared[:, None]
    kit, p = source.technology.devices, source.periphery
    # Pelgrom: A_vt / sqrt(2 W L) of one transistor; 1200 draws know a sigma to 2 %
    assert np.std(local) == pytest.approx(kit.avt_n / np.sqrt(2 * p.reset_width * p.length), rel=0.08)
    assert abs(np.corrcoef(local[:, 0], local[:, 1])[0, 1]) < 0.15
    # large drivers hardly mismatch: what they show is the chip
    assert np.corrcoef(pull_down.mean(axis=1), shared)[0, 1] > 0.9
    cell = np.array([c.deviations.cell for c in chips])
    assert cell.shape == (400, 8, 3)
    assert np.std(cell) == pytest.approx(0.05, rel=0.05)
    assert np.mean(cell) == pytest.approx(1.0, abs=0.003)


def test_metal_moves_the_chip_as_a_new_extraction_does(source: ChipSource) -> None:
    scaling = Scaling(width=1.02, thickness=0.95, ild=1.04, k=1.01)
    factors = {name: getattr(scaling, name) for name in ("width", "thickness", "ild", "k")}
    exact, moved = build(source.technology, scaling), source.metal.model(factors)
    for element in moved.variants[1].elements:
        if element.is_capacitor and exact.value(element.name) > 0.02 * exact.bl_total:
            assert element.value == pytest.approx(exact.value(element.name), rel=0.01), element.name
    # R ~ 1 / (width thickness)
    assert source.metal.factor("R_bl", factors) == pytest.approx(1 / (1.02 * 0.95), rel=2e-3)


def test_spread_of_the_shared_parts(source: ChipSource) -> None:
    chips = [source.draw(2, k) for k in range(500)]
    k = np.log([c.metal["k"] for c in chips])
    assert np.std(k) == pytest.approx(source.spread.k, rel=0.1)
    vdd = np.array([c.condition.vdd for c in chips])
    assert np.std(vdd) == pytest.approx(0.02, rel=0.1)
    warm = np.array([c.condition.temperature for c in chips])
    assert (warm.min() >= 0.0) & (warm.max() <= 85.0)
    assert np.mean(warm) == pytest.approx(42.5, abs=3.0)
    # independent sources stay independent
    assert abs(np.corrcoef(k, vdd)[0, 1]) < 0.15


def test_levels_scatter_with_supply_and_metal(source: ChipSource) -> None:
    levels = np.array([case(source, 3, k)[1] for k in range(30)])
    assert 0.01 < np.std(levels) / np.mean(levels) < 0.1


def test_nothing_varies_without_spread(source: ChipSource) -> None:
    still = replace(
        source,
        spread=replace(source.spread, width=0.0, thickness=0.0, ild=0.0, k=0.0),
        cell_sigma=0.0,
        ambient=Ambient(),
    )
    chip = still.draw(1, 1)
    assert chip.model == still.metal.nominal
    assert chip.condition == still.condition
    assert (np.asarray(chip.deviations.cell) == 1.0).all()
    assert (chip.deviations.row_wire, chip.deviations.bl_wire) == (1.0, 1.0)


def test_impossible_draws_are_refused(source: ChipSource) -> None:
    with pytest.raises(InputError, match="negative"):
        source.draw(1, -1)
    with pytest.raises(InputError, match="sigma"):
        replace(source, cell_sigma=-0.1)
    with pytest.raises(InputError, match="supply"):
        replace(source, ambient=Ambient(vdd_sigma=1.0))
