"""The readout table as a dataset: accessor, files, planes; margins, tails and intervals against closed forms."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray

from characterization.margins import combined_interval, sigma_interval
from characterization.tables.formats import read_table, write_table
from characterization.tables.table import AdcModel, Assumption
from interconnect.errors import InputError, UnknownName
from netlists.condition import Condition
from tests.builders import TT, make_readout_table

HOT = Condition("tt", 1.0, 85.0, "Cmax")
ROWS, LSB = 6, 10e-3


def straight_table(sigma_counts=0.1, *, codes=ROWS + 1, levels=2, offset=None, plane=None):
    """Levels on a line of 10 mV per count, one static spread; offset: {(active, count): counts} at TT."""
    top = ROWS * (levels - 1)
    count = np.arange(top + 1.0)
    level = np.tile(LSB * count, (2, ROWS + 1, 1))
    for (active, c), shift in (offset or {}).items():
        level[0, active, c] += shift * LSB
    return make_readout_table(
        ROWS, (TT, HOT), level=level, sigma_static=sigma_counts * LSB, row_energy=1e-15, read_time=2e-9,
        adc=AdcModel(codes, 0.0, 0.0), assumptions=(Assumption("offset", "none", "assumption", "test"),),
        provenance={"seed": "1"}, levels=levels, plane=plane)  # fmt: skip


def test_a_dataset_read_from_a_file_answers_through_its_accessor(tmp_path):
    table = straight_table(offset={(4, 2): 0.8})
    write_table(table, "netcdf", tmp_path)
    with xarray.open_dataset(tmp_path / "readout.nc", engine="h5netcdf") as dataset:
        margins = dataset.readout.margins("tt_1.00V_27C")
        assert margins[4, 2] == pytest.approx(-3.0)  # (0.5 - 0.8) / 0.1
        assert dataset.readout.worst_margin().count == 2
        np.testing.assert_array_equal(dataset["margin"][0], margins)
        np.testing.assert_array_equal(dataset["code_error_probability"][0], table.code_errors(TT))


@pytest.mark.parametrize("levels", [2, 4])
@pytest.mark.parametrize("plane", [None, "M4-M5"])
def test_every_format_gives_the_same_dataset_back(tmp_path, levels, plane):
    table = straight_table(levels=levels, codes=5, plane=plane)
    for name in ("netcdf", "csv", "json"):
        write_table(table, name, tmp_path)
        assert read_table(name, tmp_path).dataset.identical(table.dataset), name


def test_selected_conditions_and_planes_are_tables_and_incomplete_ones_are_refused():
    table = straight_table(plane="M4-M5")
    one = table.dataset.sel(condition=[HOT.label]).readout
    assert (one.conditions, one.plane, one.worst_margin().plane) == ((HOT,), "M4-M5", "M4-M5")
    both = xarray.concat([straight_table(plane=p).dataset for p in ("M2-M3", "M4-M5")], "plane")
    with pytest.raises(InputError, match="several planes"):
        _ = both.readout
    assert both.isel(plane=0).readout.plane == "M2-M3"
    for broken in (table.dataset.isel(active=slice(3)), table.dataset.drop_vars("level"), xarray.Dataset()):
        with pytest.raises(InputError, match="readout table"):
            _ = broken.readout
    with pytest.raises(UnknownName, match="was not characterized"):
        table.margins("ff_1.00V_27C")


def test_fields_are_replaced_in_a_copy():
    table = straight_table()
    other = table.with_adc(codes=4).replace(read_time=1e-9)
    assert (other.adc.codes, other.read_time, table.adc.codes, table.read_time) == (4, 1e-9, ROWS + 1, 2e-9)
    np.testing.assert_array_equal(other.level, table.level)


def test_tails_are_exact_and_end_codes_have_one():
    table = straight_table(0.05, codes=5)
    error, margin = table.code_errors(TT), table.margins(TT)
    q10 = 7.619853024160527e-24  # Q(10), tables of the normal distribution
    assert error[6, 2] == pytest.approx(2 * q10, rel=1e-12)
    assert error[6, 0] == pytest.approx(q10, rel=1e-12)  # nothing below the first code
    assert error[6, 4] == pytest.approx(q10, rel=1e-12)  # nothing above the last code
    assert (error[6, 5], margin[6, 5]) == (1.0, -np.inf)  # a count without a code
    np.testing.assert_array_equal(np.isnan(error), ~table.valid)
    far = straight_table(0.05, offset={(5, 3): 4.0}).code_errors(TT)
    assert far[5, 3] == 1.0
    assert float(np.nanmax(far)) <= 1.0


def test_without_spread_the_side_decides_and_a_tie_is_read_as_the_code_below():
    table = straight_table(0.0, offset={(5, 2): -0.5, (5, 3): 0.5, (4, 1): 0.6})
    level, edges = table.level[0], table.thresholds(TT)
    read = np.array([np.searchsorted(edges[a], level[a], side="left") for a in range(ROWS + 1)])
    expected = np.where(table.valid, read != np.arange(ROWS + 1), np.nan)
    np.testing.assert_array_equal(table.code_errors(TT), expected)
    assert table.margins(TT)[4, 1] == -np.inf


def test_the_worst_level_is_sought_over_all_active_rows_and_conditions():
    table = straight_table(offset={(3, 1): 0.3, (6, 2): 0.25})
    worst = table.worst_margin()
    assert (worst.condition, worst.active, worst.count) == ("tt_1.00V_27C", 3, 1)
    assert worst.margin == pytest.approx(2.0)  # (0.5 - 0.3) / 0.1
    assert table.worst_margin(HOT).margin == pytest.approx(5.0)
    listed = table.margins_by_count()
    assert min(m.margin_sigma for m in listed) == worst.margin
    assert len(listed) == 2 * (ROWS + 1)


def test_mean_code_error_weighs_by_the_histogram():
    table = straight_table(0.25)
    q2 = 0.02275013194817921  # Q(2)
    assert table.mean_code_error(TT) == pytest.approx((2 * q2 * 5 + q2 * 2) / 7, rel=1e-12)
    used = np.zeros((ROWS + 1, ROWS + 1))
    used[3, 1], used[3, 0] = 3, 1
    assert table.mean_code_error(TT, used) == pytest.approx((3 * 2 * q2 + q2) / 4, rel=1e-12)
    for bad in (np.zeros_like(used), used[:2]):
        with pytest.raises(InputError, match="histogram"):
            table.mean_code_error(TT, bad)


def test_interval_of_sigma_is_the_chi_square_one_and_covers_as_it_says():
    # n = 30: sqrt(29 / 45.722), sqrt(29 / 16.047), chi-square tables at 29 degrees of freedom
    assert sigma_interval(30) == pytest.approx((0.79641, 1.34431), rel=1e-4)
    draws = np.random.default_rng(1).standard_normal((20_000, 12)).std(axis=1, ddof=1)
    low, high = sigma_interval(12)
    assert np.mean((draws * low <= 1.0) & (draws * high >= 1.0)) == pytest.approx(0.95, abs=0.006)
    with pytest.raises(InputError, match="at least 2"):
        sigma_interval(1)


def test_causes_add_as_squares_in_the_logarithm():
    assert combined_interval(1e-4, [(1e-5, 1e-3), (1e-4, 1e-4)]) == pytest.approx((1e-5, 1e-3))
    decades = np.hypot(1.0, 1.0)
    assert combined_interval(1e-6, [(1e-7, 1e-5)] * 2) == pytest.approx((10 ** (-6 - decades), 10 ** (-6 + decades)))
    assert combined_interval(0.0, [(0.0, 1e-9), (0.0, 0.0)]) == (0.0, 1e-9)
    assert combined_interval(0.9, [(0.5, 1.0)] * 3)[1] == 1.0


@pytest.mark.parametrize("module", ["characterization", "metalrom", "metalrom.cli.main"])
def test_xarray_is_not_imported_at_the_start(module):
    root = Path(__file__).resolve().parents[2]
    program = f"import sys; sys.path.insert(0, {str(root)!r}); import {module}; sys.exit('xarray' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
