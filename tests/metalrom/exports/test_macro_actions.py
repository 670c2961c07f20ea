"""Row drivers, cells, converter and shift-add of one macro: their calls and energies are those of the estimate."""

from __future__ import annotations

import csv
import os
import shutil

import pytest

from metalrom import exporters as exports
from metalrom.exporters import python_tools
from metalrom.exporters.estimator.accelergy_check import timeloop_figures
from metalrom.exporters.estimator.digits import TOLERANCE
from metalrom.exporters.estimator.macro_actions import MacroLoops, component_figures, energy_per_mac
from metalrom.exporters.exporter import check_export, compare_readings

ACTIONS = {"row_drivers": "read", "cells": "read", "converter": "update", "shift_add": "update"}


def test_calls_by_hand(run):
    """24 rows of 3 groups, 48 bit columns, weights of 6 bit columns (differential, 4 bits: 2 x 3), inputs of 4 bits.

    8 weights in a row: 24 x 4 driven rows, 24 x 8 x 6 x 4 computes, 3 x 8 x 6 x 4 conversions.
    """
    loops = MacroLoops.of(run.results.macro_geometry)
    assert loops == MacroLoops(outputs=8, rows=8, groups=3, input_bits=4, weight_columns=6)
    assert loops.calls == {"row_drivers": 96, "cells": 4608, "converter": 576, "shift_add": 576}
    assert loops.computes == 4 * 6 * run.results.macro_geometry.macs


def test_components_add_up_to_the_estimate(source):
    """Energy of the calls per multiply-accumulate, and area, are the estimate's; every part is in one component. Of
    planes, several tiles, and a last group that is not full.
    """
    macro = source.estimate.macro
    g, figures = macro.geometry, component_figures(source)
    assert energy_per_mac(figures, g.macs) == pytest.approx(macro.energy_per_mac.mid, rel=1e-12)
    area = sum(part.value.mid for part in macro.area.values())
    assert sum(f.area for f in figures.values()) * g.tiles == pytest.approx(area, rel=1e-12)
    parts = [part for f in figures.values() for part in f.parts]
    assert sorted(parts) == sorted({*macro.conversion, *macro.area})


def test_written_components_add_up(run, run_written):
    """The same from the files, read as plain CSV by this test: pJ per multiply-accumulate, to 9 digits."""
    energy = 0.0
    for name, calls in MacroLoops.of(run.results.macro_geometry).calls.items():
        lines = (run_written["accelergy"] / f"metalrom_{name}.csv").read_text().splitlines()
        rows = csv.DictReader(line for line in lines if not line.startswith("#"))
        energy += calls * sum(float(row["energy"]) for row in rows if ACTIONS[name] in row["action"].split("|"))
    per_mac = energy / run.results.macro_geometry.macs
    assert per_mac == pytest.approx(run.estimate.macro.energy_per_mac.mid * 1e12, rel=1e-9)
    product = (run_written["accelergy"] / "timeloop.yaml").read_text()
    assert "24 times per multiply-accumulate of whole numbers, 4608 times in this product" in product
    assert exports.EXPORTERS["accelergy"].measure(run, run_written["accelergy"])[
        "energy of the components per MAC"
    ] == pytest.approx(0.0, abs=1e-9)


def _timeloop_answer(source, **wrong):
    """What Timeloop reports of the components if it counts as the estimate does, but for the calls in `wrong`."""
    levels = {
        name: {ACTIONS[name]: wrong.get(name, f.calls), "energy": f.energy * 1e12 * wrong.get(name, f.calls)}
        for name, f in component_figures(source).items()
    }
    return {"computes": MacroLoops.of(source.estimate.macro.geometry).computes, "levels": levels}


def test_a_call_or_a_cost_too_many_in_timeloop_is_a_problem(source):
    """Its energy is summed over all levels, so that one which should cost nothing shows."""
    answer = _timeloop_answer(source)
    assert compare_readings("", timeloop_figures(source, answer), TOLERANCE).problem is None
    calls = component_figures(source)["converter"].calls
    more = _timeloop_answer(source, converter=calls + 1)
    problem = compare_readings("", timeloop_figures(source, more), TOLERANCE).problem
    assert problem == f"its converter, calls in Timeloop is {calls + 1:.1f}, that of metalrom {calls:.1f}"
    answer["levels"]["inter_row_spatial"] = {"read": 0.0, "energy": 1e-3}
    problem = compare_readings("", timeloop_figures(source, answer), TOLERANCE).problem
    assert problem.startswith("its pJ per multiply-accumulate in Timeloop is")


def test_timeloop_itself_counts_and_bills_the_same(source, written):
    """Of a last group that is not full, by charge and by current."""
    if shutil.which("timeloop-model") is None:
        pytest.skip("no timeloop-model on the path")
    if python_tools.python_with("timeloopfe", os.environ.get(python_tools.VARIABLE, "")) is None:
        pytest.skip(f"no Python with timeloopfe; name one in {python_tools.VARIABLE}")
    report = check_export(exports.EXPORTERS["accelergy"], source, written["accelergy"], require_consumer=True)
    assert report.reading is not None
    assert report.reading.consumer.endswith("Timeloop")
    print("\n" + "; ".join(report.reading.observations))
