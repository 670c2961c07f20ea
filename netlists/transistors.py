"""Transistor instances for templates: checked sizes with their diffusions, printed one way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from interconnect.errors import InputError
from netlists.periphery import Periphery
from netlists.render import DeckText, identifier, number
from netlists.technology import Technology

MosPrinter = Callable[..., DeckText]


def mos_printer(technology: Technology, default_length: float) -> MosPrinter:
    """The template function `mos`, the only way in which a transistor enters a deck.

    `mos(name, drain, gate, source, bulk, type, width, length=None, shift=None, multiplier=1)`: type `n` or `p`; sizes
    in m (length None: `default_length`); shift: threshold shift in V, a number or the name of a subcircuit parameter.
    It prints the instance with the diffusions of an unshared transistor.

    The printer raises InputError for a size outside the device set, or a name that cannot stand in a deck.
    """
    devices = technology.devices

    def mos(
        name: str,
        drain: str,
        gate: str,
        source: str,
        bulk: str,
        type: str,
        width: float,
        length: float | None = None,
        shift: str | float | None = None,
        multiplier: int = 1,
    ) -> DeckText:
        if type not in ("n", "p"):
            raise InputError(f"transistor {name} has the type {type!r}", hint="n or p")
        long = default_length if length is None else length
        devices.check_size(width, long, where="periphery")
        d = devices.diffusion(width)
        area, perimeter = number(d.area), number(d.perimeter)
        words = [identifier(w) for w in (name, drain, gate, source, bulk)]
        words.append(identifier(devices.nmos if type == "n" else devices.pmos))
        words.append(DeckText(f"w={number(width)} l={number(long)} ad={area} as={area} pd={perimeter} ps={perimeter}"))
        if shift is not None:
            words.append(
                DeckText(f"delvto={{{identifier(shift)}}}" if isinstance(shift, str) else f"delvto={number(shift)}")
            )
        if multiplier != 1:
            words.append(DeckText(f"m={int(multiplier)}"))
        return DeckText(" ".join(words))

    return mos


def transistor_values(technology: Technology, periphery: Periphery) -> dict[str, Any]:
    """What periphery templates need: `mos` (see `mos_printer`), driver stages and `periphery`."""
    return {
        "mos": mos_printer(technology, periphery.length),
        "periphery": periphery,
        "stages": periphery.stage_widths(),
    }
