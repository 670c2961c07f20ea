"""LEF files in a layout tool: KLayout reads technology and abstract for a DEF that places the tile and every via."""

from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from interconnect.optional import optional_library
from metalrom.exporters.circuit.boundary import MACRO
from metalrom.exporters.circuit.lef_technology import TECHNOLOGY_FILE, LefVia
from metalrom.exporters.exporter import ToolReading
from ngspice_runner.workspace import scratch_folder

ROOM = 20_000
"""nm between the vias of the check, which lie beside the tile."""


def read_with_klayout(vias: Sequence[LefVia], folder: Path, pins: Mapping[str, tuple[str, ...]]) -> ToolReading:
    """Compare the pins and vias that KLayout draws with those of the tile and of the stack's default vias.

    pins: (direction, layer, rectangle in um) by name. Raises InputError without KLayout.
    """
    klayout: Any = optional_library("klayout.db", extra="signoff", purpose="Checks of technology LEF files")
    tool = f"KLayout {metadata.version('klayout')}"
    options = klayout.LoadLayoutOptions()
    reader = options.lefdef_config
    place = folder.resolve()  # KLayout takes others to lie beside the DEF
    reader.lef_files = [str(place / TECHNOLOGY_FILE), str(place / f"{MACRO}.lef")]
    reader.macro_resolution_mode = 1
    reader.dbu = 0.001
    options.lefdef_config = reader
    layout = klayout.Layout()
    with scratch_folder() as work:
        design = work / "check.def"
        design.write_text(_design(vias), encoding="ascii")
        try:
            layout.read(str(design), options)
        except RuntimeError as error:
            return ToolReading(tool, " ".join(str(error).split()))
    drawn = {
        layout.get_info(i).name: klayout.Region(layout.top_cell().begin_shapes_rec(i)).merged()
        for i in layout.layer_indexes()
    }
    for layer in {p[1] for p in pins.values()}:
        boxes = [klayout.DBox(*map(float, p[2].split())).to_itype(0.001) for p in pins.values() if p[1] == layer]
        if not (drawn.get(f"{layer}.PIN", klayout.Region()) ^ klayout.Region(boxes)).is_empty():
            return ToolReading(tool, f"other pins on {layer} than written")
    for k, via in enumerate(vias):
        for layer, box in via.rects:
            shape = klayout.Region(klayout.Box(*box).moved(-ROOM * (k + 1), 0))
            window = klayout.Region(klayout.Box(-ROOM // 2, -ROOM // 2, ROOM // 2, ROOM // 2).moved(-ROOM * (k + 1), 0))
            if not (drawn.get(layer, klayout.Region()) & window ^ shape).is_empty():
                return ToolReading(tool, f"{layer} of {via.name} is not what the stack states")
    return ToolReading(tool, None, (f"a DEF with the tile and {len(vias)} default vias drawn as written",))


def _design(vias: Sequence[LefVia]) -> str:
    """A DEF that places the tile at the origin, and every default via on a net of its own left of it."""
    nets = [f"- net{k} + ROUTED {via.rects[1][0]} ( {-ROOM * (k + 1)} 0 ) {via.name} ;" for k, via in enumerate(vias)]
    lines = [
        "VERSION 5.8 ;",
        'DIVIDERCHAR "/" ;',
        'BUSBITCHARS "[]" ;',
        "DESIGN check ;",
        "UNITS DISTANCE MICRONS 1000 ;",
        "COMPONENTS 1 ;",
        f"- tile {MACRO} + PLACED ( 0 0 ) N ;",
        "END COMPONENTS",
        f"NETS {len(nets)} ;",
        *nets,
        "END NETS",
        "END DESIGN",
    ]
    return "\n".join(lines) + "\n"
