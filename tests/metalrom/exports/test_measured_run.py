"""A run whose readout table was measured: figures follow the measured table, every output says who measured it."""

from __future__ import annotations

import pytest

from characterization.tables.measured import measured_source, read_measured
from metalrom import exporters as exports
from metalrom.exporters.run_data import RunData, load_source
from metalrom.run.estimate import estimate_of_run
from metalrom.run.folder import open_run
from metalrom.studies.measured import measured_results, run_with_measured_table

SOURCE = "die 7, bench of May"


@pytest.fixture(scope="module")
def measured(run, tmp_path_factory) -> RunData:
    """The synthetic run with a table that is its own, but for spreads twice as large."""
    wide = run.table.with_adc(offset_sigma=2 * run.table.adc.offset_sigma, noise_sigma=2 * run.table.adc.noise_sigma)
    spreads = {name: 2 * getattr(wide, name) for name in ("sigma_static", "sigma_noise", "sigma_pattern")}
    path = exports.write_table(wide.replace(**spreads), "csv", tmp_path_factory.mktemp("measured"))[0]
    table = read_measured(path, run.table, SOURCE)
    return RunData(run.run, measured_results(run.run, table), table)


def test_twice_the_spread_is_half_the_margin(run, measured):
    """Same levels: margin halves exactly, energy and area stay, nothing claims an interval."""
    headline = measured.results.headline
    assert headline.margin_sigma == pytest.approx(run.table.worst_margin().margin / 2, rel=1e-12)
    assert headline.code_error_interval is headline.margin_interval_sigma is None
    assert measured.estimate.macro.energy_per_mac.mid == pytest.approx(run.estimate.macro.energy_per_mac.mid)
    worst = next(q for q in measured.results.quality if q.condition == headline.margin_at.condition)
    assert worst.code_error_rate == pytest.approx(worst.code_error_expected, rel=0.3)  # 41,472 conversions


@pytest.mark.parametrize("name", exports.EXPORTERS)
def test_every_view_says_who_measured(measured, name, tmp_path):
    exports.EXPORTERS[name].write(measured, tmp_path)
    assert any(SOURCE in path.read_text() for path in tmp_path.rglob("*") if path.is_file())


def test_the_folder_is_a_run_like_any_other(run, tmp_path):
    """From the CSV of `metalrom export` to a sealed folder whose table, estimate and report say who measured."""
    path = exports.write_table(run.table, "csv", tmp_path / "csv")[0]
    run_with_measured_table(run.run.path, path, tmp_path / "out", source=SOURCE)
    again = open_run(tmp_path / "out")
    again.verify()
    assert measured_source(again.table) == SOURCE
    assert again.results.measured == SOURCE
    assert again.results.headline.margin_sigma == run.table.worst_margin().margin
    assert SOURCE in estimate_of_run(tmp_path / "out", None)["warnings"][0]
    report = again.read("report.html").decode()
    assert f"The readout table was measured at 3 conditions: {SOURCE}." in report
    assert "Nothing was fabricated" not in report
    energy = load_source(tmp_path / "out").estimate.macro.energy_per_mac
    assert energy.mid == pytest.approx(run.estimate.macro.energy_per_mac.mid)
