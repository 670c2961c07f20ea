"""Whether the tiles of a netlist join the right lines: inputs to drivers, drivers to rows, the end of every segment of
a bit line to its pin and its reset switch, or to the column circuit that it shares with the other planes."""

from collections import Counter
from collections.abc import Mapping, Sequence

from netlists.cells.base import CellModel
from netlists.writer_scope import Scope, driven_lines


def array_pin_fault(scope: Scope, model: CellModel, pins: tuple[str, ...]) -> str | None:
    """What is wrong with the pins of an array subcircuit: rows in order, then segments, in each its columns."""
    letters = [line.letter for line in driven_lines(model)]
    expected = [f"{x}{r}_{scope.start}" for r in range(scope.placement.rows) for x in letters]
    expected += _ends(scope, model, "")
    return pin_fault(scope.name, pins, expected)


def _ends(scope: Scope, model: CellModel, infix: str) -> list[str]:
    prefixes = [line.prefix for line in model.bit_lines]
    return [f"{x}{g}_{infix}{c}" for g in range(scope.segments) for x in prefixes for c in scope.readable]


def pin_fault(name: str, pins: tuple[str, ...], expected: list[str]) -> str | None:
    """How the pins of a subcircuit differ from the expected ones; None where they do not."""
    if list(pins) == expected:
        return None
    if len(pins) != len(expected):
        return f"{name} has {len(pins)} pins instead of {len(expected)}"
    wrong = next(i for i, (a, b) in enumerate(zip(pins, expected, strict=True)) if a != b)
    return f"{name} has pin {pins[wrong]} where {expected[wrong]} should be"


