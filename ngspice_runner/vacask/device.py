"""One element in VACASK's terms, with numbers only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

Value = float | str | tuple[float, ...]
"""Of a parameter; a text is put between quotes."""
Assignments = tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Device:
    """name: as in the deck, with its instance path. module: of the model; file: what brings it, empty for built-in
    ones. model, values: parameters of model and instance. control: element whose current controls this one; coupled:
    the two inductors of a mutual inductance. factor: of the current that one device has to that of the element."""

    name: str
    nodes: tuple[str, ...]
    module: str
    file: str = ""
    model: Assignments = ()
    values: Assignments = ()
    control: str = ""
    coupled: tuple[str, ...] = ()
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class ModuleParameters:
    """Parameters of a compiled module in lower case -> as it spells them."""

    model: dict[str, str]
    instance: dict[str, str]


class Library(Protocol):
    """Compiled modules."""

    @property
    def own(self) -> Mapping[str, str]:
        """Module -> file, of those that a job brings itself."""
        ...

    def describe(self, file: str) -> Mapping[str, ModuleParameters]:
        """Parameters of the modules of a file."""
        ...

    def switch(self) -> str:
        """The file of the module `metalrom_switch`."""
        ...
