"""Cells A, D and E through bench, fit and table: against the charge balance, the exact network and ngspice."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from characterization.column_line import ColumnLines, stored_numbers
from characterization.column_testbench import draw_pattern, stimulus_of
from characterization.procedures import PROCEDURES, with_requirements
from characterization.procedures.mismatch import moved
from characterization.symbols import CountLaw, symbol_levels
from characterization.tables.formats import FORMATS
from characterization.testbench import Testbench
from interconnect.errors import InputError
from metalrom.api import Project, load
from metalrom.run.characterize import CharacterizationRun, histogram, measure_group
from metalrom.run.evaluate import macro_of
from netlists.column import column_deck
from netlists.reference import reference_column
from ngspice_runner import Cache, Job, run
from tests.builders import write_config

KINDS = ("cap_present", "cap_select", "cap_ternary")
ROWS = 4
pytestmark = pytest.mark.usefixtures("quick_extraction")  # tables are compared with networks of the same values


def project(kind: str, folder: Path) -> Project:
    path = write_config(
        folder / f"{kind}.yaml",
        name="kinds",
        cell={"kind": kind},
        inputs={"bits": 4, "vectors": 8},
        readout={"double_sampling": True},
        conditions={"corners": ["tt"]},
    )
    return load(path)


@pytest.fixture(scope="module", params=KINDS)
def measured(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Project, CharacterizationRun]:
    folder = tmp_path_factory.mktemp(request.param)
    p = project(request.param, folder)
    setup = p.setup(ROWS)
    ideal = replace(setup.periphery, kind="ideal")  # then the exact network is the truth
    setup = replace(setup, periphery=ideal, samples=10, patterns=2, max_levels=5)
    with Cache(folder / "cache") as cache:
        return p, measure_group(setup, with_requirements(("adc_margin",)), cache, jobs=1)


@pytest.fixture(params=KINDS)
def setup(request: pytest.FixtureRequest, tmp_path: Path) -> Testbench:
    return project(request.param, tmp_path).setup(ROWS)


def test_the_law_of_counts_is_that_of_all_columns() -> None:
    law = CountLaw(3, symbol_levels((0, 1, -1)), (0.5, 0.3, 0.2))
    seen: dict[int, list[tuple[float, np.ndarray]]] = {}
    for symbols in product(range(3), repeat=3):  # every column of three driven cells, with its probability
        p = float(np.prod([law.shares[s] for s in symbols]))
        seen.setdefault(sum(law.levels[s] for s in symbols), []).append((p, np.bincount(symbols, minlength=3)))
    for count, cases in seen.items():
        mean = sum(p * n for p, n in cases) / sum(p for p, _ in cases)
        assert law.driven[3, count] == pytest.approx(mean)
        rng = np.random.default_rng(count)
        drawn_ = np.array([np.bincount(law.draw(3, count, rng), minlength=3) for _ in range(400)])
        assert (drawn_ @ np.array(law.levels) == count).all()
        assert drawn_.mean(axis=0) == pytest.approx(mean, abs=0.2)  # 5 standard errors of 400 draws
        assert sum(law.levels[s] for s in law.greedy(3, count)) == count
    with pytest.raises(InputError, match="not consecutive"):
        symbol_levels((0, 2))


def test_patterns_show_the_count_that_was_asked_for(setup: Testbench) -> None:
    for name in ("near", "far", "random0"):
        for active, count in ((0, 0), (2, 1), (ROWS, setup.max_count), (ROWS, 2)):
            case = stimulus_of(setup, draw_pattern(setup, name, active, count))
            assert (case.active, case.count) == (active, count + min(setup.model.symbol_values) * active)


def test_the_column_line_is_the_charge_balance(setup: Testbench) -> None:
    condition = setup.conditions[0]
    for index in range(5):
        case = stimulus_of(setup, draw_pattern(setup, "random0", ROWS - index % 2, index % setup.levels, index))
        lines = ColumnLines(setup, condition)
        levels = lines.driven_levels(stored_numbers(case))
        symbols = case.bits[:, 1][case.inputs > 0]
        # Independent: netlists.cells.closed_form, solved for this column and these inputs.
        exact = reference_column(setup.model, setup.periphery, condition, case).closed_form
        assert levels[symbols].sum() == pytest.approx(exact, rel=1e-9, abs=1e-12)
        if setup.levels == 2:  # two symbols: the line goes through both
            offset, gain = lines.lines(stored_numbers(case))
            assert (case.active * offset + case.count * gain) == pytest.approx(exact, rel=1e-6)


def test_referring_a_column_to_the_mean_one_leaves_the_mean_one_alone(setup: Testbench) -> None:
    lines = ColumnLines(setup, setup.conditions[0])
    mean = ROWS * np.asarray(setup.symbol_shares)
    level, active = np.array([0.05, 0.1]), np.array([2.0, 4.0])
    assert lines.referred(level, active, np.stack([mean, mean])) == pytest.approx(level)
    factor = lines.noise_factor()
    assert np.isfinite(factor[ROWS]).all()
    assert (factor[ROWS] == pytest.approx(1.0)) == setup.balanced


def test_ngspice_settles_where_the_network_says(setup: Testbench) -> None:
    condition = setup.conditions[0]
    ideal = replace(setup.periphery, kind="ideal")
    case = stimulus_of(setup, draw_pattern(setup, "random0", ROWS - 1, setup.max_count // 2))
    deck = column_deck(setup.technology, setup.model, ideal, setup.timing, condition, case)
    result = run(Job(deck.text, deck.outputs, stop=deck.stop))
    assert result.ok, result.log
    signals = {name: np.real(result.signals[name].values) for name in (*deck.columns, *deck.columns_minus)}
    exact = reference_column(setup.model, ideal, condition, case).columns
    assert deck.levels(signals)[:, -1] == pytest.approx(exact, abs=2e-6)  # 1 uV: what one step is good for


def test_the_table_holds_for_columns_that_it_has_not_seen(measured: tuple[Project, CharacterizationRun]) -> None:
    _, done = measured
    setup, table, condition = done.setup, done.table, done.setup.conditions[0]
    lsb = table.lsb(condition)
    for line in done.transfer.lines:  # nothing but metal and the readout's input loads these bit lines
        assert line.extra < 0.02 * ROWS * setup.model.bl_total
    off = []
    for index, (active, count) in enumerate(np.argwhere(table.valid)[3::3]):
        case = stimulus_of(setup, draw_pattern(setup, "random0", int(active), int(count), 50 + index))
        seen = np.array([reference_column(setup.model, setup.periphery, condition, case).value])
        for line in done.transfer.lines:
            seen = line.referred(seen, np.array([active]), stored_numbers(case)[None])
        sigma = np.hypot(table.sigma_pattern[0, active, count], 0.01 * lsb)  # 0.01 LSB: the quadratic's own error
        off.append(float((seen[0] - table.level[0, active, count]) / sigma))
    assert np.abs(off).max() < 4.0
    assert np.sqrt(np.mean(np.square(off))) < 1.5


def test_thresholds_lie_between_the_levels(measured: tuple[Project, CharacterizationRun]) -> None:
    _, done = measured
    table = done.table
    assert table.levels == len(done.setup.model.symbol_values)
    assert table.level.shape == (1, ROWS + 1, table.max_count + 1)
    assert (np.diff(table.level[0, ROWS]) > 0).all()
    assert table.adc.codes == table.max_count + 1
    told = [a.name for a in table.assumptions]
    assert ("thresholds follow the column" in told) == (not done.setup.balanced)


@pytest.mark.parametrize("name", ["json", "csv", "netcdf"])
def test_written_tables_read_back(name: str, measured: tuple[Project, CharacterizationRun], tmp_path: Path) -> None:
    table = measured[1].table
    FORMATS[name].write(table, tmp_path)
    again = FORMATS[name].read(tmp_path)
    assert again.levels == table.levels
    assert np.array_equal(again.level, table.level, equal_nan=True)
    assert np.array_equal(again.code_errors("tt_1.00V_27C"), table.code_errors("tt_1.00V_27C"), equal_nan=True)


def test_a_table_without_spreads_gives_the_exact_product(measured: tuple[Project, CharacterizationRun]) -> None:
    p, done = measured
    t = done.table
    quiet = {name: np.where(t.valid, 0.0, np.nan)[None] for name in ("sigma_static", "sigma_noise", "sigma_pattern")}
    table = t.replace(**quiet, adc=replace(t.adc, offset_sigma=0.0, noise_sigma=0.0))
    x, w = p.activations.values, p.weights.values.astype(np.int64)
    assert np.array_equal(macro_of(p, table, "tt_1.00V_27C").matmul(x, w), x @ w)
    used = histogram(p, ROWS)
    assert used.shape == t.valid.shape
    assert not used[~t.valid].any()


def test_mismatch_grows_with_what_counts(setup: Testbench) -> None:
    active, count = np.array([float(ROWS)]), np.array([float(setup.max_count)])
    assert moved(setup, active, count) == pytest.approx([ROWS])  # every cell at its largest
    if setup.levels == 4:  # all cells of symbol 1: a ninth each; more often one of 2 or 3 among them
        assert moved(setup, active, np.array([1.0])) == pytest.approx([1 / 9])


def test_what_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    select = project("cap_select", tmp_path).setup(ROWS)
    for name in ("leakage", "supply", "worst_pattern", "readout_current"):
        with pytest.raises(InputError, match=f"the procedure {name} cannot measure the cell cap_select"):
            PROCEDURES[name].check(select)
    ternary = project("cap_ternary", tmp_path).setup(ROWS)
    PROCEDURES["leakage"].check(ternary)
    with pytest.raises(InputError, match="worst_pattern"):
        PROCEDURES["worst_pattern"].check(project("cap_present", tmp_path).setup(ROWS))


def test_columns_that_are_not_followed_have_a_static_error(measured: tuple[Project, CharacterizationRun]) -> None:
    _, done = measured
    setup, followed = done.setup, done.table
    plain = replace(setup, converter=replace(setup.converter, follows_columns=False))
    table = PROCEDURES["adc_margin"].analyse(plain, done.data, done.results).table
    assert np.array_equal(table.level, followed.level, equal_nan=True)
    grown = np.sqrt(table.sigma_static**2 - followed.sigma_static**2)[0][table.valid]
    if setup.balanced:
        assert not grown.any()
        return
    # Independent: the largest count in columns as they are drawn, each solved by its own charge balance.
    line = done.transfer.lines[0]
    stored = np.random.default_rng(5).multinomial(ROWS, setup.symbol_shares, size=3000).astype(float)
    offset, gain = line.lines(stored)
    spread = float((ROWS * offset + table.max_count * gain).std())
    assert grown[-1] == pytest.approx(spread, rel=0.1)  # 4000 against 3000 draws: 2 % each
    assert np.nanmax(table.code_errors("tt_1.00V_27C")) > np.nanmax(followed.code_errors("tt_1.00V_27C"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_run(kind: str, tmp_path: Path) -> None:
    from metalrom.cli.finished_run import export_run
    from metalrom.exporters.run_data import load_source
    from metalrom.pipeline import run_pipeline as run_all

    p = project(kind, tmp_path)
    found = run_all(p, tmp_path / "out", jobs=1)
    source = load_source(tmp_path / "out")
    assert source.table.levels == found.macro_geometry.levels == len(p.program.symbol_values)
    assert source.results.macro_geometry == found.macro_geometry
    x, w = source.layer.activations, source.layer.weights
    np.testing.assert_array_equal(source.program.bits, p.program.bits)
    assert source.program.encoding == p.program.encoding
    tile = (tmp_path / "out" / "figures" / "tile.svg").read_text()
    assert {int(s) for s in re.findall(r'data-symbol="(\d)"', tile)} == set(range(len(p.program.symbol_values)))
    quiet = source.macro(effects=())
    assert np.array_equal(quiet.matmul(x, w), x @ w)
    assert found.quality[0].csnr_raw is None or found.quality[0].csnr_raw > 10
    if found.macro_geometry.levels > 2:
        with pytest.raises(InputError, match="cells of two levels"):
            export_run(tmp_path / "out", "veriloga", tmp_path / "va", check=False)
