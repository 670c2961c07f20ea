"""Transistor instances for templates: checked sizes with their diffusions, printed the way the device set is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from interconnect.errors import InputError
from interconnect.suggestion import suggest
from netlists.condition import Condition
from netlists.devices.device_set import DeviceSet
from netlists.devices.kit_file import UNITS, Call
from netlists.periphery import Periphery
from netlists.render import DeckText, identifier, number
from netlists.skeleton import Same
from netlists.technology import Technology

MosPrinter = Callable[..., DeckText]

_POWER = {"w": 1, "l": 1, "ad": 2, "as": 2, "pd": 1, "ps": 1}
"""Of the length unit, by size."""


def mos_printer(technology: Technology, default_length: float) -> MosPrinter:
    """`device_printer` for the devices of a technology, the same function for the same devices and length."""
    return _printer(Same(technology.devices), default_length)


@lru_cache(maxsize=64)
def _printer(devices: Same[DeviceSet], default_length: float) -> MosPrinter:
    return device_printer(devices.value, default_length)


def device_printer(devices: DeviceSet, default_length: float) -> MosPrinter:
    """The template function `mos`, the only way in which a transistor enters a deck.

    `mos(name, drain, gate, source, bulk, type, width, length=None, shift=None, multiplier=1, diffusions=None)`: type
    `n`, `p` or another role of the device set; sizes in m (length None: `default_length`); shift: threshold shift in V,
    a number or the name of a subcircuit parameter, of the sign of BSIM4's `delvto` (added to the signed threshold of
    either type).
    It prints the instance with the diffusions of an unshared transistor (diffusions: `ad`, `as` in m2 and `pd`, `ps` in
    m of another one), as the device set's `call` wants it. Where a device takes no such shift, a voltage source stands
    between the gate's node and the gate: a gate that is lower by the shift is a threshold that is higher by it.

    The printer raises InputError for a size outside the device set, or a name that cannot stand in a deck.
    """
    call = devices.call
    roles = {"n": devices.nmos, "p": devices.pmos, **devices.others}

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
        diffusions: Mapping[str, float] | None = None,
    ) -> DeckText:
        if type not in roles:
            raise InputError(f"transistor {name} has the type {type!r}", hint=suggest(type, roles))
        long = default_length if length is None else length
        devices.check_size(width, long, where="periphery")
        d = devices.diffusion(width)
        unshared = {"ad": d.area, "as": d.area, "pd": d.perimeter, "ps": d.perimeter}
        sizes = {"w": width, "l": long, **(diffusions or unshared)}
        nodes = {"d": identifier(drain), "g": identifier(gate), "s": identifier(source), "b": identifier(bulk)}
        called = identifier(name if name[:1].upper() == call.style else f"{call.style}_{name}")
        before = ""
        tail = _sizes(call, sizes)
        if shift is not None:
            amount = f"{{{identifier(shift)}}}" if isinstance(shift, str) else number(shift)
            if call.shift_parameter is not None:
                tail.append(f"{identifier(call.shift_parameter)}={amount}")
            else:
                inner = identifier(f"{called}_gate")
                before = f"V_{called} {nodes['g']} {inner} {amount}\n"
                nodes["g"] = inner
        if multiplier != 1:
            if "m" not in call.sizes:
                raise InputError(f"transistor {name}: devices of {devices.name} take no multiplier", where="call.sizes")
            tail.append(f"{identifier(call.sizes['m'])}={int(multiplier)}")
        words = [called, *(nodes[pin] for pin in call.pins), identifier(roles[type]), *tail]
        return DeckText(before + " ".join(words))

    return mos


def _sizes(call: Call, sizes: dict[str, float]) -> list[str]:
    """`name=value` of every size that is passed, in the call's unit, then the constant parameters."""
    unit = UNITS[call.unit]
    words = []
    for size, power in _POWER.items():
        if size in call.sizes:
            value = sizes[size] if unit == 1.0 else float(f"{sizes[size] / unit**power:.12g}")
            words.append(f"{identifier(call.sizes[size])}={number(value)}")
    return words + [f"{identifier(name)}={number(value)}" for name, value in call.fixed.items()]


def deck_values(technology: Technology, condition: Condition, length: float, title: str) -> dict[str, Any]:
    """What the template of every deck with transistors needs: its title, the condition, the model cards of the corner
    and `mos` (see `mos_printer`) with the default channel `length`, m.
    """
    return {
        "title": title,
        "technology": technology.name,
        "warnings": technology.warnings,
        "cards": technology.devices.cards(condition.corner),
        "condition": condition,
        "mos": mos_printer(technology, length),
    }


def transistor_values(technology: Technology, periphery: Periphery) -> dict[str, Any]:
    """What periphery templates need: `mos` (see `mos_printer`), driver stages and `periphery`."""
    return {
        "mos": mos_printer(technology, periphery.length),
        "periphery": periphery,
        "stages": periphery.stage_widths(),
    }
