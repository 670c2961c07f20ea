"""A result, or the results of a sweep, as an xarray Dataset."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ngspice_runner.export import analyses_of
from ngspice_runner.job import Result
from ngspice_runner.waveforms import is_sweep


def to_xarray(result: Result) -> xr.Dataset:
    """A result as a Dataset.

    Parameters
    ----------
    result
        Any result with signals.

    Returns
    -------
    xarray.Dataset
        One dimension per swept analysis, named like its sweep (`time`, `tran2.time`), with the sweep as coordinate.
        Signals are variables with attribute `units`; what has no sweep and one point, and measures, are scalars.
        Attributes: verdict, key, engine, backend, notes, and seed where there is one.
    """
    variables: dict[str, tuple[tuple[str, ...], object, dict[str, str]]] = {}
    coordinates: dict[str, tuple[tuple[str, ...], object, dict[str, str]]] = {}
    for group in analyses_of(result):
        start = f"{group.prefix}." if group.prefix else ""
        first = group.signals[0]
        points = len(first.values)
        dimension = f"{start}{first.name}" if is_sweep(first.name) else f"{start}point"
        scalar = points == 1 and not is_sweep(first.name)
        for signal in group.signals:
            values = signal.values[0] if scalar else np.asarray(signal.values)
            entry = (() if scalar else (dimension,), values, {"units": signal.unit} if signal.unit else {})
            if f"{start}{signal.name}" == dimension:
                coordinates[dimension] = (entry[0], np.asarray(signal.values.real), entry[2])
            else:
                variables[f"{start}{signal.name}"] = entry
    variables |= {name: ((), value, {}) for name, value in result.measures.items()}
    attributes: dict[str, object] = {"verdict": result.verdict.value}
    found = result.provenance
    if found is not None:
        attributes |= {"key": found.key, "engine": found.engine, "backend": found.backend, "notes": list(found.notes)}
        attributes |= {} if found.seed is None else {"seed": found.seed}
    return xr.Dataset(variables, coordinates, attributes)
