"""The operating points of a configuration, from its lists of corners, metals, supplies and temperatures."""

from collections.abc import Sequence
from itertools import product
from math import prod

from interconnect.errors import InputError, UnknownName
from interconnect.stack import Stack
from interconnect.suggestion import suggest
from metalrom.config.simulation import ConditionsSection
from netlists.condition import NOMINAL_METALS, Condition
from netlists.devices.device_set import DeviceSet

MAX_CONDITIONS = 4096
"""Every one of them is simulated; the product of four lists can be more than any memory holds."""


def operating_points(
    section: ConditionsSection, devices: DeviceSet, stack: Stack, *, where: str
) -> tuple[Condition, ...]:
    """The nominal point (first of each list) first: a star around it, or every combination.

    where: file and key path, for messages. Raises InputError for a corner that the device set or the stack does
    not have, for a corner of the stack that is named twice in other letters, and for too many points.
    """
    supplies = (devices.vdd,) if section.vdd is None else section.vdd
    for corner in section.corners:
        if corner not in devices.corners:
            raise InputError(
                f"the device set has no corner {corner}",
                where=f"{where}.corners",
                hint=suggest(corner, devices.corners),
            )
    metals = tuple(NOMINAL_METALS if name == NOMINAL_METALS else stack.corner(name).name for name in section.beol)
    if len(set(metals)) < len(metals):
        raise InputError("names a corner of the stack twice (case does not matter)", where=f"{where}.beol")
    lists = [len(values) for values in (section.corners, metals, supplies, section.temperature)]
    count = prod(lists) if section.factorial else sum(lists) - 3
    if count > MAX_CONDITIONS:
        raise InputError(f"{count} operating points are more than {MAX_CONDITIONS}", where=where)
    if section.factorial:
        points = product(section.corners, metals, supplies, section.temperature)
        return tuple(Condition(corner, vdd, heat, beol) for corner, beol, vdd, heat in points)
    corner, vdd, temperature = section.corners[0], supplies[0], section.temperature[0]
    star = [Condition(name, vdd, temperature) for name in section.corners]
    star += [Condition(corner, other, temperature) for other in supplies[1:]]
    star += [Condition(corner, vdd, other) for other in section.temperature[1:]]
    star += [Condition(corner, vdd, temperature, other) for other in metals[1:]]
    return tuple(star)


def named_condition(conditions: Sequence[Condition], label: str) -> Condition:
    """The condition of a label such as `tt_1.00V_27C`. Raises UnknownName where there is none."""
    found = next((c for c in conditions if c.label == label), None)
    if found is None:
        labels = [c.label for c in conditions]
        raise UnknownName(f"the configuration has no condition {label[:60]!r}", hint=suggest(label, labels))
    return found
