"""Which layer number each metal and cut of a stack has in a layout file, and where that number comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from interconnect.provenance import Status
from interconnect.stack import Stack

Number = tuple[int, int]
"""(layer, datatype) of shapes or (layer, texttype) of texts."""

PLUG_DATATYPE = 100
"""Resistor plugs: on the number of their cut layer. No kit has such plugs, so this is an assumption everywhere."""

SKY130_SOURCE = "SkyWater open PDK (Apache-2.0), table of GDS layers: drawing, label and pin purposes"
FREEPDK45_SOURCE = "FreePDK45 / Nangate open cell library, rtk-stream-out.map (github mflowgen/freepdk-45nm)"
GF180_SOURCE = "GF180MCU physical verification (Apache-2.0), KLayout DRC: drawn layers and labels"
GENERIC_SOURCE = (
    "generic numbering: 10, 12, ... for metals and 11, 13, ... for the cuts above; no PDK defines this stack"
)


@dataclass(frozen=True, slots=True)
class LayoutLayer:
    """A layer of the stack in a file. pin, label: of metals; None for cuts, or where the kit has no own number."""

    name: str
    drawing: Number
    pin: Number | None = None
    label: Number | None = None
    plug: Number | None = None


@dataclass(frozen=True, slots=True)
class LayerMap:
    """Layers by the names of the stack. status: `published`, or `assumption` for a numbering of our own."""

    layers: Mapping[str, LayoutLayer]
    status: Status | str
    source: str

    def names(self) -> dict[Number, str]:
        """Name by number, of everything that may be drawn; a plug is called `<cut> plug`, a pin `<metal> pin`."""
        out: dict[Number, str] = {}
        for layer in self.layers.values():
            out[layer.drawing] = layer.name
            if layer.plug is not None:
                out[layer.plug] = f"{layer.name} plug"
            if layer.pin is not None and layer.pin != layer.drawing:
                out[layer.pin] = f"{layer.name} pin"
        return out

    def to_json(self) -> dict[str, Any]:
        """The map as a JSON document."""
        return {
            "status": self.status,
            "source": self.source,
            "plugs": "datatype of resistor plugs: assumption",
            "layers": {
                layer.name: {
                    key: list(number)
                    for key in ("drawing", "pin", "label", "plug")
                    if (number := getattr(layer, key)) is not None
                }
                for layer in self.layers.values()
            },
        }


def layer_map(stack: Stack) -> LayerMap:
    """The numbers of a stack's process where they are published, else our own."""
    metals, vias = [m.name for m in stack.metals], [v.name for v in stack.vias]
    for known, status, source in (
        (_sky130(), "published", SKY130_SOURCE),
        (_freepdk45(), "published", FREEPDK45_SOURCE),
        (_gf180(), "published", GF180_SOURCE),
    ):
        if all(name in known for name in chain(metals, vias)):
            return LayerMap({name: known[name] for name in chain(metals, vias)}, status, source)
    own: dict[str, LayoutLayer] = {}
    for i, name in enumerate(metals):
        own[name] = LayoutLayer(name, (10 + 2 * i, 0), (10 + 2 * i, 1), (10 + 2 * i, 2))
    for via in stack.vias:
        number = 11 + 2 * stack.index(via.below)
        own[via.name] = LayoutLayer(via.name, (number, 0), plug=(number, PLUG_DATATYPE))
    return LayerMap(own, "assumption", GENERIC_SOURCE)


def _sky130() -> dict[str, LayoutLayer]:
    metals = {name: 67 + i for i, name in enumerate(("li1", "met1", "met2", "met3", "met4", "met5"))}
    cuts = {name: 67 + i for i, name in enumerate(("mcon", "via", "via2", "via3", "via4"))}
    out = {name: LayoutLayer(name, (n, 20), (n, 16), (n, 5)) for name, n in metals.items()}
    return out | {name: LayoutLayer(name, (n, 44), plug=(n, PLUG_DATATYPE)) for name, n in cuts.items()}


def _freepdk45() -> dict[str, LayoutLayer]:
    # The kit streams pins and names out on the number of the metal itself.
    out = {f"metal{i}": LayoutLayer(f"metal{i}", (9 + 2 * i, 0), label=(9 + 2 * i, 0)) for i in range(1, 11)}
    cuts = {f"via{i}": (10 + 2 * i, 0) for i in range(1, 10)}
    return out | {name: LayoutLayer(name, n, plug=(n[0], PLUG_DATATYPE)) for name, n in cuts.items()}


def _gf180() -> dict[str, LayoutLayer]:
    # The kit has no numbers for pins; a label names the metal that it lies on.
    metals, cuts = (34, 36, 42, 46, 81), (35, 38, 40, 41)
    out = {f"Metal{i}": LayoutLayer(f"Metal{i}", (n, 0), label=(n, 10)) for i, n in enumerate(metals, 1)}
    names = {f"Via{i}": (n, 0) for i, n in enumerate(cuts, 1)}
    return out | {name: LayoutLayer(name, n, plug=(n[0], PLUG_DATATYPE)) for name, n in names.items()}
