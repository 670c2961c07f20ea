"""The operating points of a configuration, from its lists of corners, supplies and temperatures."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

from interconnect.errors import InputError
from interconnect.suggestion import suggest
from netlists.condition import Condition

if TYPE_CHECKING:
    from metalrom.config import ConditionsSection
    from netlists.devices.device_set import DeviceSet


def operating_points(section: ConditionsSection, devices: DeviceSet, *, where: str) -> tuple[Condition, ...]:
    """The nominal point (first of each list) first: a star around it, or every combination.

    where: file and key path, for messages. Raises InputError for a corner that the device set does not have.
    """
    supplies = (devices.vdd,) if section.vdd is None else section.vdd
    for corner in section.corners:
        if corner not in devices.corners:
            raise InputError(
                f"the devices have no corner {corner}",
                where=f"{where}.corners",
                hint=suggest(corner, devices.corners),
            )
    if section.factorial:
        return tuple(Condition(*point) for point in product(section.corners, supplies, section.temperature))
    corner, vdd, temperature = section.corners[0], supplies[0], section.temperature[0]
    star = [Condition(name, vdd, temperature) for name in section.corners]
    star += [Condition(corner, other, temperature) for other in supplies[1:]]
    star += [Condition(corner, vdd, other) for other in section.temperature[1:]]
    return tuple(star)
