"""What the further procedures of a run found, read from its procedures.json: the parts that the report draws."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from interconnect.errors import DamagedFile
from interconnect.validation import input_error
from metalrom.run.folder import PROCEDURES, Run

"""A number that a procedure could not give is null in this file and None here."""

Kind = TypeVar("Kind")


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One line of the table of findings; value in `unit` (SI, `LSB` or empty), None: the procedure had none."""

    procedure: str
    name: str
    value: float | None
    unit: str
    at: str = ""


@dataclass(frozen=True, slots=True)
class Wave:
    """Levels at one condition: `level` and `ideal` (closed formula) per count, `wave` (counts, times); V or A, s."""

    condition: str
    counts: tuple[int, ...]
    level: tuple[float | None, ...]
    ideal: tuple[float | None, ...]
    time: tuple[float, ...]
    wave: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True, slots=True)
class LossMap:
    """Share of a cell's step that is lost on the wires, shape (rows, columns), at these rows and columns."""

    rows: tuple[int, ...]
    columns: tuple[int, ...]
    loss: tuple[tuple[float | None, ...], ...]


@dataclass(frozen=True, slots=True)
class Levels:
    """Findings of `readout_current`."""

    unit: str
    curves: tuple[Wave, ...]
    map: LossMap


@dataclass(frozen=True, slots=True)
class Settled:
    """Slowest pattern of a condition: seconds to stay within each band of the end."""

    condition: str
    active: int
    count: int
    times: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class SettlingTimes:
    """Findings of `settling`; bands in LSB."""

    bands: tuple[float, ...]
    worst: tuple[Settled, ...]


@dataclass(frozen=True, slots=True)
class NoisePoint:
    """Thermal noise of one column, V or A: simulated and in closed form."""

    condition: str
    switch: str
    count: int
    unit: str
    simulated: float | None
    closed_form: float | None


@dataclass(frozen=True, slots=True)
class NoisePoints:
    """Findings of `noise`."""

    points: tuple[NoisePoint, ...]


@dataclass(frozen=True, slots=True)
class Shift:
    """Counts by which a pattern of the neighbours moves a level."""

    condition: str
    pattern: str
    count: int
    shift: float | None


@dataclass(frozen=True, slots=True)
class Shifts:
    """Findings of `crosstalk`."""

    shifts: tuple[Shift, ...]
    scope: str


@dataclass(frozen=True, slots=True)
class Extreme:
    """One end of the search: LSB from the ideal line; genes (rows, 4): input, left, target and right bit."""

    deviation: float | None
    active: int
    count: int
    genes: tuple[tuple[int, int, int, int], ...]
    transistor_deviation: float | None


@dataclass(frozen=True, slots=True)
class Extremes:
    """Findings of `worst_pattern`; typical: rms deviation of drawn patterns, LSB."""

    condition: str
    typical: float | None
    high: Extreme
    low: Extreme
    evaluations: int


@dataclass(frozen=True, slots=True)
class ReadEnergy:
    """Energy of one read of the whole group, J: the array's metal and the drivers' own."""

    condition: str
    active: int
    count: int
    array: float | None
    drivers: float | None


@dataclass(frozen=True, slots=True)
class Energies:
    """Findings of `energy`."""

    columns: int
    reads: tuple[ReadEnergy, ...]


@dataclass(frozen=True, slots=True)
class StaticState:
    """Static power of a group in one state, W."""

    condition: str
    state: str
    power: float | None


@dataclass(frozen=True, slots=True)
class StaticStates:
    """Findings of `leakage`."""

    states: tuple[StaticState, ...]


@dataclass(frozen=True, slots=True)
class Bounce:
    """Change of a level by the supply's resistance, LSB."""

    condition: str
    count: int
    change: float | None


@dataclass(frozen=True, slots=True)
class Bounces:
    """Findings of `supply`; resistance in ohm (an assumption)."""

    resistance: float
    levels: tuple[Bounce, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """Findings of a run beside its readout table; None: the procedure was not run.

    rows: figures of every procedure, also of those without a chart. read_after: s from the input edge to the sample.
    """

    rows: tuple[FigureRow, ...] = ()
    read_after: float | None = None
    readout_current: Levels | None = None
    settling: SettlingTimes | None = None
    noise: NoisePoints | None = None
    crosstalk: Shifts | None = None
    worst_pattern: Extremes | None = None
    energy: Energies | None = None
    leakage: StaticStates | None = None
    supply: Bounces | None = None

    @property
    def procedures(self) -> tuple[str, ...]:
        """Names of the procedures with figures, in the order of the run."""
        return tuple(dict.fromkeys(row.procedure for row in self.rows))


_KINDS: dict[str, type[Any]] = {
    "readout_current": Levels, "settling": SettlingTimes, "noise": NoisePoints, "crosstalk": Shifts,
    "worst_pattern": Extremes, "energy": Energies, "leakage": StaticStates, "supply": Bounces,
}  # fmt: skip


def measured_of(run: Run) -> Measured | None:
    """The results of a run's further procedures; None if none ran. Raises DamagedFile."""
    data, path = run.procedures, run.path / PROCEDURES
    if not data:
        return None
    found = {name: _typed(kind, data[name], path, name) for name, kind in _KINDS.items() if name in data}
    if "worst_pattern" in found and not found["worst_pattern"].high.genes:
        raise _damaged(path, "worst_pattern: no genes")
    return Measured(rows=_typed(tuple[FigureRow, ...], data.get("figures", ()), path, "figures"), **found)


def _typed(kind: type[Kind], data: object, path: Path, name: str) -> Kind:
    try:
        return TypeAdapter(kind).validate_python(data)
    except ValidationError as error:
        raise _damaged(path, f"{name}: {input_error(error)}") from error


def _damaged(path: Path, reason: str) -> DamagedFile:
    return DamagedFile(
        f"is damaged or of another version ({reason})", where=str(path), hint="run the configuration again"
    )
