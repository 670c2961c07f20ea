"""Layers and rules below the metals of a process: diffusions, poly, contacts, wells; data with its source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from interconnect.errors import InputError
from interconnect.provenance import Provenance, Status
from interconnect.validation import validate
from interconnect.yamlfile import read_yaml
from metalrom.layout.drawing_rule import DrawingRule, RuleKind
from metalrom.layout.layers import Number

_KITS = Path(__file__).parent / "kits"

Derivation = tuple[str, Literal["and", "or", "not"], str]
"""A layer made of two others."""


class _Wires(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)

    status: Status
    source: str


class _KitFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    stack: str
    devices: str
    status: Status
    source: str
    layers: dict[str, Number]
    derived: dict[str, Derivation]
    rules: list[Annotated[list[Any], Field(min_length=4, max_length=5)]]
    not_checked: list[str]
    wires: _Wires


@dataclass(frozen=True)
class FrontEnd:
    """The front end of a process.

    stack, devices: names of the metal stack and of the device set that it belongs to. layers: numbers in a file.
    derived: in an order in which they can be made. wires: capacitance to the substrate of a face (F/m^2) and of an edge
    (F/m) by layer.
    """

    stack: str
    devices: str
    layers: Mapping[str, Number]
    derived: Mapping[str, Derivation]
    rules: tuple[DrawingRule, ...]
    not_checked: tuple[str, ...]
    wires: Mapping[str, tuple[float, float]]
    provenance: Provenance
    wire_provenance: Provenance

    def nm(self, kit: str) -> int:
        """The value of a rule by the kit's own name, nm. Raises InputError for a rule that the kit does not have."""
        for rule in self.rules:
            if rule.kit == kit:
                return round(rule.value * 1e9)
        raise InputError(f"the front end of {self.stack} has no rule {kit!r}")


def front_end_of(stack: str) -> FrontEnd | None:
    """The front end that belongs to a stack, by the stack's name; None where there is none."""
    path = _KITS / f"{stack}.yaml"
    if not path.is_file():
        return None
    data, _ = read_yaml(path)
    file = validate(_KitFile, data, where=str(path))
    extra: dict[str, Any] = file.wires.model_extra or {}
    return FrontEnd(
        stack=file.stack,
        devices=file.devices,
        layers=file.layers,
        derived=file.derived,
        rules=tuple(_rule(*words) for words in file.rules),
        not_checked=tuple(file.not_checked),
        wires={layer: (area * 1e-6, edge * 1e-12) for layer, (area, edge) in extra.items()},
        provenance=Provenance(file.status, file.source),
        wire_provenance=Provenance(file.wires.status, file.wires.source),
    )


def _rule(kit: str, kind: RuleKind, layer: str, value: float, other: str = "") -> DrawingRule:
    return DrawingRule(kind, layer, round(value * 1e-12 if kind == "area" else value * 1e-6, 18), other, kit)
