"""Measured readout tables: an exported CSV comes back equal, and everything that is wrong with one is named."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from characterization.tables.content import arrays_of
from characterization.tables.formats import read_table, write_table
from characterization.tables.measured import measured_source, read_measured
from characterization.tables.table import AdcModel, ReadoutTable
from interconnect.errors import InputError
from netlists.condition import Condition

SOURCE = "die 7,\n bench of May"


def _table(*, fixed: bool = False) -> ReadoutTable:
    """3 rows, two conditions of which one has a metal corner, levels that fall with the count; made-up spreads."""
    conditions = (Condition("tt", 1.0, 27.0), Condition("ss", 0.9, -40.0, "cmax"))
    rng = np.random.default_rng(5)
    level = np.stack([0.8 * c.vdd - 0.01 * np.arange(4) * np.ones((4, 1)) for c in conditions])
    static, noise, pattern = rng.uniform(1e-4, 3e-3, (3, 2, 4, 4))
    return ReadoutTable.from_arrays(
        "cap_balanced", "V", 3, conditions, level, static, noise, pattern, rng.uniform(0, 1e-15, (2, 4)), 1.1e-9,
        AdcModel(4, 1e-3, 2e-4), threshold=np.full((2, 4, 3), 0.5) if fixed else None,
    )  # fmt: skip


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """`readout.csv` of that table."""
    return write_table(_table(), "csv", tmp_path / "csv")[0]


def test_an_exported_csv_comes_back_equal(exported: Path):
    """Bit for bit, whatever the order of the lines; labelled with its source in table, assumptions and provenance."""
    head, *lines = exported.read_text().splitlines()
    exported.write_text("\n".join([head, *reversed(lines)]))
    table = _table(fixed=True)  # fixed thresholds were simulated and are not kept
    back = read_measured(exported, table, SOURCE)
    assert dict(zip(back.conditions, [0, 1], strict=True)) == {table.conditions[1]: 0, table.conditions[0]: 1}
    for name, values in arrays_of(_table()).items():
        np.testing.assert_array_equal(arrays_of(back)[name][::-1], values)
    assert (back.adc, back.read_time, back.cell, back.threshold) == (table.adc, table.read_time, table.cell, None)
    assert measured_source(back) == "die 7, bench of May"
    assert measured_source(table) == ""
    assert "die 7" in back.provenance["measured"]
    # every format that it is written in says so
    write_table(back, "json", exported.parent / "again")
    assert measured_source(read_table("json", exported.parent / "again")) == "die 7, bench of May"


def _changed(path: Path, change) -> None:
    """Rewrite the file after `change` (names, lines)."""
    names, *lines = csv.reader(path.open())
    change(names, lines)
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([names, *lines])
    path.write_text(out.getvalue())


def _set(column: str, text: str, line: int = 3):
    return lambda names, lines: lines[line].__setitem__(names.index(column), text)


def _rename(old: str, new: str):
    return lambda names, lines: names.__setitem__(names.index(old), new)


def _drop(*columns: str):
    def change(names, lines):
        for column in columns:
            at = names.index(column)
            for line in (names, *lines):
                del line[at]

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_rename("level_V", "level_mV"), "column level_mV is in the wrong unit, expected level_V"),
        (_rename("vdd_V", "vdd_mV"), "column vdd_mV is in the wrong unit, expected vdd_V"),
        (_rename("active", "rows"), "there is no column rows"),
        (_drop("sigma_noise_V"), "column sigma_noise_V is missing"),
        (_drop("adc_offset_sigma_V"), "column adc_offset_sigma_V is missing"),
        (_set("sigma_static_V", ""), r"line 5: sigma_static_V is '', expected a number"),
        (_set("sigma_static_V", "-1e-3"), r"line 5: sigma_static_V is -0\.001, expected 0 or more"),
        (_set("count", "1.5"), "count is 1.5, expected a whole number"),
        (_set("level_V", "800"), "level_V reaches 800 at tt_1.00V_27C, which no supply of 1 V gives"),
        (_set("level_V", "0.5"), "not monotone: at tt_1.00V_27C, active 2, count 1 does not lie beyond count 0"),
        (_set("adc_noise_sigma_V", "1e-3"), "adc_noise_sigma_V differs between lines"),
        (lambda names, lines: lines.append(lines[0]), "tt_1.00V_27C, active 0, count 0 is given twice"),
        (lambda names, lines: lines.pop(4), "tt_1.00V_27C, active 2, count 1 is missing"),
        (lambda names, lines: lines.clear(), "holds no line"),
        (lambda names, lines: lines[0].pop(), r"line 2: has \d+ values, expected \d+"),
        (lambda names, lines: lines.append([*lines[0][:5], "4", *lines[0][6:]]), "active 4, count 0 cannot be in"),
        (_rename("metals", "level_V"), "column level_V is there twice"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_in_one_sentence(exported: Path, change, words: str):
    _changed(exported, change)
    with pytest.raises(InputError, match=words) as caught:
        read_measured(exported, _table(), SOURCE)
    assert "\n" not in str(caught.value)
    assert str(exported) in str(caught.value)


def test_what_may_be_left_out(exported: Path):
    """Derived columns, and the row energy, which is then the simulated one and labelled so; a source may not."""
    _changed(exported, _drop("condition", "margin_sigma", "code_error_probability", "row_energy_J"))
    back = read_measured(exported, _table(), SOURCE)
    np.testing.assert_array_equal(back.row_energy, _table().row_energy)
    assert "row energy simulated, not measured" in back.assumptions[0].value
    _changed(exported, _drop("metals"))
    with pytest.raises(InputError, match=r"row_energy_J is missing, and ss_0\.90V_-40C was not simulated"):
        read_measured(exported, _table(), SOURCE)
    with pytest.raises(InputError, match="needs a source"):
        read_measured(exported, _table(), "  ")
