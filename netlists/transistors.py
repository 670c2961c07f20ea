"""Transistor instances for templates: checked sizes with their diffusions, printed one way."""

from __future__ import annotations

from typing import Any

from netlists.periphery import Periphery
from netlists.render import DeckText, number
from netlists.technology import Technology


def transistor_values(technology: Technology, periphery: Periphery) -> dict[str, Any]:
    """What periphery templates need: model names, driver stages, `periphery` and `size(width)`.

    `size(width)` prints width, length and the diffusions of an unshared transistor; it raises InputError for a size
    outside the device set.
    """
    devices = technology.devices

    def size(width: float) -> DeckText:
        devices.check_size(width, periphery.length, where="periphery")
        d = devices.diffusion(width)
        area, perimeter = number(d.area), number(d.perimeter)
        return DeckText(
            f"w={number(width)} l={number(periphery.length)} ad={area} as={area} pd={perimeter} ps={perimeter}"
        )

    return {
        "nmos": devices.nmos,
        "pmos": devices.pmos,
        "periphery": periphery,
        "stages": periphery.stage_widths(),
        "size": size,
    }
