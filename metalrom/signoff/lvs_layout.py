"""What a layout does connect: nets and devices as KLayout extracts them from the drawn shapes alone, band by band.

A plane is cut into bands of whole rows, so that memory does not grow with it. Metal that crosses the edge between two
bands gets one name, an edge name, in both: nets of different bands that share one are the same net.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from metalrom.layout.layers import LayoutLayer
from metalrom.layout.plan import PlacedPlane, Plan
from metalrom.signoff.drc import klayout_db
from metalrom.signoff.schematic import CMOM, RPLUG

BAND_CELLS = 16384
"""Cells that are extracted at once, about."""

EDGE = "@"
"""What the names of metal across the edge of a band begin with."""

_TERMINALS = ("A", "B")


@dataclass(frozen=True, slots=True)
class Band:
    """Rows that are extracted together. bottom, top: edges, grid units; None at the ends of the plane."""

    rows: range
    bottom: int | None
    top: int | None


@dataclass(frozen=True)
class ExtractedBand:
    """A band's circuit in KLayout's own form. database: `LayoutToNetlist` that keeps it alive."""

    band: Band
    database: Any
    circuit: Any


def bands_of(part: PlacedPlane) -> Iterator[Band]:
    """Bands from the top of a plane to its bottom. No edge leaves a piece of a bit line that is shorter than a row."""
    number = max(1, BAND_CELLS // part.columns)
    near = {r + step for r in (0, *part.cuts, part.rows) for step in (-1, 0, 1)}
    edges = [part.rows]
    while edges[-1] > 0:
        edges.append(max((r for r in range(1, edges[-1] - number + 1) if r not in near), default=0))
    pitch, y0 = part.pattern.row_pitch, part.origin[1]
    for top, bottom in pairwise(edges):
        yield Band(
            range(bottom, top),
            y0 + bottom * pitch if bottom else None,
            y0 + top * pitch if top < part.rows else None,
        )


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


def extract_band(plan: Plan, layout: Any, part: PlacedPlane, band: Band) -> ExtractedBand:
    """Nets and devices of some rows of a plane, from its two metals, its cuts and its texts.

    A piece of a metal that is shorter than a cell along the lines beside it is a tab, finger, plate or post; a `CMOM`
    stands wherever one faces a line across no more than one and a half times the space that is drawn there.
    """
    db = klayout_db()
    plane, layers = part.pattern.plane, plan.layers.layers
    via = layers[plan.stack.via_between(plane.row, plane.column).name]
    window = _Window(db, plan, layout, band)
    names = {"rows": window.metal(layers[plane.row]), "columns": window.metal(layers[plane.column])}
    names |= {"cuts": window.region(via.drawing), "plugs": window.region(via.plug)}
    for metal, upright in (("columns", True), ("rows", False)):
        cells = names[metal] & db.Region(window.cells(part))  # without the strap, which makes a comb of the shields
        names[f"{metal}_gaps"] = _gaps(db, part, cells, upright=upright, step=window.step)
    texts = {f"{n}_texts": window.texts(layers[layer]) for n, layer in (("row", plane.row), ("column", plane.column))}
    found = db.LayoutToNetlist(layout.top_cell().name, layout.dbu)
    for name, layer in {**names, **texts}.items():
        found.register(layer, name)
    extractors = _extractors(db)
    for metal in ("columns", "rows"):
        found.extract_devices(extractors[metal], {"gap": names[f"{metal}_gaps"], "metal": names[metal]})
    plugs = {"gap": names["plugs"], "below": names["rows"], "metal": names["columns"]}
    found.extract_devices(extractors["plugs"], plugs)
    for name in ("rows", "columns", "cuts"):
        found.connect(names[name])
    found.connect(names["rows"], names["cuts"])
    found.connect(names["cuts"], names["columns"])
    found.connect(names["rows"], texts["row_texts"])
    found.connect(names["columns"], texts["column_texts"])
    found.extract_netlist()
    return ExtractedBand(band, found, found.netlist().circuit_by_name(layout.top_cell().name))


class _Window:
    """What of a layout lies in a band."""

    def __init__(self, db: Any, plan: Plan, layout: Any, band: Band) -> None:
        self.db, self.layout, self.cell = db, layout, layout.top_cell()
        self.step = plan.grid * 1e6 / layout.dbu
        whole = self.cell.bbox().enlarged(2, 2)
        self.edges = [round(y * self.step) for y in (band.bottom, band.top) if y is not None]
        low = whole.bottom if band.bottom is None else self.edges[0]
        high = whole.top if band.top is None else self.edges[-1]
        self.box = db.Box(whole.left, low, whole.right, high)

    def region(self, number: tuple[int, int] | None, more: int = 0) -> Any:
        """Shapes of a layer, cut at the band's edges and `more` beyond."""
        index = self.layout.find_layer(*number) if number else None
        if index is None:
            return self.db.Region()
        box = self.box.enlarged(0, more)
        return self.db.Region(self.cell.begin_shapes_rec_touching(index, box)) & self.db.Region(box)

    def cells(self, part: PlacedPlane) -> Any:
        """The box up to the upper end of the plane."""
        top = min(self.box.top, round((part.origin[1] + part.height) * self.step))
        return self.db.Box(self.box.left, self.box.bottom, self.box.right, top)

    def metal(self, layer: LayoutLayer) -> Any:
        """The drawing of a metal."""
        return self.region(layer.drawing)

    def texts(self, layer: LayoutLayer) -> Any:
        """Texts of a metal in the band, and the names of what crosses its edges."""
        index = self.layout.find_layer(*layer.label) if layer.label else None
        out = self.db.Texts()
        if index is not None:
            out.insert(self.cell.begin_shapes_rec_touching(index, self.box))
        if self.edges:
            metal = self.region(layer.drawing, 1)
            for y in self.edges:
                self._edge_names(metal, y, layer.name, out)
        return out

    def _edge_names(self, metal: Any, y: int, layer: str, out: Any) -> None:
        """One name for every piece of metal that lies on both sides of an edge, inside of the band."""
        strip = (metal & self.db.Region(self.db.Box(self.box.left, y - 1, self.box.right, y + 1))).merged()
        at = y + 1 if y == self.box.bottom else y - 1
        for piece in strip.each():
            box = piece.bbox()
            if box.height() < 2:
                continue
            name = f"{EDGE}{layer}_{box.left}_{y}"
            inside = [piece] if piece.is_box() else (self.db.Region(piece) & self.db.Region(self.box)).each()
            for own in inside:
                out.insert(self.db.Text(name, own.bbox().center().x, at))


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
    lines = sized(pitch, None, False)
    beside = pieces.separation_check(lines, reach + 1, False, db.Region.Projection, None, None, None, True)
    return beside.with_angle(90 if upright else 0, False).polygons(0)


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
