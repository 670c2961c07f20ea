"""The readout chain around the planes of a tile: segments, lines, buses, converters, and drivers of the rows."""

from collections.abc import Iterator, Sequence

from netlists.cells.base import CellModel
from netlists.readout.tile_chain import TileChain, bus_sides, converter_instances
from netlists.writer_plane import wrapped
from netlists.writer_scope import Scope, driven_lines
from netlists.writer_tile import row_nodes, tile_planes


def chain_pins(planes: Sequence[Scope], tile_chain: TileChain) -> list[str]:
    """Pins of a tile's chain but its rows."""
    return tile_chain.pins(read_columns(planes), len(planes), planes[0].segments)


def read_columns(planes: Sequence[Scope]) -> int:
    """Columns with a readout: as many as the widest plane has."""
    return max(len(s.readable) for s in planes)


def chain_text(parts: Sequence[Scope], models: Sequence[CellModel], tile_chain: TileChain) -> Iterator[bytes]:
    """One subcircuit per tile that joins its planes in the readout chain; the rows of every plane are pins."""
    for t, planes in tile_planes(parts):
        rows = [
            node
            for s in planes
            for node in row_nodes(models[s.placement.plane], s.placement.plane, s.placement.rows, True)
        ]
        yield b"\n" + wrapped(f".subckt planes_t{t}", [*rows, *chain_pins(planes, tile_chain)])
        for s in planes:
            model, p = models[s.placement.plane], s.placement
            yield wrapped(
                f"X_array_p{p.plane}",
                [*row_nodes(model, p.plane, p.rows, True), *s.ends(model, f"p{p.plane}_"), s.name],
            )
        prefix = models[planes[0].placement.plane].bit_lines[0].prefix
        for bank in tile_chain.banks(len(planes)):
            yield from _segments(planes, tile_chain, bank, prefix)
            yield "".join(f"{line}\n" for line in _lines(planes, tile_chain, bank)).encode()
        yield f".ends planes_t{t}\n".encode()


def _segments(planes: Sequence[Scope], tile_chain: TileChain, bank: int, prefix: str) -> Iterator[bytes]:
    """Segments of a bank. A bit line that the tile lacks is its own level: its follower is parked with it."""
    by_plane = {s.placement.plane: s for s in planes}
    positions = range(tile_chain.chain.line.columns)
    spots = [(p, k) for p in tile_chain.planes(bank) for k in positions]
    levels = " ".join(f"level_p{p}_{k}" for p, k in spots)
    for g in range(planes[0].segments):
        resets = " ".join(f"reset{g}_p{p}_{k}" for p, k in spots)
        text = []
        for line in range(tile_chain.lines(read_columns(planes))):
            columns = tile_chain.columns_of(line)
            ends = []
            for p, k in spots:
                there = p in by_plane and columns[k] < len(by_plane[p].readable)
                ends.append(
                    f"{prefix}{g}_p{p}_{by_plane[p].readable[columns[k]]}" if there else f"level_p{p}_{k}"
                )  # fmt: skip
            text.append(
                f"X_segment{g}_b{bank}_{line} {' '.join(ends)} {resets} {levels} select{g}_b{bank} line_b{bank}_{line} "
                "vdd_analog segment\n"
            )
        yield "".join(text).encode()


def _lines(planes: Sequence[Scope], tile_chain: TileChain, bank: int) -> Iterator[str]:
    """Lines, buses and converters of a bank. An input of a bus that has no line is at the common mode."""
    chain, b = tile_chain.chain, f"b{bank}"
    sides, share = bus_sides(chain), chain.bus.columns
    lines = tile_chain.lines(read_columns(planes))
    buses = [f"{b}_{j}" for j in range(tile_chain.buses(read_columns(planes)))]
    for i in range(lines):
        bus = buses[i // len(sides) // share]
        yield f"X_line_{b}_{i} line_{b}_{i} x_{b}_{i} bias_{bus} clamp_{b} common vdd_analog column_line"
    joins = " ".join(f"join_{b}_{k}" for k in range(share))
    for j, bus in enumerate(buses):
        yield f"X_bias_{bus} bias_{bus} vdd_analog line_bias"
        for n, side in enumerate(sides):
            numbers = [(j * share + k) * len(sides) + n for k in range(share)]
            inputs = " ".join(f"x_{b}_{i}" if i < lines else "common" for i in numbers)
            yield f"X_bus_{bus}{side} {inputs} {joins} bus_{bus}{side} bus_reset_{b} common comparator_bus"
    yield from converter_instances(chain.converter, tile_chain, bank, buses)


def chain_tile_text(parts: Sequence[Scope], models: Sequence[CellModel], tile_chain: TileChain) -> Iterator[bytes]:
    """One subcircuit per tile: drivers of its rows, shared by the planes of a bank, around `planes_t<tile>`."""
    for t, planes in tile_planes(parts):
        rows, pins = planes[0].placement.rows, chain_pins(planes, tile_chain)
        lines = driven_lines(models[planes[0].placement.plane])
        inputs = [[f"in_{r}", *(f"in_{x.letter}_{r}" for x in lines[1:])] for r in range(rows)]
        ports = [*(name for of_row in inputs for name in of_row), *pins, "vdd_rows"]
        yield b"\n" + wrapped(f".subckt tile_{t}", ports)
        nodes: list[str] = []
        for bank in tile_chain.banks(len(planes)):
            driven = [[f"{x.letter}_b{bank}_{r}" for x in lines] for r in range(rows)]
            yield "".join(
                f"X_drive_{node} {name} {node} vdd_rows 0 row_driver\n"
                for of_row, at_row in zip(inputs, driven, strict=True)
                for name, node in zip(of_row, at_row, strict=True)
            ).encode()
            here = sum(s.placement.plane in tile_chain.planes(bank) for s in planes)
            nodes += [node for at_row in driven for node in at_row] * here
        yield wrapped("X_planes", [*nodes, *pins, f"planes_t{t}"])
        yield f".ends tile_{t}\n".encode()
