"""One operation of a column of local arrays: what they store, which row is read, the inputs, the deviations."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from interconnect.arrays import FloatArray, IntArray
from interconnect.errors import InputError
from netlists.baselines.base import BaselineCell, BaselineDevice
from netlists.baselines.computing import BaselineComputing
from netlists.devices.device_set import DeviceSet

MAX_LOCAL_ROWS = 64
"""Rows of a local array; more would make the local bit line a long one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineDeviations:
    """Threshold shifts in V (the simulator's `delvto`); None means nominal.

    cell: of the selected cell of each local array, shape (locals, devices of the cell). lcc: of the computing cells,
    shape (locals, devices of the computing cell). Rows that are not selected stay nominal.
    """

    cell: FloatArray | None = None
    lcc: FloatArray | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BaselineStimulus:
    """Local arrays along one compute line.

    symbols: stored symbols, shape (locals, rows per local array). selected: the row whose word line rises in each
    local array, shape (locals,). inputs: activation bits, 0 or 1, shape (locals,).
    """

    symbols: IntArray
    selected: IntArray
    inputs: IntArray
    deviations: BaselineDeviations = field(default_factory=BaselineDeviations)

    def __post_init__(self) -> None:
        symbols = _whole(self.symbols, "symbols")
        if symbols.ndim != 2 or symbols.size == 0:
            raise InputError(
                f"baseline stimulus: symbols have shape {symbols.shape}, expected (locals, rows per local array)"
            )
        if symbols.shape[1] > MAX_LOCAL_ROWS:
            raise InputError(
                f"baseline stimulus: {symbols.shape[1]} rows per local array exceed the limit of {MAX_LOCAL_ROWS}"
            )
        if symbols.min() < 0:
            raise InputError("baseline stimulus: symbols may not be negative")
        for name, limit, what in (("selected", symbols.shape[1], "rows"), ("inputs", 2, "values 0 and 1")):
            value = _whole(getattr(self, name), name)
            if value.shape != (symbols.shape[0],):
                raise InputError(f"baseline stimulus: {name} have shape {value.shape}, expected ({symbols.shape[0]},)")
            if value.min() < 0 or value.max() >= limit:
                raise InputError(f"baseline stimulus: {name} must lie in 0 to {limit - 1}, there are {limit} {what}")
            object.__setattr__(self, name, value)
        object.__setattr__(self, "symbols", symbols)
        for name in ("cell", "lcc"):
            shift = getattr(self.deviations, name)
            if shift is not None and (
                np.ndim(shift) != 2 or np.shape(shift)[0] != self.locals or not np.isfinite(shift).all()
            ):
                raise InputError(
                    f"baseline stimulus: deviations.{name} must be finite with shape ({self.locals}, devices)"
                )

    @property
    def locals(self) -> int:
        """Number of local arrays (and computing cells) on the compute line."""
        return int(self.symbols.shape[0])

    @property
    def rows(self) -> int:
        """Rows of a local array."""
        return int(self.symbols.shape[1])

    @property
    def read(self) -> IntArray:
        """The selected symbol of each local array, shape (locals,)."""
        return np.asarray(self.symbols[np.arange(self.locals), self.selected])

    @property
    def count(self) -> int:
        """Ideal sum of input times selected symbol."""
        return int(np.sum(self.read * self.inputs))


def _whole(value: ArrayLike, name: str) -> IntArray:
    array: NDArray[Any] = np.asarray(value)
    if array.dtype == bool:
        array = array.astype(np.int64)
    if array.dtype.kind not in "iu":
        raise InputError(f"baseline stimulus: {name} must be whole numbers")
    return array.astype(np.int64)


def sigmas(devices: DeviceSet, transistors: tuple[BaselineDevice, ...], length: float) -> FloatArray:
    """Standard deviation of each transistor's own threshold, V, shape (transistors,)."""
    return np.array([devices.sigma_vth("nmos" if t.type == "n" else "pmos", t.width, length) for t in transistors])


def draw_baseline_deviations(
    devices: DeviceSet, cell: BaselineCell, lcc: BaselineComputing, locals_: int, seed: np.random.SeedSequence
) -> BaselineDeviations:
    """One draw for the selected cells and computing cells of `locals_` local arrays: avt / sqrt(2 W L) per device."""
    rng = np.random.default_rng(seed)
    of_cell = sigmas(devices, cell.devices, cell.length)
    of_lcc = sigmas(devices, lcc.devices(cell.reading), lcc.length)
    return BaselineDeviations(
        cell=rng.standard_normal((locals_, of_cell.size)) * of_cell,
        lcc=rng.standard_normal((locals_, of_lcc.size)) * of_lcc,
    )
