"""The design with each cell kind in turn; all else stays: stack, devices, array, converter, layer."""

from dataclasses import dataclass, replace
from string import ascii_uppercase

from metalrom.design.design import Design
from metalrom.design.readout import with_ideal_default
from netlists.cells import CELLS
from netlists.parameters import describe_parameters


@dataclass(frozen=True)
class CellVariant:
    """letter: of the kind, from A on. design: the user's with this kind, drawn as small as the stack allows, on its
    lowest plane alone (planes differ little, one column stands for all). planes: how many the user lists."""

    letter: str
    design: Design
    planes: int

    @property
    def kind(self) -> str:
        """Name of the cell kind."""
        return self.design.cell.kind


def variants(design: Design) -> tuple[CellVariant, ...]:
    """Every kind that can be characterized, from A on, at the nominal condition.

    A current cell is read without double sampling. Lengths of the
    configuration's own cell are dropped: those of one kind need not suit another.
    """
    section, config = design.config.cell, with_ideal_default(design).config
    out = []
    kinds = [kind for kind in CELLS if getattr(CELLS[kind], "measurable", False)]
    for letter, kind in zip(ascii_uppercase, kinds, strict=False):
        cell = type(section)(kind=kind, planes=section.planes[:1])
        if kind == section.kind:
            kept = [p.name for p in describe_parameters(CELLS[kind]) if p.unit != "m"]
            cell = cell.model_copy(update={name: getattr(section, name, None) for name in kept})
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
