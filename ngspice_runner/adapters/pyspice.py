"""The harness under PySpice's call signatures: `simulator(circuit).transient(...)` in place of `circuit.simulator()`.

A circuit is anything whose `str` is a netlist without analyses, such as PySpice's and InSpice's `Circuit`, or the text.
Results are read as theirs: `analysis["out"]`, `analysis.out`, `analysis.time`, `analysis.nodes`, `analysis.branches`.
PySpice itself is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, SupportsFloat

import numpy as np
from numpy.typing import NDArray

from ngspice_runner.adapters.errors import NotOk
from ngspice_runner.cache import Cache
from ngspice_runner.engine import Engine
from ngspice_runner.errors import JobError
from ngspice_runner.executor import run
from ngspice_runner.job import Job, Result, Signal
from ngspice_runner.waveforms import SWEEPS


class WaveForm(np.ndarray[Any, Any]):
    """A vector with `name`, `unit` (V, A, s, Hz) and `abscissa`, the sweep that it belongs to or None."""

    name: str
    unit: str
    abscissa: WaveForm | None

    @classmethod
    def of(cls, signal: Signal, name: str, abscissa: WaveForm | None = None) -> WaveForm:
        """A signal under the name that PySpice gives it."""
        wave = np.asarray(signal.values).view(cls)
        wave.name, wave.unit, wave.abscissa = name, signal.unit, abscissa
        return wave

    def __array_finalize__(self, source: NDArray[Any] | None) -> None:
        self.name = getattr(source, "name", "")
        self.unit = getattr(source, "unit", "")
        self.abscissa = getattr(source, "abscissa", None)

    def __float__(self) -> float:
        """The value of a vector of one point, as of an operating point."""
        return float(np.asarray(self).reshape(-1)[0].real) if self.size == 1 else float(np.asarray(self))


class Analysis:
    """Waveforms of one analysis by name: a node, a source or inductor, or `@device[parameter]`."""

    def __init__(self, result: Result) -> None:
        self.result = result
        sweep = next((result.signals[name] for name in SWEEPS if name in result.signals), None)
        self.sweep = None if sweep is None else WaveForm.of(sweep, sweep.name)
        self.nodes: dict[str, WaveForm] = {}
        self.branches: dict[str, WaveForm] = {}
        self.internal_parameters: dict[str, WaveForm] = {}
        for name, signal in result.signals.items():
            wave_name = name[2:-1] if name.startswith(("v(", "i(")) else name
            if sweep is not None and name == sweep.name:
                continue
            group = self.nodes if name.startswith("v(") else self.branches if name.startswith("i(") else None
            group = self.internal_parameters if group is None else group
            group[wave_name] = WaveForm.of(signal, wave_name, self.sweep)

    @property
    def time(self) -> WaveForm:
        """The sweep of a transient."""
        return self._sweep("time")

    @property
    def frequency(self) -> WaveForm:
        """The sweep of a small-signal analysis."""
        return self._sweep("frequency")

    def _sweep(self, name: str) -> WaveForm:
        if self.sweep is None or self.sweep.name != name:
            raise AttributeError(f"the analysis has no {name}")
        return self.sweep

    def __getitem__(self, name: str) -> WaveForm:
        """The waveform of a name; IndexError as PySpice raises it."""
        lowered = name.lower()
        for group in (self.nodes, self.branches, self.internal_parameters):
            if lowered in group:
                return group[lowered]
        raise IndexError(name)

    def __getattr__(self, name: str) -> WaveForm:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self[name]
        except IndexError:
            raise AttributeError(name) from None


class CircuitSimulator:
    """Analyses of a circuit, each run and judged by the harness; a result that is not ok raises `NotOk`."""

    def __init__(
        self,
        circuit: object,
        temperature: SupportsFloat = 25,
        nominal_temperature: SupportsFloat = 25,
        *,
        backend: str = "process",
        cache: Cache | None = None,
        engine: Engine | None = None,
        timeout: float = 120.0,
        folder: str | None = None,
    ) -> None:
        lines = [line for line in str(circuit).splitlines() if line.strip().lower() != ".end"]
        if not lines:
            raise JobError("the circuit is empty")
        self._lines = lines
        self._run = {"backend": backend, "cache": cache, "engine": engine}
        self._timeout, self._folder = timeout, folder
        self._options = {"temp": repr(float(temperature)), "tnom": repr(float(nominal_temperature))}
        self._cards: list[str] = []
        self._saves: list[str] = []

    def options(self, *flags: str, **values: object) -> None:
        """Options of the engine by name."""
        self._options |= dict.fromkeys(flags, "") | {name: str(value) for name, value in values.items()}

    def initial_condition(self, **voltages: SupportsFloat) -> None:
        """`.ic` of nodes."""
        self._cards.append(".ic " + _assignments(voltages))

    def node_set(self, **voltages: SupportsFloat) -> None:
        """`.nodeset` of nodes."""
        self._cards.append(".nodeset " + _assignments(voltages))

    def save(self, *names: str) -> None:
        """Outputs that must be there; all nodes and branches if none is named."""
        self._saves += [str(name) for name in names]

    def operating_point(self) -> Analysis:
        """`.op`."""
        return self._analysis(".op")

    def dc(self, **sweeps: slice) -> Analysis:
        """`.dc` of sources: `dc(Vinput=slice(-2, 5, 0.01))`; the first one is the inner sweep."""
        if not 1 <= len(sweeps) <= 2:
            raise JobError(f"dc sweeps one or two sources, got {len(sweeps)}")
        words = [f"{name} {_number(s.start)} {_number(s.stop)} {_number(s.step)}" for name, s in sweeps.items()]
        return self._analysis(f".dc {' '.join(words)}")

    def ac(
        self, variation: str, number_of_points: int, start_frequency: SupportsFloat, stop_frequency: SupportsFloat
    ) -> Analysis:
        """`.ac` with variation dec, oct or lin."""
        return self._analysis(
            f".ac {variation} {int(number_of_points)} {_number(start_frequency)} {_number(stop_frequency)}"
        )

    def transient(
        self,
        step_time: SupportsFloat,
        end_time: SupportsFloat,
        start_time: SupportsFloat = 0,
        max_time: SupportsFloat | None = None,
        use_initial_condition: bool = False,
    ) -> Analysis:
        """`.tran`."""
        words = [_number(step_time), _number(end_time), _number(start_time)]
        words += [] if max_time is None else [_number(max_time)]
        return self._analysis(f".tran {' '.join(words)}{' uic' if use_initial_condition else ''}")

    def noise(
        self,
        output_node: str,
        ref_node: str,
        src: str,
        variation: str,
        points: int,
        start_frequency: SupportsFloat,
        stop_frequency: SupportsFloat,
    ) -> Analysis:
        """`.noise`; `onoise_spectrum`, `onoise_total` and their like are internal parameters."""
        node = f"v({output_node})" if str(ref_node) in ("0", "gnd") else f"v({output_node},{ref_node})"
        sweep = f"{variation} {int(points)} {_number(start_frequency)} {_number(stop_frequency)}"
        return self._analysis(f".noise {node} {src} {sweep}")

    def transfer_function(self, outvar: str, insrc: str) -> Analysis:
        """`.tf`; `transfer_function` and its like are nodes."""
        return self._analysis(f".tf {outvar} {insrc}")

    def _analysis(self, card: str) -> Analysis:
        if "\n" in card:
            raise JobError(f"{card.splitlines()[0]!r}: an analysis is one line")
        text = "\n".join([*self._lines, *self._cards, card, ".end"]) + "\n"
        options = tuple(self._options.items())
        job = Job(text, tuple(self._saves), timeout=self._timeout, options=options, folder=self._folder)
        result = run(job, **self._run)  # type: ignore[arg-type]
        if not result.ok:
            raise NotOk(result)
        return Analysis(result)


def simulator(
    circuit: object, temperature: SupportsFloat = 25, nominal_temperature: SupportsFloat = 25, **how: Any
) -> CircuitSimulator:
    """In place of `circuit.simulator(temperature=25, nominal_temperature=25)`; `how` as for `CircuitSimulator`."""
    return CircuitSimulator(circuit, temperature, nominal_temperature, **how)


def _number(value: Any) -> str:
    return repr(float(value))


def _assignments(voltages: Mapping[str, SupportsFloat]) -> str:
    return " ".join(f"v({name})={_number(value)}" for name, value in voltages.items())
