"""Thresholds that follow the number of active rows, by whole codes or by the bits of a converter, on the example.

    python benchmarks/threshold_tracking.py [--rows 32]

A driven row shifts a level through the direct coupling, whatever it stores (single drive). Code error of the example's
layer (its own counts, nominal condition) with thresholds that follow exactly, with one code per count and a shift by
whole codes, and with a converter of more bits whose codes are rounded to counts digitally. The converter's range is
that of the levels, and 0.6 V, where nothing fits its references to them; the error is the mean over 16 places of the
converter's edges between the levels, and the range of these.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from characterization.tables.table import ReadoutTable
from interconnect.arrays import FloatArray
from metalrom.api import load
from metalrom.config.schema import Config
from metalrom.design.design import Design
from metalrom.run.characterize import characterize, histogram

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "minilm_layer.yaml"
BITS = (8, 9, 10)
RANGE = 0.6
PLACES = 16


def whole_codes(table: ReadoutTable) -> FloatArray:
    """Thresholds of one code per count, moved by whole codes, V: shape (active, codes - 1)."""
    condition = table.conditions[0]
    lsb, zero = table.lsb(condition), table.level[0][:, 0]
    shift = np.round((zero - zero[0]) / lsb)
    out: FloatArray = zero[0] + lsb * (np.arange(table.adc.codes - 1) + 0.5 + shift[:, None])
    return out


def digital_rounding(table: ReadoutTable, bits: int, span: float, place: float = 0.0) -> FloatArray:
    """Exact thresholds, each moved to the nearest edge of a converter of so many bits over `span` V.

    place: of an edge over 0 V, in steps of the converter.
    """
    step = span / 2**bits
    out: FloatArray = (np.round(table.thresholds(table.conditions[0]) / step - place) + place) * step
    return out


def code_error(table: ReadoutTable, thresholds: FloatArray, used: FloatArray) -> float:
    """Mean code error of the counts that occur."""
    return table.replace(threshold=thresholds[None]).mean_code_error(table.conditions[0], used)


def nominal_example(rows: int) -> Design:
    """The example at its nominal condition, in groups of `rows`."""
    design = load(EXAMPLE)
    plain = design.config.model_dump(mode="json")
    plain["conditions"] = {**plain["conditions"], "corners": ["tt"], "vdd": ["1.0V"], "temperature": ["27degC"]}
    plain["array"]["group_rows"] = rows
    return Design(Config.model_validate(plain), design.path)


def main() -> None:
    """Print the code errors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=32)
    asked = parser.parse_args()
    design = nominal_example(asked.rows)
    table = characterize(design).table
    used = histogram(design, table.rows).astype(np.float64)
    condition = table.conditions[0]
    lsb = table.lsb(condition)
    per_row = float(np.polyfit(np.arange(table.rows + 1), table.level[0][:, 0] / lsb, 1)[0])
    print(f"{table.rows} rows, {lsb * 1e3:.2f} mV per count, {per_row:.3f} counts per active row")
    print(f"thresholds follow exactly     {table.mean_code_error(condition, used):.2e}")
    print(f"shift by whole codes          {code_error(table, whole_codes(table), used):.2e}")
    highest = float(np.nanmax(table.level[0]))
    for span in (highest, RANGE):
        for bits in BITS:
            places = np.arange(PLACES) / PLACES
            errors = [code_error(table, digital_rounding(table, bits, span, p), used) for p in places]
            ends = f"{min(errors):.2e} to {max(errors):.2e}"
            print(f"{bits:2d} bits, range {span:.3f} V        {np.mean(errors):.2e}   ({ends})")


if __name__ == "__main__":
    main()
