"""A technology: metal stack and transistors under one name, with what a reader must know about both."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from interconnect.stack import Stack
from interconnect.stackfile import load_stack
from interconnect.variation import stack_at_corner
from netlists.condition import NOMINAL_METALS
from netlists.devices.device_set import DeviceSet, load_devices


@dataclass(frozen=True, slots=True)
class Technology:
    """Stack and device set that are used together. beol: corner of the metals at which the stack stands."""

    stack: Stack
    devices: DeviceSet
    beol: str = NOMINAL_METALS

    def at_metal_corner(self, beol: str) -> Technology:
        """The same technology, its metals at a corner of the stack. Raises InputError if there is no such corner."""
        corner = self.stack.corner(beol).name
        return replace(self, stack=stack_at_corner(self.stack, corner), beol=corner)

    @property
    def _same(self) -> bool:
        """Whether stack and devices are of one technology."""
        return self.stack.name.removesuffix(f" at {self.beol}") == self.devices.name

    @property
    def name(self) -> str:
        """The stack's name, with the devices' name when it differs."""
        return self.stack.name if self._same else f"{self.stack.name} with {self.devices.name} devices"

    @property
    def warnings(self) -> tuple[str, ...]:
        """Every caveat to print on any result made with this technology."""
        mixed: tuple[str, ...] = ()
        if not self._same:
            mixed = (f"{self.stack.name}: devices as {self.devices.name}, which is another technology",)
        return (*self.stack.warnings, *mixed, *self.devices.warnings)


def load_technology(stack_name: str | Path, devices_name: str | Path, *, beol: str = NOMINAL_METALS) -> Technology:
    """Load a stack and a device set.

    Parameters
    ----------
    stack_name : str or Path
        Name of a built-in stack, or a YAML file.
    devices_name : str or Path
        Name of a built-in device set, or a YAML file.
    beol : str
        Metal corner of the stack (`Cmax`, ...; case does not matter) at which cells are drawn and extracted.

    Returns
    -------
    Technology
        Stack at that corner, and devices.

    Raises
    ------
    InputError
        For an unknown stack, device set or corner.

    Examples
    --------
    >>> from netlists import load_technology
    >>> load_technology("open45", "open45").name
    'open45'
    """
    stack = load_stack(stack_name)
    if beol.lower() != NOMINAL_METALS:
        stack.corner(beol)  # reported before the devices are read
    technology = Technology(stack, load_devices(devices_name))
    return technology if beol.lower() == NOMINAL_METALS else technology.at_metal_corner(beol)
