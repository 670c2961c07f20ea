"""Raw files written by the engine are read back; damaged ones are never taken for whole ones."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ngspice_runner.raw import RawError, next_plot, parse_raw, read_raw

HEADER = (
    "Title: t\nDate: today\nPlotname: {name}\nFlags: {flags}\nNo. Variables: {variables}\nNo. Points: {points}       \n"
    "Variables:\n{table}Binary:\n"
)


def make(values: np.ndarray, *, points: int | None = None, name: str = "Transient Analysis") -> bytes:
    """A raw plot of (points, variables) values as the engine would write it."""
    rows = [("time", "time")] + [(f"v(n{i})", "voltage") for i in range(1, values.shape[1])]
    if np.iscomplexobj(values):
        rows[0] = ("frequency", "frequency\tgrid=3")
    table = "".join(f"\t{i}\t{n}\t{kind}\n" for i, (n, kind) in enumerate(rows))
    count = values.shape[0] if points is None else points
    flags = "complex" if np.iscomplexobj(values) else "real"
    header = HEADER.format(name=name, flags=flags, variables=values.shape[1], points=count, table=table)
    return header.encode() + values.tobytes()


def engine_raw(folder: Path, deck: str) -> Path:
    (folder / "d.cir").write_text(deck)
    subprocess.run(
        ["ngspice", "-n", "-b", "-r", "o.raw", "d.cir"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    return folder / "o.raw"


def test_real_and_complex_plots_of_one_engine_run(tmp_path: Path) -> None:
    """RC low pass, tau 1 us: three analyses in one file against closed forms."""
    deck = "t\nV1 a 0 dc 1 ac 1\nR1 a b 1e3\nC1 b 0 1e-9\n.op\n.ac dec 10 1 1e6\n.dc v1 0 1 0.25\n.end\n"
    plots = {plot.name: plot for plot in read_raw(engine_raw(tmp_path, deck))}
    assert set(plots) == {"Operating Point", "AC Analysis", "DC transfer characteristic"}
    frequency, _, output, _ = plots["AC Analysis"].signals
    assert frequency.unit == "Hz"
    assert frequency.values.dtype == np.float64  # the engine leaves the imaginary part uninitialised
    expected = 1 / (1 + 2j * np.pi * frequency.values * 1e-6)
    np.testing.assert_allclose(output.values, expected, rtol=1e-9)
    sweep = plots["DC transfer characteristic"].signals[0]
    assert sweep.name == "v-sweep"
    np.testing.assert_allclose(sweep.values, [0, 0.25, 0.5, 0.75, 1])
    assert [s.name for s in plots["Operating Point"].signals] == ["v(a)", "v(b)", "i(v1)"]


@given(
    points=st.integers(1, 20),
    variables=st.integers(1, 5),
    is_complex=st.booleans(),
    seed=st.integers(0, 2**32),
    plots=st.integers(1, 3),
)
def test_round_trip(points: int, variables: int, is_complex: bool, seed: int, plots: int) -> None:
    rng = np.random.default_rng(seed)
    tables = [rng.normal(size=(points, variables)) * (1 + 1j if is_complex else 1) for _ in range(plots)]
    for plot, table in zip(parse_raw(b"".join(map(make, tables))), tables, strict=True):
        assert plot.points == points
        for index, signal in enumerate(plot.signals):
            wanted = table[:, index].real if is_complex and index == 0 else table[:, index]
            assert np.array_equal(signal.values, wanted)


@given(cut=st.integers(1, 400), seed=st.integers(0, 1000))
def test_every_cut_is_noticed(cut: int, seed: int) -> None:
    """A file cut anywhere is an error or (cut before its first byte) empty; what is read before the cut is right."""
    table = np.random.default_rng(seed).normal(size=(10, 3))
    whole = make(table)
    cut = min(cut, len(whole) - 1)
    with pytest.raises(RawError) as caught:
        parse_raw(whole[:-cut])
    assert caught.value.reason in ("truncated", "malformed")
    for plot in caught.value.plots:
        for index, signal in enumerate(plot.signals):
            assert np.array_equal(signal.values, table[: plot.points, index])


def test_killed_run_has_no_points_announced() -> None:
    table = np.arange(12.0).reshape(4, 3)
    with pytest.raises(RawError, match="killed") as caught:
        parse_raw(make(table, points=0) + b"\0" * 5)
    assert caught.value.reason == "killed"
    assert np.array_equal(caught.value.plots[0].signals[2].values, table[:, 2])


def test_run_without_points_is_no_error() -> None:
    assert parse_raw(make(np.empty((0, 3))))[0].points == 0
    assert parse_raw(b"") == ()


@given(st.binary(max_size=300))
def test_garbage_is_refused(data: bytes) -> None:
    """Anything that is no raw file is an error or, if blank, nothing."""
    if data.strip():
        with pytest.raises(RawError) as caught:
            parse_raw(data)
        assert caught.value.reason in ("truncated", "malformed")
    else:
        assert parse_raw(data) == ()


def test_ascii_is_read_and_its_faults_have_a_reason() -> None:
    header = make(np.zeros((2, 2))).partition(b"Binary:\n")[0]
    (plot,) = parse_raw(header + b"Values:\n 0\t1e-3\n\t2\n\n 1\t3.5\n\t-4\n\n")
    assert [list(signal.values) for signal in plot.signals] == [[1e-3, 3.5], [2.0, -4.0]]
    for values, reason in ((b" 0\t1\n\t2\n\n 1\t3\n", "truncated"), (b"\0\1 x y z 1\n", "malformed")):
        with pytest.raises(RawError) as caught:
            parse_raw(header + b"Values:\n" + values)
        assert caught.value.reason == reason


def test_plots_are_read_one_after_the_other() -> None:
    first, second = make(np.arange(6.0).reshape(3, 2)), make(np.arange(4.0).reshape(2, 2), name="AC Analysis")
    plot, end = next_plot(first + second, 0)
    assert (plot.name, plot.points, end) == ("Transient Analysis", 3, len(first))
    plot, end = next_plot(first + second, end)
    assert (plot.name, plot.points, end) == ("AC Analysis", 2, len(first + second))
    with pytest.raises(RawError, match="incomplete header") as caught:
        next_plot(first + second, end)
    assert caught.value.reason == "truncated"


@pytest.mark.parametrize("read", [parse_raw, lambda data: next_plot(data, 0)])
def test_data_without_a_header_is_malformed(read: Callable[[bytes], object]) -> None:
    with pytest.raises(RawError, match=r"No\. Variables' is missing") as caught:
        read(b"Binary:\n" + bytes(16))
    assert caught.value.reason == "malformed"


def test_a_title_may_end_like_the_table_begins() -> None:
    data = make(np.arange(6.0).reshape(3, 2)).replace(b"Title: t\n", b"Title: all Variables:\n")
    (plot,) = parse_raw(data)
    assert plot.title == "all Variables:"
    assert [s.name for s in plot.signals] == ["time", "v(n1)"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\t1\tv(n1)\tvoltage\n", b"\t1\tv(n1)\n"),
        (b"No. Variables: 2", b"No. Variables: 3"),
        (b"No. Variables: 2", b"No. Variables: x"),
        (b"No. Points: 3", b"No. Points: -1"),
        (b"Flags: real\n", b""),
        (b"\t0\ttime\ttime\n\t1\tv(n1)\tvoltage\n", b""),
    ],
)
def test_a_header_that_contradicts_itself_is_malformed(old: bytes, new: bytes) -> None:
    data = make(np.arange(6.0).reshape(3, 2))
    assert old in data
    with pytest.raises(RawError, match="header of plot 1") as caught:
        parse_raw(data.replace(old, new))
    assert caught.value.reason == "malformed"


def test_points_above_an_announced_zero_are_handed_out_as_killed() -> None:
    data = make(np.arange(6.0).reshape(3, 2), points=0) + bytes(8)  # the last point is half written
    with pytest.raises(RawError, match="announces 0 points") as caught:
        parse_raw(data)
    (plot,) = caught.value.plots
    assert plot.points == 3
    assert plot.signals[1].values.tolist() == [1.0, 3.0, 5.0]


def test_what_is_cut_off_is_counted_in_bytes() -> None:
    data = make(np.arange(6.0).reshape(3, 2))
    with pytest.raises(RawError, match="47 of 48 bytes") as caught:
        parse_raw(data[:-1])
    assert caught.value.reason == "truncated"
    assert caught.value.plots[0].points == 2
    (whole,) = parse_raw(data + b" \n")  # blanks at the end are no plot
    assert whole.points == 3


def test_a_plot_without_variables_is_malformed() -> None:
    header = HEADER.format(name="Operating Point", flags="real", variables=0, points=0, table="")
    with pytest.raises(RawError, match="0 variables announced, 0 listed"):
        parse_raw(header.encode())


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("V(V-SWEEP)", "v-sweep"),
        ("i(@r1[i])", "@r1[i]"),
        ("v(@m1[gm])", "@m1[gm]"),
        ("v(OUT)", "v(out)"),
        ("i(v1)", "i(v1)"),
    ],
)
def test_names_are_those_that_a_user_saves(written: str, name: str) -> None:
    (plot,) = parse_raw(make(np.zeros((1, 2))).replace(b"v(n1)", written.encode()))
    assert plot.signals[1].name == name
