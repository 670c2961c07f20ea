"""Fits a model of a figure over keys of a design: simulates where the fit is least sure, until it is sure enough."""

from __future__ import annotations

import math
import platform
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from characterization.models.adaptive import AdaptiveResult, Round, adaptive_fit
from characterization.models.box import Domain
from characterization.models.group_bench import GroupBench, check_setup
from characterization.models.surrogate import SurrogateModel
from characterization.testbench import Testbench
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from metalrom.design.design import Design
from metalrom.design.readout import with_ideal_default
from metalrom.design.setup import group_setup
from metalrom.folders import cache_folder
from metalrom.formatting import amount
from metalrom.run.characterize import group_rows
from metalrom.studies.surrogates.axes import KEYS, DesignFamily
from metalrom.studies.surrogates.file import ModelFile
from metalrom.studies.surrogates.laws import form_of
from metalrom.version import __version__
from ngspice_runner import Cache, Workers

Announce = Callable[[str], None]
Progress = Callable[[int, int], None]

MIN_POINTS = 20
"""Points that a fit begins with, at least: the folds of its cross-validation hold two each."""
MIN_ROWS = 4
"""Of a group: stands in for one that is yet to be chosen."""
TARGET_COVERAGE = 0.95
"""Of the box that is to be within the error asked for."""
_CHECK_SEED = 902


@dataclass(frozen=True, slots=True)
class HeldOutErrors:
    """Errors at places that no fit saw: relative, and the share inside of the 95 % interval."""

    points: int
    rms: float
    largest: float
    coverage: float


@dataclass(frozen=True)
class FittedSurrogate:
    """The file to write, the sampling's way, held-out places if some were asked for, and the work done now.

    simulated, cached: distinct decks. engine_seconds: CPU of those simulated now.
    """

    file: ModelFile
    result: AdaptiveResult
    held: HeldOutErrors | None
    simulated: int
    cached: int
    engine_seconds: float

    @property
    def reached(self) -> bool:
        """Whether the model is within the error that was asked for."""
        return self.result.stopped == "target"


def first_points(box: Domain) -> int:
    """Simulated places that a fit of this box begins with."""
    return max(4 * box.dims, MIN_POINTS)


def fit_model(
    design: Design,
    box: Domain,
    name: str,
    *,
    error: float,
    most: int,
    seed: int,
    check: int = 0,
    jobs: Workers = None,
    announce: Announce = lambda text: None,
    progress: Progress = lambda done, total: None,
) -> FittedSurrogate:
    """Simulate and fit the quantity `name` until 95 % of the box are predicted to within the relative error `error`.

    most: bound on simulated places. check: further places, drawn from the box, at which the finished model is judged.
    Raises InputError for a corner of the box that the configuration's rules forbid, a cell that two reads do not tell,
    a bound too small, or a quantity that passes zero; EngineError for a failed read.
    """
    design = with_ideal_default(design)
    first = first_points(box)
    if most < first:
        raise InputError(f"{most} points are too few for {box.dims} keys", where="--most", hint=f"{first} at least")
    design.check_characterized()
    with Cache(cache_folder("simulations")) as cache:
        bench = GroupBench(name, cache=cache, workers=jobs)
        rows = round(box.inputs[box.names.index("array.group_rows")].low) if "array.group_rows" in box.names else None
        DesignFamily(design, box, 0, rows or MIN_ROWS).check()  # before anything is extracted or simulated
        plane = design.worst_plane if len(design.planes) > 1 else 0
        family = DesignFamily(design, box, plane, rows or group_rows(design))
        family.check()
        place = _Place(family, bench, lambda done: progress(done, most + check))
        middle = place.setup(box.from_unit(np.full((1, box.dims), 0.5))[0])
        check_setup(middle)
        unit = bench.quantity.unit_of(middle)
        form, free = form_of(name, unit, box, middle)
        announce(f"fitting {name} over {box.dims} keys, starting from {first} points")

        def watch(model: SurrogateModel, state: Round) -> None:
            announce(f"{state.points} points: {100 * TARGET_COVERAGE:g} % of the box within {_percent(state.estimate)}")

        result = adaptive_fit(
            name, unit, box, place.simulate,
            form=form, free=free, target=error, quantile=TARGET_COVERAGE, initial=first, most=most, seconds=math.inf,
            seed=seed, source=f"metalrom {__version__}", watch=watch,
        )  # fmt: skip
        decks, extractions = len(bench.seen), dict(sorted(place.extractions.items()))
        held = None
        if check:
            announce(f"simulating {check} further points held out from the fit")
            held = _held(result.model, box.uniform(check, _CHECK_SEED + seed), place.simulate)
    fresh = [p for p in bench.seen.values() if not p.cached]
    about = {
        **_about(family, bench, middle, result, error, seed),
        "simulations": {
            "places": len(result.points),
            "ngspice": decks,
            "closed_form": len(result.points) if bench.closed_form else 0,
            "extractions": extractions,
        },
        "checked": None if held is None else asdict(held),
    }
    return FittedSurrogate(
        ModelFile(result.model, about), result, held, len(fresh), len(bench.seen) - len(fresh),
        sum(p.cpu_seconds for p in fresh),
    )  # fmt: skip


