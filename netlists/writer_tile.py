"""The circuits around the planes of a tile: row drivers, reset switches, or column circuits that the planes share."""

import itertools
from collections.abc import Iterator, Sequence

from netlists.cells.base import CellModel
from netlists.writer_plane import wrapped
from netlists.writer_scope import Scope, driven_lines
from netlists.writer_select import select_circuits, select_ports


def tile_planes(parts: Sequence[Scope]) -> Iterator[tuple[int, list[Scope]]]:
    """The planes of every tile."""
    for t, group in itertools.groupby(parts, key=lambda s: s.placement.tile):
        yield t, list(group)


def lcc_sizes(parts: Sequence[Scope]) -> list[int]:
    """Numbers of planes that share a column circuit, anywhere in these parts, largest first."""
    sizes = {n for _, planes in tile_planes(parts) for n in _sharing(planes)}
    return sorted(sizes, reverse=True)


def _sharing(planes: Sequence[Scope]) -> list[int]:
    """Per readable column of a tile how many planes have it; always the first ones."""
    widths = [len(s.readable) for s in planes]
    return [sum(w > i for w in widths) for i in range(max(widths))]


def tile_text(parts: Sequence[Scope], models: Sequence[CellModel], transistors: bool) -> Iterator[bytes]:
    """One subcircuit per tile: its planes on shared inputs, with drivers and reset switches when there are any."""
    for t, planes in tile_planes(parts):
        rows, lcc = planes[0].placement.rows, planes[0].options.lcc
        ends = [list(s.ends(models[s.placement.plane], f"p{s.placement.plane}_")) for s in planes]
        further = {line.letter: line for s in planes for line in driven_lines(models[s.placement.plane])[1:]}
        ports = [f"in_{r}" for r in range(rows)]
        if not transistors:
            ports += [f"in_{letter}_{r}" for letter in further for r in range(rows)]
        control = control_ports(planes, models) if lcc else []
        ports += control if lcc else [end for of_plane in ends for end in of_plane]
        if transistors:
            ports += ([] if lcc else ["reset_b"]) + ["vdd_rows", "vdd_reset"]
            ports += [f"vdd_{line.prefix}" for line in further.values() if line.level > 0]
        yield b"\n" + wrapped(f".subckt tile_{t}", ports)
        if transistors and not lcc:
            yield b"X_reset_driver reset_b reset vdd_reset 0 reset_driver\n"
        lines: list[str] = []
        for s, of_plane in zip(planes, ends, strict=True):
            model, plane = models[s.placement.plane], s.placement.plane
            of_rows = row_nodes(model, plane, rows, transistors)
            lines += of_rows
            if transistors:
                yield "".join(_drivers(model, plane, rows)).encode()
                if not lcc:
                    # bl<g>_p<p>_<c> is reset by X_reset<g>_p<p>_<c> (with two bit lines the whole name follows).
                    short = "bl" if len(model.bit_lines) == 1 else ""
                    resets = (f"X_reset{end.removeprefix(short)} {end} reset 0 reset_switch\n" for end in of_plane)
                    yield "".join(resets).encode()
            if not lcc:
                yield wrapped(f"X_array_p{plane}", [*of_rows, *of_plane, s.name])
        if lcc:
            yield wrapped("X_planes", [*lines, *control, "vdd_reset", f"planes_t{t}"])
        yield f".ends tile_{t}\n".encode()


def row_nodes(model: CellModel, plane: int, rows: int, transistors: bool) -> list[str]:
    """Nodes of a tile at the near ends of a plane's driven lines, in the order of the plane's pins."""
    first, *further = driven_lines(model)
    nodes = []
    for r in range(rows):
        nodes.append(f"{first.letter}_p{plane}_{r}" if transistors else f"in_{r}")
        nodes += [f"{x.letter}_p{plane}_{r}" if transistors else f"in_{x.letter}_{r}" for x in further]
    return nodes


