"""Readout tables with thresholds of their own: every format keeps them, margins and the engine use them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from characterization.tables.formats import FORMATS
from characterization.tables.table import AdcModel, ReadoutTable
from interconnect.errors import InputError
from metalrom.macro.readout import readout_of
from netlists.condition import Condition

TT = Condition("tt", 1.0, 27.0)
ROWS = 4


def table(threshold: np.ndarray | None) -> ReadoutTable:
    """Levels of 1 V per count; sigma 0.1 V."""
    active, count = np.indices((ROWS + 1, ROWS + 1))
    level = np.where(count <= active, count, np.nan).astype(float)[None]
    spread = np.where(count <= active, 0.1, np.nan)[None]
    none = 0 * spread
    return ReadoutTable.from_arrays(
        "cell", "V", ROWS, (TT,), level, spread, none, none, np.ones((1, ROWS + 1)), 1e-9,
        AdcModel(ROWS + 1, 0.0, 0.0), threshold=threshold,
    )  # fmt: skip


def shifted(by: float) -> np.ndarray:
    return np.broadcast_to(np.arange(ROWS) + 0.5 + by, (1, ROWS + 1, ROWS)).copy()


def test_thresholds_midway_are_the_calibrated_ones() -> None:
    assert table(shifted(0.0)).margins(TT) == pytest.approx(table(None).margins(TT), nan_ok=True)


def test_a_shift_takes_from_the_margin() -> None:
    """0.2 V of 0.5 V at a sigma of 0.1 V: from 5 to 3 sigma for every level that has a threshold above it."""
    margins = table(shifted(-0.2)).margins(TT)
    assert margins[ROWS, :ROWS] == pytest.approx(3.0)
    assert margins[ROWS, ROWS] == pytest.approx(7.0)


@pytest.mark.parametrize("name", list(FORMATS))
def test_every_format_keeps_them(name: str, tmp_path: Path) -> None:
    written = table(shifted(0.1) + 1e-3 * np.arange(ROWS + 1)[None, :, None])
    found = FORMATS[name]
    found.write(written, tmp_path)
    back = found.read(tmp_path)
    assert back.threshold is not None
    assert written.threshold is not None
    assert back.threshold.tobytes() == written.threshold.tobytes()
    assert found.check(written, tmp_path).worst_difference == 0
    # a table that differs in a threshold alone is another table
    other = written.replace(threshold=written.threshold + 1e-9)
    with pytest.raises(InputError, match="differs"):
        found.check(other, tmp_path)


def test_the_engine_decides_by_them() -> None:
    """Thresholds 0.6 V too high: a level is read as the count below, which no calibrated converter does."""
    assert readout_of(table(shifted(0.6)), TT).code[ROWS].tolist() == [0, 0, 1, 2, 3]
    assert readout_of(table(None), TT).code[ROWS].tolist() == [0, 1, 2, 3, 4]


def test_fewer_codes_keep_the_lowest() -> None:
    fewer = table(shifted(0.1)).with_adc(codes=3)
    assert fewer.thresholds(TT)[0].tolist() == pytest.approx([0.6, 1.6])


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="thresholds must be finite"):
        table(np.zeros((1, ROWS + 1, ROWS - 1)))
