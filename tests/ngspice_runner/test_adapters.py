"""The harness under the call signatures of PySpice, spicelib and vlsirtools, compared with those that are installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ngspice_runner.adapters.errors import NotOk
from ngspice_runner.adapters.pyspice import simulator
from ngspice_runner.adapters.spicelib import SimRunner
from ngspice_runner.errors import JobError
from ngspice_runner.raw import read_raw

pytestmark = pytest.mark.ngspice
FILTER = ".title low pass\nVin in 0 DC 1 AC 1 PULSE(0 1 0 1n 1n 50u 100u)\nR1 in out 1k\nC1 out 0 1n\n"
_ASKED_OF_PYSPICE = """
import sys, numpy as np
from PySpice.Spice.Netlist import Circuit
from PySpice.Unit import *
circuit = Circuit("divider")
circuit.V("in", "in", circuit.gnd, "dc 10 ac 1")
circuit.R(1, "in", "out", 9@u_kOhm)
circuit.R(2, "out", circuit.gnd, 1@u_kOhm)
circuit.C(1, "out", circuit.gnd, 1@u_nF)
sys.path.insert(0, sys.argv[1])
from ngspice_runner.adapters.pyspice import simulator
theirs, ours = circuit.simulator(temperature=25, nominal_temperature=25), simulator(circuit)
assert np.array(theirs.operating_point()["out"])[0] == float(ours.operating_point()["out"]) == 1.0
a, b = theirs.dc(Vin=slice(0, 5, 1)), ours.dc(Vin=slice(0, 5, 1))
assert np.array_equal(np.array(a["out"]), np.array(b["out"])) and len(b.sweep) == 6
a, b = (s.transient(step_time=1@u_us, end_time=10@u_us) for s in (theirs, ours))
assert np.allclose(np.array(a.out), np.array(b.out), rtol=1e-9) and len(a.time) == len(b.time)
assert set(map(str, a.nodes)) == set(b.nodes) and set(a.branches) == set(b.branches)
assert np.array_equal(np.array(b.out.abscissa), np.array(b.time))
span = dict(start_frequency=1@u_kHz, stop_frequency=1@u_MHz, number_of_points=5, variation="dec")
a, b = theirs.ac(**span), ours.ac(**span)
assert np.array_equal(np.array(a["out"]), np.array(b["out"])) and len(b.frequency) == len(a.frequency)
"""


def test_simulator_of_a_netlist() -> None:
    """RC of 1 us: 1 - exp(-3), corner at 1/(2 pi RC)."""
    found = simulator(FILTER).transient(step_time=10e-9, end_time=3e-6, max_time=10e-9)
    assert found["out"][-1] == pytest.approx(1 - np.exp(-3), rel=1e-3)
    assert found.out.abscissa is found.time
    assert found.time[-1] == pytest.approx(3e-6)
    corner = simulator(FILTER).ac(
        variation="lin", number_of_points=1, start_frequency=159154.943, stop_frequency=159154.943
    )
    assert abs(corner.out[0]) == pytest.approx(0.5**0.5)
    swept = simulator(FILTER).dc(Vin=slice(0, 1, 0.25))
    assert swept["vin"].unit == "A"
    assert list(swept.out) == pytest.approx([0, 0.25, 0.5, 0.75, 1])
    assert float(simulator(FILTER).operating_point().out) == 1.0
    assert simulator(FILTER).transfer_function("v(out)", "Vin")["transfer_function"][0] == pytest.approx(1.0)
    with pytest.raises(IndexError):
        swept["nowhere"]
    with pytest.raises(AttributeError):
        _ = swept.time


def test_simulator_keeps_conditions_and_refuses() -> None:
    held = simulator(FILTER)
    held.initial_condition(out=0.5)
    found = held.transient(1e-9, 1e-8, use_initial_condition=True)
    assert found.out[0] == pytest.approx(0.5, abs=0.01)
    with pytest.raises(NotOk, match="4k7") as refused:
        simulator("t\nV1 a 0 1\nR1 a 0 4k7\n").operating_point()
    assert refused.value.result.verdict == "parse"
    with pytest.raises(JobError, match="one line"):
        simulator(FILTER).transfer_function("v(out)\n.control", "Vin")


def test_simulator_answers_as_pyspice_does() -> None:
    pytest.importorskip("PySpice", reason="PySpice is not installed")
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", _ASKED_OF_PYSPICE, root],
        env={**os.environ, "NGSPICE_LIBRARY_PATH": "libngspice.so.0"},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if "cannot load library" in done.stderr:
        pytest.skip("libngspice is not installed")
    assert done.returncode == 0, done.stderr[-2000:]


def test_runner_of_netlists(tmp_path: Path) -> None:
    deck = tmp_path / "rc.net"
    deck.write_text("t\nV1 a 0 1\nR1 a b 1k\n.include load.inc\n.op\n.end\n")
    (tmp_path / "load.inc").write_text("R2 b 0 3k\n")
    bad = tmp_path / "bad.net"
    bad.write_text("t\nV1 a 0 1\nR1 a 0 4k7\n.op\n.end\n")
    runner = SimRunner(parallel_sims=2, output_folder=tmp_path / "runs")
    called: list[tuple[str, int]] = []
    runner.run(deck, callback=lambda raw, log, n: called.append((raw.name, n)), callback_args={"n": 5})
    runner.run(bad)
    assert runner.wait_completion() is False
    assert (runner.okSim, runner.failSim, runner.runno) == (1, 1, 2)
    assert called == [("rc_1.raw", 5)]
    ((raw, log),) = list(runner)
    assert read_raw(raw)[0].signals[1].values[0] == 0.75
    assert log.read_text().startswith("verdict: ok")
    assert "4k7" in (tmp_path / "runs" / "bad_2.fail").read_text()
    assert runner.run_now(deck)[0] == tmp_path / "runs" / "rc_3.raw"
    with pytest.raises(JobError, match="switches"):
        runner.run(deck, switches=["-a"])


def test_runner_takes_the_editor_of_spicelib(tmp_path: Path) -> None:
    spicelib = pytest.importorskip("spicelib", reason="spicelib is not installed")
    deck = tmp_path / "rc.net"
    deck.write_text("* t\nV1 a 0 1\nR1 a b 1k\nR2 b 0 1k\n.op\n.end\n")
    editor = spicelib.SpiceEditor(str(deck))
    editor.set_component_value("R2", 3000)
    raw, _ = SimRunner(output_folder=tmp_path / "runs").run_now(editor)
    assert raw is not None
    assert spicelib.RawRead(str(raw), dialect="ngspice").get_wave("v(b)")[0] == 0.75


def test_vlsirtools_input(tmp_path: Path) -> None:
    """A divider as vlsirtools' own test writes it: operating point and transient, one and several inputs."""
    pytest.importorskip("vlsirtools", reason="vlsirtools is not installed")
    done = subprocess.run(
        [sys.executable, "-c", _ASKED_OF_VLSIRTOOLS], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


_ASKED_OF_VLSIRTOOLS = """
import numpy as np
import vlsir, vlsir.circuit_pb2 as vckt, vlsir.spice_pb2 as vsp, vlsir.utils_pb2 as vutils
from vlsirtools.spice import SimOptions, SupportedSimulators, ResultFormat, sim as theirs
from ngspice_runner.adapters.vlsirtools import sim as ours
def param(name, value): return vlsir.Param(name=name, value=vlsir.ParamValue(double_value=value))
def instance(name, kind, value, **ports):
    return vckt.Instance(
        name=name, module=vutils.Reference(external=vutils.QualifiedName(domain="vlsir.primitives", name=kind)),
        parameters=value,
        connections=[vckt.Connection(portname=p, target=vckt.ConnectionTarget(sig=n)) for p, n in ports.items()])
top = vckt.Module(
    name="top", ports=[vckt.Port(direction="NONE", signal="VSS")],
    signals=[vckt.Signal(name=n, width=1) for n in ("VSS", "a", "b")],
    instances=[
        instance("v1", "vdc", [param("dc", 2.0), param("ac", 0.0)], p="a", n="VSS"),
        instance("r1", "resistor", [param("r", 1e3)], p="a", n="b"),
        instance("r2", "resistor", [param("r", 1e3)], p="b", n="VSS")])
inp = vsp.SimInput(
    pkg=vckt.Package(domain="t", modules=[top]), top="top", opts=[],
    an=[
        vsp.Analysis(op=vsp.OpInput(analysis_name="op")),
        vsp.Analysis(tran=vsp.TranInput(analysis_name="tr", tstop=1e-6, tstep=1e-8))])
opts = SimOptions(simulator=SupportedSimulators.NGSPICE, fmt=ResultFormat.SIM_DATA)
a, b = theirs(inp, opts), ours(inp, opts)
name = next(n for n in b.an[0].data if n.endswith("b)"))
assert b.an[0].data[name] == a.an[0].data[name] == 1.0, (a.an[0].data, b.an[0].data)
assert np.array_equal(a.an[1].data[name], b.an[1].data[name])
assert len(ours([inp, inp], opts)) == 2
"""
