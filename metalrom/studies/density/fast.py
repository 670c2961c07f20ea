"""The fast rating of design points: few decks per column, shared by all points that have it or are near it.

Points that agree in words (cell, readout, converter) share an anchor in the middle of their numbers, calibrated in
full. Every value of a number is calibrated once, beside the anchor; points between follow as products of ratios
(`characterization.column_calibration`). What changes no deck (mapping, sharing of an ideal converter) costs no deck.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import replace

from characterization.column_calibration import (
    ColumnCalibration,
    calibrate_column,
    combined_column,
    electrical_key,
)
from characterization.testbench import Testbench
from interconnect.errors import InputError
from metalrom.design.design import Design
from metalrom.design.setup import group_setup
from metalrom.studies.density.point import DesignPoint
from metalrom.studies.density.rate import LayerUse, layer_use, rate_design, read_layer
from metalrom.studies.density.space import DesignBlock, DesignSpace, Settings, is_word
from ngspice_runner import Cache, Workers

Announce = Callable[[str], None]

METHOD = (
    "levels, device mismatch, noise and supplies: few ngspice reads of one column per cell and converter, in full; of "
    "every other value of a number its levels and line noise; combinations as products of these ratios",
    "cell mismatch and the neighbour's data: closed forms on the extracted cell",
    "cells: shipped field solutions, closed formulas where none is shipped",
    "code errors: over the layer's own (active, count) pairs; CSNR: expected over chips, conversions erring apart",
    "area and energy: as `metalrom estimate`, mid values, of a full macro",
    "one plane's cell stands for all planes; nominal condition only",
)
"""How the figures came about; printed with every result."""


class FastRating:
    """Rates design points of one configuration; calibrations are kept while it lives, their decks in the cache.

    decks: simulated or found in the cache so far.
    """

    def __init__(
        self, space: DesignSpace, cache: Cache, *, jobs: Workers = None, announce: Announce = lambda text: None
    ) -> None:
        self.space = space
        self.decks = 0
        self._cache, self._jobs, self._announce = cache, jobs, announce
        self._measured: dict[Hashable, ColumnCalibration] = {}
        self._setups: dict[Settings, tuple[Design, Testbench]] = {}
        self._used: dict[str, LayerUse] = {}

    def rate(self, block: DesignBlock, settings: Settings) -> DesignPoint:
        """The point of these settings. Raises InputError where there is none, ConditionError for a failed read."""
        design, setup = self._setup(settings)
        found = self._calibration(block, settings, setup)
        c = design.config
        used = repr((c.weights, c.inputs, c.mapping, setup.rows, setup.pair, c.cell.kind, c.cell.levels))
        if used not in self._used:
            self._used[used] = layer_use(design, setup.rows)
        table = found.table(setup)
        reading = read_layer(table, self._used[used])
        return rate_design(design, settings, setup, table, found.results(setup), reading)

    def _setup(self, settings: Settings) -> tuple[Design, Testbench]:
        if settings not in self._setups:
            design = self.space.at(settings)
            self._setups[settings] = design, group_setup(design, int(design.config.array.group_rows), nominal_only=True)
        return self._setups[settings]

    def _calibration(self, block: DesignBlock, settings: Settings, setup: Testbench) -> ColumnCalibration:
        """Of a point's column: the same whatever was rated before it."""
        middle = block.anchor(settings)
        try:
            _, anchor_setup = self._setup(middle)
        except InputError:  # the middle is none of the possible points
            return self._calibrated(setup)
        anchor = self._calibrated(anchor_setup)
        if electrical_key(setup) == electrical_key(anchor_setup):
            return anchor
        # lines and cells of chains do not depend on what converts: one converter's ratios serve the others
        base_words = block.base(settings)
        base, base_setup = anchor, anchor_setup
        if setup.chain is not None and base_words != middle:
            try:
                _, first = self._setup(base_words)
            except InputError:
                first = anchor_setup
            if first.chain is not None and first.model.kind == setup.model.kind and first.pair == setup.pair:
                middle, base_setup, base = base_words, first, self._calibrated(first)
                settings = tuple(
                    (k, v if not is_word(v) else w) for (k, v), (_, w) in zip(settings, middle, strict=True)
                )
        others = []
        for i, (one, other) in enumerate(zip(settings, middle, strict=True)):
            if one == other:
                continue
            try:
                _, beside = self._setup((*middle[:i], one, *middle[i + 1 :]))
            except InputError:
                return self._calibrated(setup)
            if electrical_key(beside) != electrical_key(base_setup):
                others.append(self._calibrated(beside, base, base_setup))
        return combined_column(anchor, others, setup, base)

    def _calibrated(
        self, setup: Testbench, like: ColumnCalibration | None = None, like_setup: Testbench | None = None
    ) -> ColumnCalibration:
        key = (electrical_key(setup), None if like_setup is None else electrical_key(like_setup))
        if key not in self._measured:
            what = setup.model.kind if like is None else "a column beside it"
            self._announce(f"calibrating {what}, {setup.rows} rows")
            # stored data of no mapping: all that share the column get the same decks
            plain = replace(setup, ones=0.5, shares=None)
            found = calibrate_column(plain, like=like, cache=self._cache, workers=self._jobs)
            self.decks += found.decks
            self._measured[key] = found
        return self._measured[key]
