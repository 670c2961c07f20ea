"""The measuring bench for transistor cards: drive, leakage, threshold, gate capacitance, FO4 delay.

The same bench reads our cards and any foundry's, so that the numbers compare. Definitions:

- ion: drain current at |Vgs| = |Vds| = VDD over the width; ioff the same at Vgs = 0.
- vth: gate voltage at |Vds| = 50 mV where the drain current is 1e-7 A x W/L (NMOS) or 4e-8 A x W/L (PMOS, the usual
  lower criterion for holes; with 1e-7 A the PMOS reads 41 mV more on the FreePDK45 VTG card). vth_sat: at |Vds| = VDD.
- swing: volts per decade of drain current between |Vgs| = 50 and 150 mV at |Vds| = 50 mV.
- cgg: gate capacitance at |Vgs| = VDD, source and drain grounded, at 1 MHz, over the width.
- fo4: delay of the third of five equal inverters, 50 % to 50 %; every inverter drives the next one and three more
  copies (the last one four), and each copy's output is left open. The chain is fed by a 20 ps edge. Without
  `diffusion_length` the transistors carry no ad, as, pd, ps. The FreePDK45 VTG cards read 15.3 and 16.2 ps here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from netlists.devices.device_set import DeviceSet
from netlists.transistors import device_printer
from ngspice_runner import run as run_job
from ngspice_runner.errors import EngineError
from ngspice_runner.job import Job, Result

Runner = Callable[[Job], Result]
_Place = Callable[[str, str, str, float], str]
"""Prints a transistor: its name, its four nodes, its type (`n` or `p`), its width (m)."""
_Array = FloatArray

_V_LINEAR = 0.05
_FREQUENCY = 1e6
_EDGE = 2e-11
_RISE_AT, _FALL_AT, _STOP, _STEP = 5e-11, 3e-10, 6e-10, 5e-13
_STAGES = 5
_STAGE = 3


@dataclass(frozen=True, slots=True)
class DeviceTestbench:
    """Conditions: supply V, temperature degC, sizes m, threshold criteria A (times W/L); diffusion length m or None.

    slower: factor on all times of the FO4 chain, for processes slower than 45 nm.
    """

    vdd: float = 1.0
    temperature: float = 27.0
    wn: float = 5e-7
    wp: float = 7.5e-7
    l: float = 5e-8  # noqa: E741 - the SPICE name
    criterion_n: float = 1e-7
    criterion_p: float = 4e-8
    diffusion_length: float | None = None
    slower: float = 1.0


@dataclass(frozen=True, slots=True)
class DeviceReadings:
    """What the bench read: ion, ioff A/m; vth, vth_sat V (negative for PMOS); swing V/decade; cgg F/m; fo4 s."""

    ion_n: float
    ion_p: float
    ioff_n: float
    ioff_p: float
    vth_n: float
    vth_p: float
    vth_sat_n: float
    vth_sat_p: float
    swing_n: float
    swing_p: float
    cgg_n: float
    cgg_p: float
    fo4_fall: float
    fo4_rise: float


def bench_jobs(cards: str, nmos: str, pmos: str, bench: DeviceTestbench) -> tuple[Job, Job, Job]:
    """The three decks of the bench: drain-current sweeps, gate capacitance, FO4 chain."""
    return _jobs(cards, partial(_plain, nmos, pmos, bench), bench, ())


def measure_models(
    cards: str, nmos: str, pmos: str, bench: DeviceTestbench | None = None, *, run: Runner | None = None
) -> DeviceReadings:
    """Measure a pair of models: `cards` is the deck text that defines them, `nmos` and `pmos` their names.

    run: what runs a job (default `ngspice_runner.run`; pass one with a cache to reuse results).
    Raises EngineError if a simulation fails or a curve never reaches what is measured on it.
    """
    bench = bench or DeviceTestbench()
    return _measure(bench_jobs(cards, nmos, pmos, bench), bench, run)


def measure_devices(
    devices: DeviceSet, corner: str, bench: DeviceTestbench | None = None, *, run: Runner | None = None
) -> DeviceReadings:
    """Measure a device set at a corner, its transistors called as it wants them and with their diffusions.

    Without a `bench` at the set's supply, default length and widths of 0.5 and 0.75 um times its width scale. Raises as
    `measure_models` does.
    """
    if bench is None:
        long = devices.default_length
        wide = devices.width_scale
        bench = DeviceTestbench(vdd=devices.vdd, wn=5e-7 * wide, wp=7.5e-7 * wide, l=long, slower=long / 5e-8)
    mos = device_printer(devices, bench.l)

    def place(name: str, nodes: str, kind: str, width: float) -> str:
        return mos(name, *nodes.split(), kind, width)

    return _measure(_jobs(devices.cards(corner), place, bench, devices.job_options), bench, run)


def _jobs(
    cards: str, place: _Place, bench: DeviceTestbench, options: tuple[tuple[str, str], ...]
) -> tuple[Job, Job, Job]:
    head = [
        ".option num_threads=1 noinit",
        f".option temp={bench.temperature:.6e} tnom=2.7e+01",
        cards.rstrip("\n"),
    ]
    jobs = _sweep_job(head, place, bench), _capacitance_job(head, place, bench), _chain_job(head, place, bench)
    first, second, third = (replace(job, options=options) for job in jobs)
    return first, second, third


def _plain(nmos: str, pmos: str, bench: DeviceTestbench, name: str, nodes: str, kind: str, width: float) -> str:
    return f"{name} {nodes} {nmos if kind == 'n' else pmos} {_size(width, bench)}"


def _measure(jobs: tuple[Job, Job, Job], bench: DeviceTestbench, run: Runner | None) -> DeviceReadings:
    if run is None:
        run = run_job
    if bench.vdd < 0.2:
        raise InputError(f"bench supply {bench.vdd:g} V is too low", hint="0.2 V or more is needed for the swing")
    results = [_checked(run(job), job) for job in jobs]
    n, p = _read_sweep(results[0], bench)
    cgg = [
        abs(float(results[1].signals[f"i(vg{kind})"].values[0].imag)) / (2 * np.pi * _FREQUENCY * w)
        for kind, w in (("n", bench.wn), ("p", bench.wp))
    ]
    fall, rise = _read_chain(results[2], bench)
    return DeviceReadings(
        ion_n=n.ion,
        ion_p=p.ion,
        ioff_n=n.ioff,
        ioff_p=p.ioff,
        vth_n=n.vth,
        vth_p=-p.vth,
        vth_sat_n=n.vth_sat,
        vth_sat_p=-p.vth_sat,
        swing_n=n.swing,
        swing_p=p.swing,
        cgg_n=cgg[0],
        cgg_p=cgg[1],
        fo4_fall=fall,
        fo4_rise=rise,
    )


@dataclass(frozen=True, slots=True)
class _Device:
    ion: float
    ioff: float
    vth: float
    vth_sat: float
    swing: float


def _sweep_job(head: list[str], place: _Place, bench: DeviceTestbench) -> Job:
    lines = ["drain current sweeps", *head, "vg gn 0 0.0", "egp gp 0 gn 0 -1.0"]
    outputs = []
    for kind, w, sign in (("n", bench.wn, 1.0), ("p", bench.wp, -1.0)):
        for label, vds in (("lin", _V_LINEAR), ("sat", bench.vdd)):
            name = f"d{kind}{label}"
            lines += [f"v{name} {name} 0 {sign * vds:.6e}", place(f"m{name}", f"{name} g{kind} 0 0", kind, w)]
            outputs.append(f"i(v{name})")
    lines += [f".dc vg 0.0 {bench.vdd:.6e} {bench.vdd / 100:.6e}", f".save {' '.join(outputs)}", ".end"]
    return Job(text="\n".join(lines) + "\n", outputs=tuple(outputs), stop=bench.vdd)


def _capacitance_job(head: list[str], place: _Place, bench: DeviceTestbench) -> Job:
    lines = ["gate capacitance", *head]
    for kind, w, sign in (("n", bench.wn, 1.0), ("p", bench.wp, -1.0)):
        lines += [
            f"vg{kind} g{kind} 0 dc {sign * bench.vdd:.6e} ac 1.0",
            place(f"m{kind}", f"0 g{kind} 0 0", kind, w),
        ]
    lines += [f".ac lin 1 {_FREQUENCY:.6e} {_FREQUENCY:.6e}", ".save i(vgn) i(vgp)", ".end"]
    return Job(text="\n".join(lines) + "\n", outputs=("i(vgn)", "i(vgp)"))


def _chain_job(head: list[str], place: _Place, bench: DeviceTestbench) -> Job:
    nodes = (f"n{_STAGE - 1}", f"n{_STAGE}")
    edge, rise_at, fall_at, stop, step = (bench.slower * t for t in (_EDGE, _RISE_AT, _FALL_AT, _STOP, _STEP))
    lines = [
        "fo4 chain",
        *head,
        ".subckt inverter a y vdd",
        place("mn", "y a 0 0", "n", bench.wn),
        place("mp", "y a vdd vdd", "p", bench.wp),
        ".ends",
        f"vdd vdd 0 {bench.vdd:.6e}",
        f"vin n0 0 pulse(0.0 {bench.vdd:.6e} {rise_at:.6e} {edge:.6e} {edge:.6e} {fall_at - rise_at - edge:.6e} "
        f"{2 * stop:.6e})",
    ]
    for k in range(_STAGES):
        copies = 4 if k == _STAGES - 1 else 3
        lines += [f"x{k} n{k} n{k + 1} vdd inverter", f"xload{k} n{k + 1} open{k} vdd inverter m={copies}"]
    # The chain's resting state is known; telling it spares the engine a search that would put the result in doubt.
    guess = {f"n{k}": k % 2 for k in range(_STAGES + 1)} | {f"open{k}": k % 2 for k in range(_STAGES)}
    lines.append(".nodeset " + " ".join(f"v({node})={high * bench.vdd:.6e}" for node, high in guess.items()))
    outputs = tuple(f"v({node})" for node in nodes)
    lines += [f".tran {step:.6e} {stop:.6e} 0.0 {step:.6e}", f".save {' '.join(outputs)}", ".end"]
    return Job(text="\n".join(lines) + "\n", outputs=outputs, stop=stop)


def _size(w: float, bench: DeviceTestbench) -> str:
    text = f"w={w:.6e} l={bench.l:.6e}"
    if bench.diffusion_length is None:
        return text
    area, perimeter = w * bench.diffusion_length, 2 * (w + bench.diffusion_length)
    return f"{text} ad={area:.6e} as={area:.6e} pd={perimeter:.6e} ps={perimeter:.6e}"


def _checked(result: Result, job: Job) -> Result:
    if not result.ok:
        title = job.text.split("\n", 1)[0]
        raise EngineError(f"device bench: the deck '{title}' ended with verdict {result.verdict}: {result.log[:300]}")
    return result


def _read_sweep(result: Result, bench: DeviceTestbench) -> tuple[_Device, _Device]:
    vg = np.asarray(next(iter(result.signals.values())).values, dtype=np.float64)
    return (
        _device(result, "n", vg, bench.wn, bench.criterion_n * bench.wn / bench.l),
        _device(result, "p", vg, bench.wp, bench.criterion_p * bench.wp / bench.l),
    )


def _device(result: Result, kind: str, vg: _Array, w: float, criterion: float) -> _Device:
    linear, saturated = (np.abs(result.signals[f"i(vd{kind}{label})"].values) for label in ("lin", "sat"))

    def at_current(current: _Array) -> float:
        if not current[0] < criterion < current[-1]:
            reach = (
                f"runs from {current[0]:.3g} to {current[-1]:.3g} A without crossing the criterion {criterion:.3g} A"
            )
            raise EngineError(f"device bench: the {kind}mos drain current {reach}")
        return float(np.interp(np.log(criterion), np.log(current), vg))

    low, high = (np.log10(np.interp(v, vg, linear)) for v in (0.05, 0.15))
    return _Device(
        ion=float(saturated[-1]) / w,
        ioff=float(saturated[0]) / w,
        vth=at_current(linear),
        vth_sat=at_current(saturated),
        swing=0.1 / float(high - low),
    )


def _read_chain(result: Result, bench: DeviceTestbench) -> tuple[float, float]:
    time = np.asarray(result.signals["time"].values, dtype=np.float64)
    before, after = (
        np.asarray(result.signals[f"v(n{k})"].values, dtype=np.float64) - bench.vdd / 2 for k in (_STAGE - 1, _STAGE)
    )
    fall = _crossing(time, after, rising=False) - _crossing(time, before, rising=True)
    rise = _crossing(time, after, rising=True) - _crossing(time, before, rising=False)
    return fall, rise


def _crossing(time: _Array, v: _Array, *, rising: bool) -> float:
    """First time (s) at which `v` passes zero in the given direction, by linear interpolation."""
    passed = (v[:-1] < 0) & (v[1:] >= 0) if rising else (v[:-1] >= 0) & (v[1:] < 0)
    where = np.flatnonzero(passed)
    if where.size == 0:
        raise EngineError("device bench: an inverter of the FO4 chain does not switch in time")
    i = int(where[0])
    return float(time[i] - v[i] * (time[i + 1] - time[i]) / (v[i + 1] - v[i]))
