"""Results as raw, CSV, npz and Dataset: every number comes back as it was, and other programs read the raw files."""

from __future__ import annotations

import csv
import resource
import subprocess
from pathlib import Path

import numpy as np
import pytest

from interconnect.errors import InputError
from ngspice_runner import Job, Result, export_result, find_engine, plot_result, read_raw, run, to_xarray
from ngspice_runner.errors import JobError

pytestmark = pytest.mark.ngspice
DECK = "t\nV1 a 0 ac 1 pulse(0 1 0 1n 1n 5u 10u)\nR1 a b 1k\nC1 b 0 1n\n{}\n.end\n"
CARDS = ".op\n.ac dec 3 1k 1meg\n.tran 10n 1u 0 10n\n.tran 10n 2u 0 10n\n.meas tran top max v(b)\n"


@pytest.fixture(scope="module")
def result() -> Result:
    found = run(Job(DECK.format(CARDS), ()))
    assert found.ok, found.log
    return found


@pytest.mark.parametrize("ascii", [False, True])
def test_raw_files_read_back_exactly(result: Result, tmp_path: Path, ascii: bool) -> None:
    (path,) = export_result(result, tmp_path / "out.raw", ascii=ascii)
    plots = read_raw(path)
    assert [plot.name for plot in plots] == [
        "AC Analysis",
        "Operating Point",
        "Transient Analysis",
        "Transient Analysis",
    ] or sorted(plot.name for plot in plots) == sorted(
        ["AC Analysis", "Operating Point", "Transient Analysis", "Transient Analysis"]
    )
    written = {(p.name, s.name, p.points): s.values for p in plots for s in p.signals}
    for name, signal in result.signals.items():
        plain = name.partition(".")[2] if name.startswith(("op.", "tran.", "tran2.")) else name
        found = next(
            values for (_, n, points), values in written.items() if n == plain and points == len(signal.values)
        )
        assert np.array_equal(found, signal.values), name


@pytest.mark.parametrize("ascii", [False, True])
def test_ngspice_loads_raw_files(tmp_path: Path, ascii: bool) -> None:
    """The engine prints the last value of a loaded vector with as many digits as it is told to."""
    found = run(Job(DECK.format(".tran 10n 1u 0 10n"), ("v(b)",)))
    export_result(found, tmp_path / "out.raw", ascii=ascii)
    (tmp_path / "load.cir").write_text(
        "* load\n.control\nset numdgt=16\nload out.raw\nlet last = v(b)[length(v(b))-1]\n"
        "print last\nquit 0\n.endc\n.end\n"
    )
    done = subprocess.run(
        [find_engine().path, "-n", "-b", "load.cir"],
        cwd=tmp_path, env={"HOME": str(tmp_path)}, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    printed = next(line for line in done.stdout.splitlines() if line.startswith("last ="))
    assert float(printed.split("=")[1]) == pytest.approx(found.signals["v(b)"].values[-1].real, rel=1e-15)


@pytest.mark.parametrize("ascii", [False, True])
def test_spicelib_reads_raw_files(tmp_path: Path, ascii: bool) -> None:
    raw_read = pytest.importorskip("spicelib", reason="spicelib is not installed").RawRead
    for card in (".tran 10n 1u 0 10n", ".ac dec 3 1k 1meg"):
        found = run(Job(DECK.format(card), ("v(b)",)))
        export_result(found, tmp_path / "out.raw", ascii=ascii)
        read = raw_read(str(tmp_path / "out.raw"), dialect="ngspice")
        assert np.array_equal(read.get_wave("v(b)"), found.signals["v(b)"].values)


def test_csv_and_npz_read_back_exactly(result: Result, tmp_path: Path) -> None:
    columns: dict[str, list[float]] = {}
    written = export_result(result, tmp_path / "out.csv")
    assert {path.name for path in written} >= {"out.csv", "out.op.csv"}
    with (tmp_path / "out.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
        columns = {name: [float(row[i]) for row in rows] for i, name in enumerate(header)}
    assert columns["frequency"] == result.signals["frequency"].values.tolist()
    assert columns["v(b).imag"] == result.signals["v(b)"].values.imag.tolist()
    export_result(result, tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as arrays:
        for name, signal in result.signals.items():
            assert np.array_equal(arrays[name], signal.values)
        assert {f"measure.{name}" for name in result.measures} <= set(arrays)


def test_dataset(result: Result) -> None:
    data = to_xarray(result)
    assert data.attrs["verdict"] == "ok"
    assert data["v(b)"].dims == ("frequency",)
    assert data["v(b)"].attrs["units"] == "V"
    assert data["op.v(b)"].dims == ()
    for name, signal in result.signals.items():
        assert np.array_equal(np.atleast_1d(data[name].values), signal.values), name
    for name, value in result.measures.items():
        assert float(data[name]) == value


def test_bad_exports_are_refused(result: Result, tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"must end with \.raw"):
        export_result(result, tmp_path / "out.xls")
    empty = run(Job("t\nR1 a 0\n.op\n.end\n", ()))
    with pytest.raises(JobError, match="no signals"):
        export_result(empty, tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["out.raw", "out.csv", "out.npz", "out.png"])
def test_a_file_that_cannot_be_written_whole_is_not_left(name: str, result: Result, tmp_path: Path) -> None:
    write = plot_result if name.endswith(".png") else export_result
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))  # as on a full disk
    try:
        with pytest.raises(InputError, match=rf"{name}: cannot be written \(File too large\)"):
            write(result, tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(tmp_path.iterdir()) == []
