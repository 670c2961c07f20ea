"""One dataset for the tables of all planes: read back by xarray alone, thresholds and code errors by the normal law."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray
from scipy.stats import norm

from characterization.tables.netcdf import PLANES_FILE, read_plane_tables, write_plane_tables
from characterization.tables.planes import PlaneClass, PlaneTables
from interconnect.errors import InputError, UnknownName
from tests.builders import TT, make_readout_table

STEP, SIGMA, ROWS = 20e-3, 4e-3, 4
PLANES = ("M2-M3", "M4-M5", "M6-M7")
LOW, TOP = PlaneClass("M2-M3", PLANES[:2], "bottom and inner"), PlaneClass("M6-M7", PLANES[2:], "top")


def made() -> PlaneTables:
    low = make_readout_table(ROWS, step=STEP, sigma_noise=SIGMA, plane=LOW.entry)
    top = make_readout_table(ROWS, step=1.25 * STEP, sigma_noise=SIGMA, plane=TOP.entry)
    return PlaneTables.from_tables((low, top), (LOW, TOP), PLANES)


def test_planes_of_a_class_share_an_entry() -> None:
    tables = made()
    assert tables.classes == (LOW, TOP)
    assert tables.table("M4-M5") is tables.table("M2-M3")
    assert tables.table("M6-M7").lsb(TT) == pytest.approx(1.25 * STEP)
    with pytest.raises(UnknownName, match="no plane M8-M9"):
        tables.table("M8-M9")


def test_a_change_of_all_tables_keeps_the_planes() -> None:
    quieter = made().replaced(lambda t: t.replace(sigma_noise=t.sigma_noise / 2))
    assert (quieter.classes, quieter.planes, quieter.rows) == (made().classes, PLANES, ROWS)
    # twice the sigmas to the threshold on the plane of either class
    margins = [t.worst_margin(TT).margin for t in quieter.tables]
    assert margins == pytest.approx([STEP / SIGMA, 1.25 * STEP / SIGMA])


def test_the_worst_plane_has_the_smallest_step() -> None:
    tables = made()
    # Straight levels, thresholds midway: a margin is half a step over sigma, an inner code errs in both tails.
    found = tables.worst_margin(TT)
    assert (found.plane, found.margin) == ("M2-M3", pytest.approx(STEP / 2 / SIGMA))
    assert tables.worst_code_error().code_error == pytest.approx(2 * norm.sf(STEP / 2 / SIGMA))
    assert tables.worst().plane == "M2-M3"


def test_a_file_of_planes_is_read_by_xarray_alone(tmp_path: Path) -> None:
    (path,) = write_plane_tables(made(), tmp_path)
    with xarray.open_dataset(path, engine="h5netcdf") as dataset:
        assert dataset["level"].dims == ("plane", "condition", "active", "count")
        entry = str(dataset["plane_entry"].sel(stacked_plane="M4-M5").item())
        served = dataset.sel(plane=entry)
        assert str(served["position"].item()) == "bottom and inner"
        # Decision levels midway between counts, read without this package.
        edges = served["adc_threshold"].isel(condition=0, active=ROWS).values
        np.testing.assert_allclose(edges, STEP * (np.arange(ROWS) + 0.5), rtol=1e-12)
        error = served["code_error_probability"].isel(condition=0, active=ROWS, count=0)
        assert float(error) == pytest.approx(norm.sf(STEP / 2 / SIGMA))
        assert dataset["margin"].attrs["units"] == "sigma"


def test_tables_are_read_back_to_the_last_bit(tmp_path: Path) -> None:
    written = made()
    write_plane_tables(written, tmp_path)
    first = (tmp_path / PLANES_FILE).read_bytes()
    back = read_plane_tables(tmp_path)
    assert (back.classes, back.planes) == (written.classes, written.planes)
    for a, b in zip(back.tables, written.tables, strict=True):
        np.testing.assert_array_equal(a.level, b.level)
        assert a.plane == b.plane
    write_plane_tables(back, tmp_path)
    assert (tmp_path / PLANES_FILE).read_bytes() == first


def test_an_edited_file_is_refused(tmp_path: Path) -> None:
    (path,) = write_plane_tables(made(), tmp_path)
    with xarray.open_dataset(path, engine="h5netcdf") as opened:
        dataset = opened.load()
    dataset["level"][0, 0, 1, 1] += 1e-6
    dataset.to_netcdf(path, engine="h5netcdf")
    with pytest.raises(InputError, match="checksum"):
        read_plane_tables(tmp_path)


def test_tables_of_other_converters_are_refused() -> None:
    low = make_readout_table(ROWS, plane=LOW.entry)
    with pytest.raises(InputError, match="differ"):
        PlaneTables.from_tables((low, low.with_adc(codes=3)), (LOW, TOP), PLANES)