class TileAudit:
    """The planes of a tile and the statements that may stand around them."""

    def __init__(self, tile: int, scopes: Mapping[str, Scope], models: Sequence[CellModel]) -> None:
        self.planes = {s.placement.plane: s for s in scopes.values() if s.placement.tile == tile}
        self.models = {p: models[p] for p in self.planes}
        self.rows = max((s.placement.rows for s in self.planes.values()), default=0)
        self.ends = {p: _ends(s, self.models[p], f"p{p}_") for p, s in self.planes.items()}
        self.first = {p: driven_lines(m)[0] for p, m in self.models.items()}
        self.further = {p: driven_lines(m)[1:] for p, m in self.models.items()}

    def lines(self, plane: int, driven: bool) -> list[str]:
        """Nodes of a plane's row pins, behind drivers or at the tile's ports."""
        out = []
        for r in range(self.planes[plane].placement.rows):
            out.append(f"{self.first[plane].letter}_p{plane}_{r}" if driven else f"in_{r}")
            out += [f"{x.letter}_p{plane}_{r}" if driven else f"in_{x.letter}_{r}" for x in self.further[plane]]
        return out

    def driver_statements(self) -> dict[str, tuple[str, int]]:
        out = {}
        for p, s in self.planes.items():
            for r in range(s.placement.rows):
                near = f"{self.first[p].letter}_p{p}_{r}"
                out[f"x_drive_p{p}_{r} in_{r} {near} vdd_rows 0 row_driver"] = ("driver", p)
                for x in self.further[p]:
                    near = f"{x.letter}_p{p}_{r}"
                    rest = "vdd_rows 0 row_complement_driver"
                    if x.level > 0:
                        rest = f"vdd_{x.prefix} vdd_rows 0 row_level_driver"
                    out[f"x_drive_{near} in_{r} {near} {rest}"] = ("driver", p)
        return out

    def drivers(self, plane: int) -> int:
        return self.planes[plane].placement.rows * (1 + len(self.further[plane]))

    def level_ports(self) -> list[str]:
        """Supplies of the lines below the full level."""
        return list(dict.fromkeys(f"vdd_{x.prefix}" for p in self.planes for x in self.further[p] if x.level > 0))

    def control_ports(self) -> list[str]:
        """Ports of the shared column circuits."""
        some = next(iter(self.planes.values()))
        columns, share = max(len(s.readable) for s in self.planes.values()), some.options.columns_per_adc
        prefixes = [x.prefix for x in self.models[some.placement.plane].bit_lines]
        if self.models[some.placement.plane].mode == "current":
            selects = [f"sel{g}_p{p}" for g in range(some.segments) for p in sorted(self.planes)]
            return [*selects, *(f"sense_{prefixes[0]}_{some.readable.start + i}" for i in range(columns))]
        muxes = [f"mux{g}_{k}" for g in range(some.segments) for k in range(min(share, columns))]
        inputs = [f"adc_{x}_{j}" for x in prefixes for j in range(-(-columns // share))]
        return [*(f"sel_p{p}" for p in sorted(self.planes)), "reset_b", "sample", *muxes, *inputs]

    def circuit_statements(self) -> list[str]:
        """Inverters and column circuits of the planes' subcircuit."""
        some = next(iter(self.planes.values()))
        share, first = some.options.columns_per_adc, some.readable.start
        switches = [x for x in self.control_ports() if x.startswith(("sel", "sample", "mux"))]
        current = self.models[some.placement.plane].mode == "current"
        out = [] if current else ["x_reset_driver reset_b reset vdd_lcc 0 reset_driver"]
        out += [f"x_not_{x} {x} {x}_b vdd_lcc 0 lcc_inverter" for x in switches]
        for g in range(some.segments):
            for line in self.models[some.placement.plane].bit_lines:
                for i in range(max(len(s.readable) for s in self.planes.values())):
                    served = [p for p in sorted(self.planes) if len(self.planes[p].readable) > i]
                    words = [f"x_lcc_{line.prefix}{g}_{first + i}"]
                    words += [f"{line.prefix}{g}_p{p}_{first + i}" for p in served]
                    if current:
                        words += [f"sel{g}_p{p}{end}" for p in served for end in ("", "_b")]
                        words += [f"sense_{line.prefix}_{first + i}", "vdd_lcc", "0", f"lcc_{len(served)}"]
                        out.append(" ".join(words))
                        continue
                    words += [f"sel_p{p}{end}" for p in served for end in ("", "_b")]
                    words += ["reset", "sample", "sample_b", f"mux{g}_{i % share}", f"mux{g}_{i % share}_b"]
                    words += [f"adc_{line.prefix}_{i // share}", "vdd_lcc", "0", f"lcc_{len(served)}"]
                    out.append(" ".join(words))
        return out


def tile_faults(
    tile: int, pins: tuple[str, ...], body: str, scopes: Mapping[str, Scope], models: Sequence[CellModel]
) -> list[str]:
    """What is wrong in the subcircuit of a tile; empty when every array is there once, on its own lines, which are
    the tile's ports, and every row has its driver and every segment its reset switch (or none has)."""
    t, name = TileAudit(tile, scopes, models), f"tile_{tile}"
    expected = t.driver_statements()
    for p, ends in t.ends.items():
        short = "bl" if len(t.models[p].bit_lines) == 1 else ""
        for end in ends:
            expected[f"x_reset{end.removeprefix(short)} {end} reset 0 reset_switch"] = ("reset", p)
    count, arrays, others = _sort(body, expected)
    faults = [
        f"{words[0]} in {name} is there twice or on lines of another place"
        for words in others
        if words != ["x_reset_driver", "reset_b", "reset", "vdd_reset", "0", "reset_driver"]
    ]
    if others.count(["x_reset_driver", "reset_b", "reset", "vdd_reset", "0", "reset_driver"]) > 1:
        faults.append(f"x_reset_driver in {name} is there twice")
    driven_somewhere = any(kind == "driver" for kind, _ in count)
    for p, scope in t.planes.items():
        driven, cleared = count["driver", p], count["reset", p]
        if arrays.pop(p, None) != [*t.lines(p, bool(driven)), *t.ends[p], scope.name]:
            faults.append(f"{name} does not hold {scope.name} on its own inputs and bit lines")
        if (driven, cleared) not in ((0, 0), (t.drivers(p), len(t.ends[p]))):
            faults.append(
                f"{name} has {driven} row drivers and {cleared} reset switches for the {scope.placement.rows} rows and "
                f"{len(t.ends[p])} bit-line segments of plane {p}"
            )
    faults += [f"x_array_p{p} in {name} is of no plane of this tile" for p in arrays]
    ports = [f"in_{r}" for r in range(t.rows)]
    if driven_somewhere:
        if not any(words[0] == "x_reset_driver" for words in others):
            faults.append(f"{name} lacks the driver of its reset switches")
    else:
        letters = dict.fromkeys(x.letter for p in t.planes for x in t.further[p])
        ports += [f"in_{x}_{r}" for x in letters for r in range(t.rows)]
    ports += [end for p in sorted(t.ends) for end in t.ends[p]]
    ports += ["reset_b", "vdd_rows", "vdd_reset", *t.level_ports()] if driven_somewhere else []
    fault = pin_fault(name, pins, ports)
    return [fault, *faults] if fault else faults


def shared_tile_faults(
    tile: int, pins: tuple[str, ...], body: str, scopes: Mapping[str, Scope], models: Sequence[CellModel]
) -> list[str]:
    """As `tile_faults`, of a tile whose planes share column circuits: drivers around `planes_t<tile>`."""
    t, name = TileAudit(tile, scopes, models), f"tile_{tile}"
    control = t.control_ports()
    lines = [node for p in sorted(t.planes) for node in t.lines(p, True)]
    expected = {**t.driver_statements(), " ".join(["x_planes", *lines, *control, "vdd_reset", f"planes_t{tile}"]): ""}
    ports = [*(f"in_{r}" for r in range(t.rows)), *control, "vdd_rows", "vdd_reset", *t.level_ports()]
    return _exactly(name, pins, ports, body, list(expected))


def planes_faults(
    tile: int, pins: tuple[str, ...], body: str, scopes: Mapping[str, Scope], models: Sequence[CellModel]
) -> list[str]:
    """What is wrong in the subcircuit that joins the planes of a tile in shared column circuits."""
    t, name = TileAudit(tile, scopes, models), f"planes_t{tile}"
    lines = {p: t.lines(p, True) for p in sorted(t.planes)}
    expected = t.circuit_statements()
    expected += [" ".join([f"x_array_p{p}", *lines[p], *t.ends[p], t.planes[p].name]) for p in lines]
    ports = [*(node for p in lines for node in lines[p]), *t.control_ports(), "vdd_lcc"]
    return _exactly(name, pins, ports, body, expected)


def _exactly(name: str, pins: tuple[str, ...], ports: list[str], body: str, expected: list[str]) -> list[str]:
    """Faults of a subcircuit that has to hold these statements, each once, and nothing else."""
    missing = Counter(expected)
    faults = []
    for line in statements(body):
        if missing[line] > 0:
            missing[line] -= 1
        else:
            faults.append(f"{line.split()[0]} in {name} is there twice or on lines of another place")
    faults += [f"{line.split()[0]} is missing in {name}" for line, n in missing.items() if n > 0]
    fault = pin_fault(name, pins, ports)
    return [fault, *faults] if fault else faults


def statements(body: str) -> list[str]:
    """The statements of a piece of netlist (continuation lines joined), lower case, single blanks, no comments."""
    lines = (" ".join(raw.lower().split()) for raw in body.splitlines())
    return [line for line in lines if line and not line.startswith("*")]


def _sort(
    body: str, expected: dict[str, tuple[str, int]]
) -> tuple[Counter[tuple[str, int]], dict[int, list[str]], list[list[str]]]:
    """(how many expected statements of a kind and plane, nodes of the arrays by plane, words of all others)."""
    left = dict(expected)
    count: Counter[tuple[str, int]] = Counter()
    arrays: dict[int, list[str]] = {}
    others: list[list[str]] = []
    for line in statements(body):
        if found := left.pop(line, None):
            count[found] += 1
            continue
        words = line.split()
        if words[0].startswith("x_array_p") and words[0][9:].isdigit() and int(words[0][9:]) not in arrays:
            arrays[int(words[0][9:])] = words[1:]
        else:
            others.append(words)
    return count, arrays, others
