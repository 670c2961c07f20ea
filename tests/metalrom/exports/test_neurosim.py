"""NeuroSim V1.5's array class against the table, from the folder in METALROM_NEUROSIM, and its range of codes."""

from __future__ import annotations

import os

import numpy as np
import pytest

from metalrom import exporters as exports
from metalrom.exporters import python_tools
from metalrom.exporters.estimator.neurosim_check import (
    DRAWS,
    SIGMAS,
    VARIABLE,
    adc_precision,
    compare_errors,
    expected_errors,
)
from metalrom.exporters.exporter import ToolMissing, check_export
from metalrom.macro.readout import synthetic_table


def test_the_array_class_takes_it(run, run_written):
    if not os.environ.get(VARIABLE):
        pytest.skip(f"no source of NeuroSim V1.5; name its folder in {VARIABLE}")
    if python_tools.python_with("torch", os.environ.get(python_tools.VARIABLE, "")) is None:
        pytest.skip(f"no Python with torch; name one in {python_tools.VARIABLE}")
    report = check_export(exports.EXPORTERS["neurosim"], run, run_written["neurosim"], require_consumer=True)
    assert report.reading is not None
    print("\n" + "; ".join(report.reading.observations))


def test_without_its_source_it_is_missing(run, run_written, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(ToolMissing, match=r"NeuroSim V1\.5 is not here"):
        exports.EXPORTERS["neurosim"].validate_with_tool(run, run_written["neurosim"])


def test_full_count_and_the_range_of_codes():
    """Straight levels, spread of a quarter count: Q(2) = 0.02275 wrong at both ends, twice that between them.

    8 rows with 3 bits end at code 8; 6 rows need 3 bits, whose codes go on to 8, so that the full count errs twice as
    often as in a converter that ends at 6.
    """
    tail = 0.0227501319
    eight, six = (synthetic_table(rows, sigma_noise=0.25) for rows in (8, 6))
    assert (adc_precision(eight), adc_precision(six)) == (3, 3)
    for table, doubled in ((eight, 1), (six, 2)):
        label, top = table.conditions[0].label, table.rows
        ours, beyond = expected_errors(table, label, 3)
        assert ours[[0, 3, top]] == pytest.approx([tail, 2 * tail, tail], rel=1e-6)
        assert beyond[top] == pytest.approx(doubled * tail, rel=1e-6)
        np.testing.assert_array_equal(beyond[:top], ours[:top])
        assert compare_errors(beyond, True, table, label, 3).problem is None
        error = np.sqrt(2 * tail * (1 - 2 * tail) / DRAWS)
        off = beyond + np.where(np.arange(top + 1) == 3, 1.01 * SIGMAS * error, 0.0)
        assert compare_errors(off, True, table, label, 3).problem.startswith("at count 3 it gives")
        assert "integer product" in compare_errors(beyond, False, table, label, 3).problem
