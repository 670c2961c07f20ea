"""The only module here that uses the macro engine: integer products through a characterized readout."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from characterization.tables.table import ReadoutTable
from interconnect.arrays import IntArray
from interconnect.errors import InputError
from interconnect.suggestion import suggest
from metalrom.macro import EFFECTS, Macro, MvmResult, StoredWeights
from metalrom.macro.conversions import largest_drop
from metalrom.studies.accuracy.chips import Chip
from metalrom.workloads.networks.linear import LinearLayer
from netlists.cells import CELLS, make_cell
from netlists.mapping import Scheme

_OWN = {"self", "table", "condition", "array", "weight_bits", "input_bits", "seed", "effects"}
"""Arguments of `Macro` that an evaluation sets itself; the others are free options."""

DROP_TARGET = "drop_csnr"
"""Option of an evaluation in place of `drop_below`: dB that every layer keeps on its first inputs by itself."""

SIGNED_VALUES = (-1, 0, 1)
"""What a row adds to a conversion that counts -1 as well as 1."""


class Counted:
    """What a product through a macro keeps count of."""

    def __init__(self) -> None:
        self.conversions = 0
        self.skipped = 0
        self.code_errors = 0

    def count(self, result: MvmResult) -> NDArray[Any]:
        """Add the result's conversions, skipped ones and code errors; returns its output."""
        self.conversions += result.conversions
        self.skipped += result.skipped
        self.code_errors += result.code_errors
        return result.y

    @property
    def code_error_rate(self) -> float:
        """Fraction of the conversions so far whose code was not the count."""
        return self.code_errors / self.conversions if self.conversions else 0.0


def reads_signs(table: ReadoutTable) -> bool:
    """Whether a conversion counts -1 as well as 1: of a cell that stores both, or of a plus and a minus column of
    binary cells. False for a kind of cell that is not known here."""
    if table.cell not in CELLS:
        return False
    values = make_cell(table.cell).symbol_values
    return min(values) < 0 or len(values) < table.levels


class MacroProduct(Counted):
    """Multiplies through a `Macro`, one chip with a place for every layer, and keeps count of what it converted."""

    def __init__(
        self,
        chip: Chip,
        *,
        weight_bits: int,
        input_bits: int,
        seed: int = 0,
        effects: Collection[str] = EFFECTS,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        options = checked_options(options)
        if reads_signs(chip.table):
            options.setdefault("symbol_values", SIGNED_VALUES)
        given = options.pop(DROP_TARGET, None if "drop_below" in options else chip.rule.drop_csnr)
        self._target = None if given is None else float(given)
        if self._target is not None:
            options["drop_below"] = 0

        def macro(drop_below: int) -> Macro:
            return chip.macro(
                weight_bits=weight_bits,
                input_bits=input_bits,
                seed=seed,
                effects=effects,
                **(options if self._target is None else options | {"drop_below": drop_below}),
            )

        self._make, self._macro = macro, macro(0)
        self._macros = {0: self._macro}
        self._calls = 0

    @property
    def scheme(self) -> Scheme:
        """How the macro stores a weight."""
        return self._macro.scheme

    def conversions_per_weight(self, layer: LinearLayer) -> int:
        """Conversions of a weight of the layer, per group of rows."""
        return self._macro.partial_products

    def store(self, w: NDArray[np.int16], index: int) -> Any:
        """Program a layer's weights; `index` decides its frozen deviations."""
        if self._target is None:
            return _Stored(self._macro, self._macro.store(w, layer=index))
        return _Pending(w.astype(np.int64), index)

    def multiply(self, x: IntArray, stored: Any) -> NDArray[Any]:
        """What the macro returns. With a target the first inputs of a layer choose what it drops from then on."""
        if isinstance(stored, _Pending):
            if stored.chosen is None:
                stored.chosen = self._choose(x, stored)
            stored = stored.chosen
        self._calls += 1
        return self.count(stored.macro.run(x, stored.weights, call=self._calls - 1))

    def _choose(self, x: IntArray, layer: _Pending) -> _Stored:
        assert self._target is not None  # noqa: S101 - only then layers are pending
        below, _ = largest_drop(x, layer.w, self.scheme, self._target, input_bits=self._macro.input_bits)
        if below not in self._macros:
            self._macros[below] = self._make(below)
        return _Stored(self._macros[below], self._macros[below].store(layer.w, layer=layer.index))


@dataclass(frozen=True)
class _Stored:
    macro: Macro
    weights: StoredWeights


@dataclass
class _Pending:
    """A layer whose first inputs will choose how it is stored."""

    w: IntArray
    index: int
    chosen: _Stored | None = None


def macro_options() -> tuple[str, ...]:
    """Options of the macro that may be chosen freely: mappings, sharing of converters, mitigations."""
    return (*(name for name in inspect.signature(Macro.__init__).parameters if name not in _OWN), DROP_TARGET)


def checked_options(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """The options in a dict of their own. Raises InputError for one that the macro does not have."""
    for name in options or {}:
        if name not in macro_options():
            raise InputError(f"the macro has no option {name!r}", where="--option", hint=suggest(name, macro_options()))
    return dict(options or {})