class _Place:
    """Points of the box as setups, simulated in batches. extractions: cells by the method that gave them."""

    def __init__(self, family: DesignFamily, bench: GroupBench, tell: Callable[[int], None]) -> None:
        self.family, self.bench = family, bench
        self.extractions: Counter[str] = Counter()
        self._seen: set[tuple[str, ...]] = set()
        self._tell, self._done = tell, 0

    def setup(self, point: FloatArray) -> Testbench:
        values = self.values(point)
        design = self.family.at(values)
        setup = group_setup(design, self.family.rows_at(values), nominal_only=True)
        drawn = setup.model.geometry_keys or (setup.model.sha256,)
        if drawn not in self._seen:
            self._seen.add(drawn)
            self.extractions[setup.model.method] += 1
        return setup

    def values(self, point: FloatArray) -> dict[str, float]:
        return dict(zip(self.family.box.names, map(float, point), strict=True))

    def simulate(self, points: FloatArray) -> FloatArray:
        half = len(points) / 2  # of the work of a place: its cell; the other half: its reads
        setups = []
        for k, point in enumerate(points):
            setups.append(self.setup(point))
            self._tell(self._done + (k + 1) // 2)
        found = self.bench.run(
            setups, progress=lambda state: self._tell(self._done + round(half + half * state.done / state.total))
        )
        self._done += len(points)
        for point, value in zip(points, found, strict=True):
            if not value > 0:
                at = ", ".join(f"{k} {amount(v, KEYS[k])}" for k, v in self.values(point).items())
                raise InputError(
                    f"{self.bench.quantity.name} is {value:g} at {at}: "
                    "a relative error is undefined where it crosses zero",
                    where="--quantity",
                    hint="narrow the ranges, or fit lsb",
                )
        return found


def _held(model: SurrogateModel, points: FloatArray, simulate: Callable[[FloatArray], FloatArray]) -> HeldOutErrors:
    truth = simulate(points)
    message = model.predict(points)
    error = np.abs(message.mean / truth - 1.0)
    inside = (message.low <= truth) & (truth <= message.high)
    return HeldOutErrors(len(points), float(np.sqrt(np.mean(error**2))), float(error.max()), float(inside.mean()))


def _about(
    family: DesignFamily, bench: GroupBench, middle: Testbench, result: AdaptiveResult, error: float, seed: int
) -> dict[str, Any]:
    """Provenance: the same for the same simulations, whether run now or found in the cache."""
    design = family.base
    c, t = design.config, design.technology
    engine = next((p.engine for p in bench.seen.values()), "")
    return {
        "project": c.name,
        "meaning": bench.quantity.meaning,
        "error": {"asked": error, "reached": result.estimate, "share": TARGET_COVERAGE, "stopped": result.stopped},
        "condition": _held_fixed(family),
        "plane": design.planes[family.plane].label,
        "keys": [
            {"key": i.name, "low": i.low, "high": i.high, "unit": i.unit, "scale": "log" if i.log else "linear"}
            for i in family.box.inputs
        ],
        "configuration": {
            "file": design.path.name,
            "sha256": design.sha256,
            "content": c.model_dump(mode="json", exclude_none=True),
        },
        "versions": {
            "metalrom": __version__,
            "engine": engine,
            "python": platform.python_version(),
            **_versions("numpy", "scipy", "scikit-learn"),
        },
        "technology": {
            "stack": f"{t.stack.name}, sha256 {t.stack.sha256}",
            "devices": f"{t.devices.name}, sha256 {t.devices.sha256}",
            "extraction": middle.model.method,
            "extraction_error": middle.model.relative_error,
        },
        "seed": seed,
        "assumptions": _assumptions(bench, middle),
        "warnings": list(t.warnings),
    }


def _held_fixed(family: DesignFamily) -> str:
    """Corner, supply and temperature in words, as far as they are not varied."""
    nominal = family.base.conditions[0]
    out = [nominal.corner]
    if "conditions.vdd" not in family.box.names:
        out.append(f"{nominal.vdd:g} V")
    if "conditions.temperature" not in family.box.names:
        out.append(f"{nominal.temperature:g} degC")
    return ", ".join(out)


def _versions(*names: str) -> Mapping[str, str]:
    return {name: version(name) for name in names}


def _assumptions(bench: GroupBench, setup: Testbench) -> list[dict[str, str]]:
    """Inputs that nothing here has measured."""
    out = [
        ("pattern", "every row driven, neighbours of the column store zeros (settling: ones)", "assumption",
         "metalrom fit"),
        ("other columns", f"load the rows with a share of ones of {setup.ones:.3g}", "measured", "the layer's weights"),
        ("keys that are not varied", "as in the configuration, nominal condition", "user", "configuration"),
        ("readout input load", f"{setup.periphery.sense_capacitance * 1e18:g} aF per bit line", "assumption",
         "configuration, periphery.sense_capacitance"),
    ]  # fmt: skip
    if bench.quantity.name == "sigma_static":
        out += [
            ("cell mismatch", f"{100 * setup.variation.cell_sigma:g} % per cell at the middle", "estimate",
             setup.variation.source),
            ("thresholds of row drivers", "not part of the spread", "assumption", "metalrom fit"),
        ]  # fmt: skip
    return [dict(zip(("name", "value", "status", "source"), row, strict=True)) for row in out]


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
