"""The design with each cell kind in turn; all else stays: stack, devices, array, converter, layer."""

from __future__ import annotations

from dataclasses import dataclass, replace

from metalrom.design.design import CHARACTERIZED, Design


@dataclass(frozen=True)
class CellVariant:
    """letter: of the kind, A to E. design: the user's with this kind, drawn as small as the stack allows, on its
    lowest plane alone (planes differ little, one column stands for all). planes: how many the user lists."""

    letter: str
    design: Design
    planes: int

    @property
    def kind(self) -> str:
        """Name of the cell kind."""
        return self.design.cell.kind


def variants(design: Design) -> tuple[CellVariant, ...]:
    """Every kind that can be characterized, A to E. A current cell is read without double sampling; nominal condition.

    Lengths of the configuration's own cell are dropped: those of one kind need not suit another.
    """
    section, config = design.config.cell, design.config
    out = []
    for letter, kind in zip("ABCDE", CHARACTERIZED, strict=True):
        cell = type(section)(kind=kind, planes=section.planes[:1])
        if kind == section.kind:
            cell = cell.model_copy(update={"levels": section.levels, "resistance": section.resistance})
        conditions = config.conditions.model_copy(
            update={name: value[:1] for name, value in config.conditions if isinstance(value, tuple)}
        )
        at_nominal = config.model_copy(update={"cell": cell, "conditions": conditions, "specs": ()})
        changed = Design(at_nominal, design.path, source=design.source)
        if changed.cell.mode == "current":
            readout = config.readout.model_copy(update={"double_sampling": False})
            changed = replace(changed, config=changed.config.model_copy(update={"readout": readout}))
        out.append(CellVariant(letter, changed, len(section.planes)))
    return tuple(out)
