"""Readout circuits at transistor level, measured in ngspice: comparator, samplers, current sense, converters.

    python benchmarks/readout.py [--only comparator,analog,ramp,sar,flash] [--samples 200] [--seed 1] [--workers N]
    python benchmarks/readout.py --decks FOLDER        write the example decks (docs/examples/netlists) and stop

Typical corner, nominal supply, 27 degC. Areas are sums of gate areas W L, a lower bound of a layout.
"""

from __future__ import annotations

import argparse
import resource
from pathlib import Path

import numpy as np

from characterization.readout.comparator import decision, offset_spread
from characterization.readout.converters import adc_edges, conversion_cost, fitted_twin
from characterization.readout.linearity import Edges
from characterization.readout.sampling import sampler_readings, sampling_noise
from characterization.readout.testbench import ReadoutTestbench
from characterization.readout.virtual_ground import current_sense_readings, design_resistance
from interconnect.files import atomic_file
from netlists.condition import Condition
from netlists.readout.cds import Sampler
from netlists.readout.converter import ConverterCircuit
from netlists.readout.current_sense import CurrentSense
from netlists.readout.examples import example_decks
from netlists.readout.flash import Flash
from netlists.readout.ramp import Ramp
from netlists.readout.sar import Sar
from netlists.technology import load_technology


def comparator(bench: ReadoutTestbench, samples: int, seed: int) -> None:
    """Offset spread, decision time and energy."""
    spread = offset_spread(bench, samples=samples, seed=seed)
    print(
        f"StrongARM offset, {samples} samples: sigma {spread.sigma * 1e3:.2f} +- {spread.sigma_error * 1e3:.2f} mV, ",
        end="",
    )
    print(f"input pair by hand {spread.hand * 1e3:.2f} mV, ratio {spread.sigma / spread.hand:.2f}; ", end="")
    print(f"mean {spread.offsets.mean() * 1e3:+.2f} mV; resolution {spread.resolution * 1e6:.0f} uV")
    for difference in (1e-3, 5e-3, 50e-3):
        d = decision(bench, difference)
        print(f"  decision at {difference * 1e3:4.0f} mV: {d.delay * 1e12:5.0f} ps, {d.energy * 1e15:5.1f} fJ")


def analog(bench: ReadoutTestbench) -> None:
    """Sampling with and without double sampling, current sense."""
    for correlated in (False, True):
        x = sampler_readings(bench, correlated=correlated)
        print(f"{'double' if correlated else 'plain'} sampling: gain {x.gain:.3f}, ", end="")
        print(
            f"{100 * x.residue:.2f} % of an offset after the reset is left, injection {x.injection * 1e3:.2f} mV",
            end="",
        )
        print(f" (a reset switch twice as wide moves it by {x.injection_change * 1e3:.3f} mV)")
    noise = sampling_noise(Sampler(), bench.condition.kelvin)
    told = ", ".join(f"{name} {value * 1e3:.2f} mV" for name, value in noise.items())
    print(f"  thermal noise by hand, at the bit line: {told} (double sampling removes the first, adds the second)")
    s = CurrentSense()
    r = current_sense_readings(bench, sense=s)
    print(f"current sense, {s.rows} rows of {s.read_voltage:g} V / {s.cell_resistance:g} ohm: ", end="")
    print(f"input {r.input_resistance:.0f} ohm at rest (design {design_resistance(bench, r, sense=s):.0f}), ", end="")
    print(f"{r.dynamic_resistance:.0f} ohm while integrating; offset {r.offset * 1e3:.1f} mV")
    print(f"  {r.step * 1e3:.2f} mV per row, nonlinearity {r.nonlinearity:.3f} rows, ", end="")
    print(f"{r.energy * 1e15:.0f} fJ per read of {s.cycle * 1e9:g} ns")


def converter(bench: ReadoutTestbench, adc: ConverterCircuit) -> None:
    """Linearity, agreement with the twin, cost."""
    edges = adc_edges(bench, adc)
    twin = adc_edges(bench, fitted_twin(adc, edges) if isinstance(adc, Sar) else adc, "behavioral")
    cost = conversion_cost(bench, adc)
    name = f"{type(adc).__name__} {adc.bits} bits"
    print(f"{name:14} DNL {worst(edges.dnl)} INL {worst(edges.inl)} LSB, missing codes {len(edges.missing)}, ", end="")
    print(f"offset {edges.offset:+.2f} LSB, gain {edges.gain:.4f}, edges known to +-{uncertainty(edges)} LSB, ", end="")
    print(f"{edges.conversions} conversions; twin differs by {np.abs(edges.deviation - twin.deviation).max():.3f} LSB")
    parts = sorted(cost.sources.items(), key=lambda item: -abs(item[1]))[:3]
    print(f"  {cost.time * 1e9:g} ns, {cost.energy * 1e15:.0f} fJ per conversion (", end="")
    print(", ".join(f"{source} {joule * 1e15:.0f}" for source, joule in parts), end="; ")
    print(f"...), gates {cost.gate_area * 1e12:.1f} um2, capacitors {cost.capacitance * 1e15:.0f} fF")


def worst(values: np.ndarray) -> str:
    """Largest absolute value."""
    return f"{np.abs(values).max():.3f}"


def uncertainty(edges: Edges) -> str:
    """Half bracket in codes."""
    return f"{edges.uncertainty / edges.step:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="comparator,analog,ramp,sar,flash")
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=None)
    parser.add_argument("--decks", type=Path, help="folder for the example decks")
    arguments = parser.parse_args()
    technology = load_technology("open45", "open45")
    if arguments.decks is not None:
        arguments.decks.mkdir(parents=True, exist_ok=True)
        for stem, deck in example_decks(technology).items():
            with atomic_file(arguments.decks / f"{stem}.cir") as file:
                file.write(deck.text.encode("ascii"))
        return
    bench = ReadoutTestbench(technology, Condition("tt", technology.devices.vdd, 27.0), workers=arguments.workers)
    jobs = {
        "comparator": lambda: comparator(bench, arguments.samples, arguments.seed),
        "analog": lambda: analog(bench),
        "ramp": lambda: converter(bench, Ramp()),
        "sar": lambda: converter(bench, Sar()),
        "flash": lambda: converter(bench, Flash()),
    }
    for name in arguments.only.split(","):
        if name not in jobs:
            parser.error(f"there is no part {name!r}: {', '.join(jobs)}")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        jobs[name]()
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        print(
            f"  [{after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime:.0f} s CPU of ngspice]",
            flush=True,
        )


if __name__ == "__main__":
    main()