def _drivers(model: CellModel, plane: int, rows: int) -> Iterator[str]:
    first, *further = driven_lines(model)
    for r in range(rows):
        yield f"X_drive_p{plane}_{r} in_{r} {first.letter}_p{plane}_{r} vdd_rows 0 row_driver\n"
        for x in further:
            near = f"{x.letter}_p{plane}_{r}"
            kind = f"vdd_{x.prefix} vdd_rows 0 row_level_driver" if x.level > 0 else "vdd_rows 0 row_complement_driver"
            yield f"X_drive_{near} in_{r} {near} {kind}\n"


def control_ports(planes: Sequence[Scope], models: Sequence[CellModel]) -> list[str]:
    """Ports of shared column circuits: plane selects, reset, sample, switches to the converter, converter inputs; of
    current cells selects by segment and plane, and sense nodes."""
    model = models[planes[0].placement.plane]
    if model.mode == "current":
        return select_ports(planes, _sharing(planes), model.bit_lines[0].prefix)
    positions, inputs = _sharing_of_inputs(planes)
    return [
        *(f"sel_p{s.placement.plane}" for s in planes),
        "reset_b",
        "sample",
        *(f"mux{g}_{k}" for g in range(planes[0].segments) for k in range(positions)),
        *(f"adc_{line.prefix}_{j}" for line in model.bit_lines for j in range(inputs)),
    ]


def _sharing_of_inputs(planes: Sequence[Scope]) -> tuple[int, int]:
    """(columns of a converter input, converter inputs)."""
    columns, share = max(len(s.readable) for s in planes), planes[0].options.columns_per_adc
    return min(share, columns), -(-columns // share)


def lcc_text(parts: Sequence[Scope], models: Sequence[CellModel]) -> Iterator[bytes]:
    """One subcircuit per tile that joins its planes in shared column circuits; the rows of every plane are pins."""
    for t, planes in tile_planes(parts):
        lines = [
            node
            for s in planes
            for node in row_nodes(models[s.placement.plane], s.placement.plane, s.placement.rows, True)
        ]
        yield b"\n" + wrapped(f".subckt planes_t{t}", [*lines, *control_ports(planes, models), "vdd_lcc"])
        first = models[planes[0].placement.plane]
        current = first.mode == "current"
        if not current:
            yield b"X_reset_driver reset_b reset vdd_lcc 0 reset_driver\n"
            positions, _ = _sharing_of_inputs(planes)
            switches = [f"sel_p{s.placement.plane}" for s in planes] + ["sample"]
            switches += [f"mux{g}_{k}" for g in range(planes[0].segments) for k in range(positions)]
            yield "".join(f"X_not_{x} {x} {x}_b vdd_lcc 0 lcc_inverter\n" for x in switches).encode()
        for s in planes:
            model, p = models[s.placement.plane], s.placement
            yield wrapped(
                f"X_array_p{p.plane}",
                [*row_nodes(model, p.plane, p.rows, True), *s.ends(model, f"p{p.plane}_"), s.name],
            )
        if current:
            yield "".join(select_circuits(planes, _sharing(planes), first.bit_lines[0].prefix)).encode()
        for g in range(0 if current else planes[0].segments):
            for line in first.bit_lines:
                yield "".join(_circuits(planes, line.prefix, g)).encode()
        yield f".ends planes_t{t}\n".encode()


def _circuits(planes: Sequence[Scope], prefix: str, segment: int) -> Iterator[str]:
    """The column circuits of one segment."""
    share, first = planes[0].options.columns_per_adc, planes[0].readable.start
    for i, n in enumerate(_sharing(planes)):
        numbers = [s.placement.plane for s in planes[:n]]
        bit_lines = " ".join(f"{prefix}{segment}_p{p}_{first + i}" for p in numbers)
        selects = " ".join(f"sel_p{p} sel_p{p}_b" for p in numbers)
        mux = f"mux{segment}_{i % share}"
        yield (
            f"X_lcc_{prefix}{segment}_{first + i} {bit_lines} {selects} reset sample sample_b {mux} {mux}_b "
            f"adc_{prefix}_{i // share} vdd_lcc 0 lcc_{n}\n"
        )
