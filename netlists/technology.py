"""A technology: metal stack and transistors under one name, with what a reader must know about both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from interconnect.stack import Stack, load_stack

if TYPE_CHECKING:
    from netlists.devices.device_set import DeviceSet


@dataclass(frozen=True, slots=True)
class Technology:
    """Stack and device cards that are used together."""

    stack: Stack
    devices: DeviceSet

    @property
    def name(self) -> str:
        """The stack's name, with the devices' name when it differs."""
        if self.stack.name == self.devices.name:
            return self.stack.name
        return f"{self.stack.name} with {self.devices.name} devices"

    @property
    def warnings(self) -> tuple[str, ...]:
        """Every caveat to print on any result made with this technology."""
        mixed: tuple[str, ...] = ()
        if self.stack.name != self.devices.name:
            mixed = (f"{self.stack.name}: devices as {self.devices.name}, which is another technology",)
        return (*self.stack.warnings, *mixed, *self.devices.warnings)


def load_technology(stack_name: str | Path, devices_name: str | Path) -> Technology:
    """Load a stack (built-in name or YAML path) and a device set; InputError for an unknown one."""
    from netlists.devices.device_set import load_devices

    return Technology(load_stack(stack_name), load_devices(devices_name))
