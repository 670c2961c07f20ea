"""One bit line and one word line as uniform ladders: what a cell adds, from the run's elements."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.network import LinearNetwork
from metalrom.exporters.run_data import RunData

SURROUNDINGS = "the far ends of all other lines at AC ground, every cell stores 1"


@dataclass(frozen=True, slots=True)
class Ladder:
    """`cells` times one series resistance (ohm) and, behind it, one capacitance (F) and conductance (S) to ground."""

    name: str
    cells: int
    resistance: float
    capacitance: float
    conductance: float

    def network(self) -> LinearNetwork:
        """Nodes 0 (near end) to `cells` (far end)."""
        near, far = np.arange(self.cells), np.arange(1, self.cells + 1)
        network = LinearNetwork(self.cells + 1)
        network.add_resistors(near, far, self.resistance)
        network.add_capacitors(far, -1, self.capacitance)
        if self.conductance:
            network.add_conductances(far, -1, self.conductance)
        return network

    def scattering(self, hertz: FloatArray, z0: float) -> NDArray[np.complex128]:
        """S between its ends, shape (frequencies, 2, 2), by the chain matrix: one cell's to the power of `cells`."""
        y = self.conductance + 2j * np.pi * hertz * self.capacitance
        cell = np.empty((len(hertz), 2, 2), complex)
        cell[:, 0, 0], cell[:, 0, 1] = 1 + self.resistance * y, self.resistance
        cell[:, 1, 0], cell[:, 1, 1] = y, 1.0
        a, b, c, d = np.moveaxis(np.linalg.matrix_power(cell, self.cells).reshape(-1, 4), 1, 0)
        total = a + b / z0 + c * z0 + d
        # of a chain of determinant 1
        out = np.array([[a + b / z0 - c * z0 - d, 2 + 0 * a], [2 + 0 * a, -a + b / z0 - c * z0 + d]]) / total
        return np.moveaxis(out, 2, 0)


def ladders(source: RunData) -> tuple[Ladder, Ladder]:
    """The bit line of one group and the word line of one plane. Raises InputError for a cell without their elements."""
    cell, g = source.results.cell, source.results.macro_geometry
    value = {e.name: e.value for e in cell.elements}
    for name in ("R_bl", "R_row"):
        if name not in value:
            raise InputError(f"cell {cell.kind} does not define {name}", hint="its line model cannot be exported")
    plug = 1 / value["R_plug"] if "R_plug" in value else 0.0
    bit = _load(value, {"bl"})
    word = _load(value, {"s", "tab"})  # a cell that stores 1 ties its tab to the word line
    return (
        Ladder("bit_line", source.table.rows, value["R_bl"], bit, plug),
        Ladder("word_line", g.columns, value["R_row"], word, plug),
    )


def _load(value: dict[str, float], nets: set[str]) -> float:
    """Capacitance from `nets` of a cell to everything else, F; a line's coupling to the next one counts both sides."""
    total = 0.0
    for name, farad in value.items():
        kind, *ends = name.split("_")
        if kind != "C" or len(ends) != 2:
            continue
        inside = [end in nets for end in ends]
        if ends[0] == ends[1]:
            total += 2 * farad * inside[0]
        elif any(inside) and not all(inside):
            total += farad
    return total
