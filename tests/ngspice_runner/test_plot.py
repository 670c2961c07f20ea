"""Results as pictures and files by the command lines."""

from __future__ import annotations

import csv
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from typer.testing import CliRunner

from metalrom.cli.main import app as metalrom
from ngspice_runner import JobError, Result, Signal, Verdict, plot_result, read_raw
from ngspice_runner.commands.main import app as harness

RUNNER = CliRunner()
DECK = "low-pass\nV1 in 0 PULSE(0 1 0 1n 1n 50u 100u)\nR1 in out 1k\nC1 out 0 1n\n.tran 10n 5u 0 10n\n.end\n"
BLUE, ORANGE = (31, 119, 180), (255, 127, 14)
"""The first two colours of matplotlib's default cycle."""


def pixels(path: Path, colour: tuple[int, int, int]) -> int:
    image = np.round(matplotlib.image.imread(path)[..., :3] * 255).astype(int)
    return int((image == colour).all(axis=-1).sum())


def result(**signals: Signal) -> Result:
    return Result(Verdict.OK, {s.name: s for s in signals.values()}, "", None)


def ramp(name: str, unit: str, points: int = 200) -> Signal:
    return Signal(name, unit, np.linspace(0.0, 1.0, points))


@pytest.mark.parametrize("app", [harness, metalrom], ids=["harness", "metalrom"])
def test_a_run_gives_files_and_a_picture(app: object, tmp_path: Path) -> None:
    (tmp_path / "rc.cir").write_text(DECK)
    command = "run" if app is harness else "simulate"
    names = [tmp_path / f"rc.{kind}" for kind in ("raw", "csv", "npz")]
    options = [word for path in names for word in ("--export", str(path))]
    plot = tmp_path / "rc.png"
    arguments = [command, str(tmp_path / "rc.cir"), "--save", "v(out),v(in)", *options, "--plot", str(plot)]
    done = RUNNER.invoke(app, arguments)  # type: ignore[arg-type]
    assert done.exit_code == 0, done.output
    (raw,), npz = read_raw(names[0]), np.load(names[2])
    waveform = next(s.values for s in raw.signals if s.name == "v(out)")
    with names[1].open() as file:
        rows = list(csv.DictReader(file))
    # v = 1 - exp(-t / (R C)) at 5 R C
    for last in (float(rows[-1]["v(out)"]), float(npz["v(out)"][-1]), float(waveform[-1])):
        assert last == pytest.approx(1 - np.exp(-5), abs=2e-3)
    assert pixels(plot, BLUE) > 100
    assert pixels(plot, ORANGE) > 100


def test_only_what_was_asked_for_is_drawn(tmp_path: Path) -> None:
    found = result(t=ramp("time", "s"), a=ramp("v(a)", "V"), b=ramp("v(b)", "V"))
    plot_result(found, tmp_path / "one.png", ["V(a)"])
    assert pixels(tmp_path / "one.png", BLUE) > 100
    assert pixels(tmp_path / "one.png", ORANGE) == 0
    plot_result(found, tmp_path / "all.png")
    assert pixels(tmp_path / "all.png", ORANGE) > 100
    with pytest.raises(JobError, match="no signals to draw"):
        plot_result(found, tmp_path / "none.png", ["v(c)"])
    assert not (tmp_path / "none.png").exists()


def test_units_and_complex_values_have_axes_of_their_own(tmp_path: Path) -> None:
    heights = []
    wave = Signal("v(a)", "V", np.exp(1j * np.linspace(0, 3, 50)))
    for signals in ([ramp("v(a)", "V", 50)], [ramp("v(a)", "V", 50), ramp("i(v1)", "A", 50)], [wave]):
        found = result(x=ramp("frequency", "Hz", 50), **{f"s{i}": s for i, s in enumerate(signals)})
        heights.append(matplotlib.image.imread(plot_result(found, tmp_path / "x.png")).shape[0])
    one, two, magnitude_and_phase = heights
    assert one < two == magnitude_and_phase
    plot_result(result(a=Signal("v(a)", "V", np.array([1.5]))), tmp_path / "op.png")
    assert pixels(tmp_path / "op.png", BLUE) > 1000  # a bar


@pytest.mark.parametrize(("option", "name"), [("--plot", "rc.jpg"), ("--export", "rc.xls")])
def test_unknown_formats_are_refused_before_the_run(option: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "rc.cir").write_text(DECK)
    done = RUNNER.invoke(harness, ["run", str(tmp_path / "rc.cir"), "--save", "v(out)", option, str(tmp_path / name)])
    assert done.exit_code == 2
    assert "must end with" in done.stderr
    assert "verdict" not in done.stdout
