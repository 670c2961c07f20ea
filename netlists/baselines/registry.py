"""Baseline cell kinds by name."""

from collections.abc import Mapping

from interconnect.registry import Registry
from netlists.baselines.base import BaselineCell
from netlists.parameters import check_parameters

BASELINE_CELLS: Registry[type[BaselineCell]] = Registry(
    "local cell kind",
    group="metalrom.baselines",
    built_in={
        "rom_1t": "netlists.baselines.rom_1t:Rom1T",
        "rom_1t_mlc": "netlists.baselines.rom_1t_mlc:Rom1TMlc",
        "sram_8t": "netlists.baselines.sram:Sram8T",
        "sram_6t": "netlists.baselines.sram:Sram6T",
    },
)
"""Columns of transistors that a metal cell is compared with."""


def make_baseline_cell(kind: str, parameters: Mapping[str, object] | None = None) -> BaselineCell:
    """A cell of `kind` with these parameters (SI). Raises UnknownName for an unknown kind or parameter."""
    cls = BASELINE_CELLS[kind]
    check_parameters(cls, parameters or {}, what=f"local cell kind {kind}", where=f"local cell {kind}")
    return cls(**(parameters or {}))
