"""What a configuration's specifications name must exist in the design: conditions, and the unit of a level."""

from collections.abc import Sequence
from pathlib import Path

from interconnect.errors import InputError, shortened
from interconnect.suggestion import suggest
from metalrom.specs.grammar import ALL, NOMINAL, Spec, parse_spec
from netlists.cells.base import Cell
from netlists.condition import Condition


def check_specs(texts: Sequence[str], conditions: Sequence[Condition], cell: Cell, path: Path) -> tuple[Spec, ...]:
    """The specifications of a configuration, parsed and checked against its conditions and its cell.

    Raises InputError for a condition that is not planned, and for a level in V of a current cell or A of a charge cell.
    """
    specs = tuple(parse_spec(text) for text in texts)
    for index, spec in enumerate(specs):
        where = f"{path}: specs[{index}]"
        if spec.at not in (None, ALL, NOMINAL):
            known = [c.label for c in conditions]
            if spec.at not in known:
                raise InputError(
                    f"the condition {shortened(str(spec.at))} is not characterized",
                    where=where,
                    hint=suggest(str(spec.at), [ALL, NOMINAL, *known]),
                )
        level = "V" if cell.mode == "charge" else "A"
        if spec.unit in ("V", "A") and spec.unit != level:
            raise InputError(f"{spec.quantity} of the cell {cell.kind} is in {level}, not {spec.unit}", where=where)
    return specs
