"""Which weights and inputs put a given count on a bit line: near and far rows, quiet and busy neighbours."""

from dataclasses import dataclass

import numpy as np

from characterization.testbench import Testbench
from interconnect.arrays import ByteArray
from netlists.case import ColumnStimulus, Deviations

NEAR = "near"
FAR = "far"


@dataclass(frozen=True, slots=True)
class ColumnPattern:
    """bits: shape (rows, 3), symbols of left neighbour, target, right neighbour; inputs: shape (rows,), 0 or 1;
    position: columns between the row drivers and the left neighbour. symbol_values, shares: of the cell's symbols, see
    `ColumnStimulus`. pair: a symbol is the difference of a plus and a minus cell, see `split`."""

    name: str
    bits: ByteArray
    inputs: ByteArray
    position: int
    symbol_values: tuple[int, ...] = (0, 1)
    shares: tuple[float, ...] | None = None
    pair: bool = False

    def split(self) -> ByteArray:
        """Via bits of a pair of binary columns and of the columns beside it, shape (rows, 4): the left neighbour's
        minus column, plus, minus, the right neighbour's plus column."""
        value = np.asarray(self.symbol_values)[self.bits]
        return (np.stack([-value[:, 0], value[:, 1], -value[:, 1], value[:, 2]], axis=1) > 0).astype(np.uint8)

    def case(self, columns: int, ones: float, deviations: Deviations | None = None) -> ColumnStimulus:
        """The column to simulate: rows that run over `columns` columns, the others holding the share `ones` of ones."""
        if self.pair:
            bits = self.split()
            return ColumnStimulus(
                bits=bits,
                inputs=self.inputs,
                position=min(self.position, columns - bits.shape[1]),
                columns_total=columns,
                ones_fraction=ones,
                deviations=deviations or Deviations(),
                pair=True,
            )
        return ColumnStimulus(
            bits=self.bits,
            inputs=self.inputs,
            position=self.position,
            columns_total=columns,
            ones_fraction=ones,
            deviations=deviations or Deviations(),
            symbol_values=self.symbol_values,
            shares=self.shares,
        )


def random_names(number: int) -> tuple[str, ...]:
    """Names of drawn patterns: `random0`, `random1`..."""
    return tuple(f"random{i}" for i in range(number))


def build_pattern(
    name: str, rows: int, active: int, count: int, columns: int, seed: np.random.SeedSequence, ones: float = 0.5
) -> ColumnPattern:
    """A pattern with `active` driven rows of which `count` carry a via to the signal line.

    near: the counted rows are the last ones (next to the readout), the column is the first of its rows, both
    neighbours store zeros. far: counted rows first, last column, neighbours full of ones. Any other name: all drawn,
    stored bits with the share `ones` of ones.
    """
    rng = np.random.default_rng(seed)
    bits = (rng.random((rows, 3)) < ones).astype(np.uint8)
    inputs = np.zeros(rows, dtype=np.uint8)
    if name == NEAR:
        driven = np.arange(rows)[::-1][:active]
        bits[:, [0, 2]] = 0
        position = 0
    elif name == FAR:
        driven = np.arange(rows)[:active]
        bits[:, [0, 2]] = 1
        position = columns - 3
    else:
        driven = rng.permutation(rows)[:active]
        position = int(rng.integers(0, columns - 2))
    inputs[driven] = 1
    bits[driven, 1] = 0
    bits[driven[:count], 1] = 1
    return ColumnPattern(name, bits, inputs, position)


def pattern_of(setup: Testbench, name: str, active: int, count: int, seed: np.random.SeedSequence) -> ColumnPattern:
    """A pattern of the setup's cell: `build_pattern` for two symbols that count 0 and 1.

    Other cells: near and far as there, with the highest levels in as few rows as give the count and neighbours of the
    lowest or the highest level; any other name: symbols drawn with the layer's shares, those of the driven rows under
    the condition that they give the count.
    """
    rows, columns, values = setup.rows, setup.columns, setup.symbol_values
    if values == (0, 1):
        return build_pattern(name, rows, active, count, columns, seed, setup.ones)
    law, shares = setup.law, setup.symbol_shares
    rng = np.random.default_rng(seed)
    bits = rng.choice(len(values), size=(rows, 3), p=shares).astype(np.uint8)
    inputs = np.zeros(rows, dtype=np.uint8)
    if name in (NEAR, FAR):
        near = name == NEAR
        driven = np.arange(rows)[::-1][:active] if near else np.arange(rows)[:active]
        bits[:, [0, 2]] = (np.argmin if near else np.argmax)(values)
        position = 0 if near else columns - 3
        stored = law.greedy(active, count)
    else:
        driven = rng.permutation(rows)[:active]
        position = int(rng.integers(0, columns - 2))
        stored = law.draw(active, count, rng)
    inputs[driven] = 1
    bits[driven, 1] = stored
    return ColumnPattern(name, bits, inputs, position, values, shares, setup.pair)


def level_grid(rows: int, max_levels: int, levels: int = 2) -> list[tuple[int, int]]:
    """(active, count) pairs to simulate: every pair of a small group, else an even selection with all corners; `levels`
    of a cell."""
    actives = _spread(rows, max_levels)
    return [(a, c) for a in actives for c in _spread(a * (levels - 1), max_levels)]


def _spread(top: int, number: int) -> list[int]:
    """At most `number` integers from 0 to `top`, ends included."""
    if top + 1 <= number:
        return list(range(top + 1))
    return sorted({round(v) for v in np.linspace(0, top, number)})
