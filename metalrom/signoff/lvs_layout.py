"""What a layout does connect: nets and devices of a plane as KLayout extracts them from the drawn shapes alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metalrom.layout.layers import LayoutLayer
from metalrom.layout.plan import PlacedPlane, Plan
from metalrom.signoff.drc import klayout_db
from metalrom.signoff.schematic import CMOM, RPLUG

_TERMINALS = ("A", "B")


@dataclass(frozen=True)
class ExtractedPlane:
    """A plane's circuit in KLayout's own form. database: `LayoutToNetlist` that keeps it alive; places: of every device
    by its number, um."""

    database: Any
    circuit: Any
    places: Mapping[int, tuple[float, float]]


def device_classes(db: Any) -> dict[str, Any]:
    """The two classes of devices, fresh ones for one netlist; their terminals may be exchanged."""
    out = {}
    for name in (CMOM, RPLUG):
        kind = db.DeviceClass()
        kind.name = name
        for terminal in _TERMINALS:
            kind.add_terminal(db.DeviceTerminalDefinition(terminal, ""))
        kind.equivalent_terminal_id(1, 0)
        out[name] = kind
    return out


def extract_plane(plan: Plan, layout: Any, part: PlacedPlane) -> ExtractedPlane:
    """Nets and devices of one plane, from its two metals, its cuts and its texts.

    A piece of a metal that is shorter than a cell along the lines beside it is a tab, finger, plate or post; a `CMOM`
    stands wherever one faces a line across no more than one and a half times the space that is drawn there.
    """
    db = klayout_db()
    plane, layers = part.pattern.plane, plan.layers.layers
    via = layers[plan.stack.via_between(plane.row, plane.column).name]
    row, column = layers[plane.row], layers[plane.column]
    top, dbu = layout.top_cell(), layout.dbu
    rows, columns = _region(db, layout, top, row.drawing), _region(db, layout, top, column.drawing)
    cuts, plugs = _region(db, layout, top, via.drawing), _region(db, layout, top, via.plug)
    found = db.LayoutToNetlist(top.name, dbu)
    names = {"rows": rows, "columns": columns, "cuts": cuts, "plugs": plugs}
    step = plan.grid * 1e6 / dbu
    for metal, region, upright in (("columns", columns, True), ("rows", rows, False)):
        names[f"{metal}_gaps"] = _gaps(db, part, region, upright=upright, step=step)
    texts = {"row_texts": _texts(db, layout, top, row), "column_texts": _texts(db, layout, top, column)}
    for name, layer in {**names, **texts}.items():
        found.register(layer, name)
    extractors = _extractors(db)
    for metal in ("columns", "rows"):
        found.extract_devices(extractors[metal], {"gap": names[f"{metal}_gaps"], "metal": names[metal]})
    found.extract_devices(extractors["plugs"], {"gap": plugs, "below": rows, "metal": columns})
    for region in (rows, columns, cuts):
        found.connect(region)
    found.connect(rows, cuts)
    found.connect(cuts, columns)
    found.connect(rows, texts["row_texts"])
    found.connect(columns, texts["column_texts"])
    found.extract_netlist()
    circuit = found.netlist().circuit_by_name(top.name)
    places = {d.id(): (d.trans.disp.x, d.trans.disp.y) for d in circuit.each_device()}
    return ExtractedPlane(found, circuit, places)


def _region(db: Any, layout: Any, top: Any, number: tuple[int, int] | None) -> Any:
    index = layout.find_layer(*number) if number else None
    return db.Region() if index is None else db.Region(top.begin_shapes_rec(index))


def _texts(db: Any, layout: Any, top: Any, layer: LayoutLayer) -> Any:
    index = layout.find_layer(*layer.label) if layer.label else None
    return db.Texts() if index is None else db.Texts(top.begin_shapes_rec(index))


def _gaps(db: Any, part: PlacedPlane, region: Any, *, upright: bool, step: float) -> Any:
    """Spaces between pieces of a metal and the lines beside them. upright: lines run along the columns."""
    pattern = part.pattern
    pitch = round((pattern.row_pitch if upright else pattern.column_pitch) * step)
    merged = region.merged()
    sized = merged.with_bbox_height if upright else merged.with_bbox_width
    pieces = sized(0, pitch, False)
    if pieces.is_empty():
        return db.Region()
    reach = round(1.5 * _drawn_gap(part, upright=upright) * step)
    beside = pieces.separation_check(merged - pieces, reach + 1, False, db.Region.Projection, None, None, None, True)
    return beside.polygons(0)


def _drawn_gap(part: PlacedPlane, *, upright: bool) -> int:
    """Space between the pieces of a cell and the nearest line as it is planned, grid units."""
    p = part.pattern
    layer, lines = (p.plane.column, p.columns) if upright else (p.plane.row, p.rows)
    low = 0 if upright else 1
    boxes = [s.box for of in (p.common, *p.symbols) for s in of if s.layer == layer]
    gaps = [
        gap for box in boxes for line in lines for gap in (box[low] - line.high, line.low - box[low + 2]) if gap > 0
    ]
    return min(gaps, default=0)


def _extractors(db: Any) -> dict[str, Any]:
    """Device extractors by what they look at: a gap's terminals are the metals at its sides, a plug's its ends."""
    classes = {metal: device_classes(db)[CMOM] for metal in ("columns", "rows")}

    class OneByOne(db.GenericDeviceExtractor):  # type: ignore[misc]
        """Takes every shape of the first layer for a device of its own."""

        def get_connectivity(self, layout: Any, layers: Sequence[int]) -> Any:
            del layout
            each_alone = db.Connectivity()
            each_alone.connect(layers[0], layers[0])
            return each_alone

    class Gaps(OneByOne):
        """Finds the devices across spaces beside pieces of metal."""

        def __init__(self, metal: str) -> None:
            super().__init__()
            self.name, self.upright, self.kind = f"{CMOM}_{metal}", metal == "columns", classes[metal]

        def setup(self) -> None:
            self.define_layer("gap", "space beside a piece")
            self.define_layer("metal", "metal on both sides")
            self.register_device_class(self.kind)

        def extract_devices(self, geometry: Sequence[Any]) -> None:
            for gap in geometry[0].each():
                box = gap.bbox()
                device = self.create_device()
                if self.upright:
                    ends = (
                        (box.left - 1, box.bottom, box.left, box.top),
                        (box.right, box.bottom, box.right + 1, box.top),
                    )
                else:
                    ends = (
                        (box.left, box.bottom - 1, box.right, box.bottom),
                        (box.left, box.top, box.right, box.top + 1),
                    )
                for terminal, end in enumerate(ends):
                    self.define_terminal(device, terminal, 1, db.Box(*end))

    class Plugs(OneByOne):
        """Finds the resistor plugs."""

        def __init__(self) -> None:
            super().__init__()
            self.name, self.kind = RPLUG, device_classes(db)[RPLUG]

        def setup(self) -> None:
            self.define_layer("gap", "plug")
            self.define_layer("below", "row metal")
            self.define_layer("metal", "column metal")
            self.register_device_class(self.kind)

        def extract_devices(self, geometry: Sequence[Any]) -> None:
            for plug in geometry[0].each():
                device = self.create_device()
                for terminal, layer in enumerate((1, 2)):
                    self.define_terminal(device, terminal, layer, plug)

    return {"columns": Gaps("columns"), "rows": Gaps("rows"), "plugs": Plugs()}
