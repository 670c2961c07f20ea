"""The validity domain of a readout table: conditions that were characterized, or a labelled substitute."""

from __future__ import annotations

from characterization.tables.table import ReadoutTable
from interconnect.errors import InputError
from netlists.condition import NOMINAL_METALS, Condition

SUPPLY_SCALE = 0.1
TEMPERATURE_SCALE = 50.0
"""What counts as far when the nearest condition is sought: 0.1 V of supply as much as 50 degC."""


def characterized(
    table: ReadoutTable, condition: Condition | str, outside_domain: bool
) -> tuple[Condition, str | None]:
    """The table's condition to use, and a label if it is a substitute: the nearest one of the same process corner.

    Raises InputError for a condition that was not characterized unless outside_domain is true, and then for one whose
    corner was not characterized at all (or of which only the label is known).
    """
    labels = [c.label for c in table.conditions]
    label = condition if isinstance(condition, str) else condition.label
    if label in labels:
        return table.conditions[labels.index(label)], None
    if not outside_domain or isinstance(condition, str):
        table.index(condition)
    assert isinstance(condition, Condition)  # noqa: S101 - `index` refused every unknown label
    same = [c for c in table.conditions if (c.corner, c.beol) == (condition.corner, condition.beol)]
    if not same:
        metals = "" if condition.beol == NOMINAL_METALS else f" with metals at {condition.beol}"
        raise InputError(
            f"process corner {condition.corner}{metals} was not characterized, and no other condition can replace it"
        )

    def distance(c: Condition) -> float:
        supply, heat = (
            (c.vdd - condition.vdd) / SUPPLY_SCALE,
            (c.temperature - condition.temperature) / TEMPERATURE_SCALE,
        )
        return supply * supply + heat * heat

    nearest = min(same, key=distance)
    return nearest, f"condition {label} was not characterized, read as {nearest.label}"
