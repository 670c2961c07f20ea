"""Read a written netlist back and rebuild every via bit and integer weight from its connections.

The bit of a cell is what the file says electrically: which node its tab is tied to, or which subcircuit (with or
without resistor) stands at the crossing. All other pins are checked too, so a cell that is wired to the wrong row or
column is found as well. Instance names alone prove nothing and are only used to name what was found. Drivers, reset
switches, column circuits, ground returns and the cells' own elements are read too.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from interconnect.errors import InputError
from interconnect.files import open_regular
from netlists.array_options import NO_OPTIONS, ArrayOptions
from netlists.audit_cells import AuditedCells, UnexpectedCell, line_pattern, take_cells
from netlists.audit_chain import ReadoutCount, chain_faults, chain_tile_faults, readout_count
from netlists.audit_head import cell_faults, head_faults, loose_elements
from netlists.audit_report import AuditReport, CellFault, ViaFault, audit_report
from netlists.audit_wiring import array_pin_fault, planes_faults, shared_tile_faults, statements, tile_faults
from netlists.cells.base import CellModel
from netlists.condition import Condition
from netlists.mapping import TileManifest, ViaProgram
from netlists.periphery import Periphery
from netlists.readout.tile_chain import TileChain
from netlists.subckt import subckt_pins
from netlists.technology import Technology
from netlists.writer import netlist_head
from netlists.writer_scope import Scope, read_by_chain, scopes, written_models

__all__ = ["AuditReport", "CellFault", "ViaFault", "audit_netlist"]

_BLOCK = 1 << 23
_END = re.compile(rb"^[ \t]*\.end[ \t]*$", re.MULTILINE | re.IGNORECASE)
_CONTROL = re.compile(rb"\n[ \t]*\.(subckt|ends|include|inc|lib)\b[^\n]*", re.IGNORECASE)


def audit_netlist(
    path: str | Path,
    program: ViaProgram,
    manifest: TileManifest,
    model: CellModel | Sequence[CellModel],
    *,
    level: str = "macro",
    group_rows: int | None = None,
    tile: int = 0,
    plane: int = 0,
    column: int = 0,
    options: ArrayOptions = NO_OPTIONS,
    tile_chain: TileChain | None = None,
    technology: Technology | None = None,
    periphery: Periphery | None = None,
    condition: Condition | None = None,
    templates: Path | None = None,
    limit: int = 100,
    library: str = "",
) -> AuditReport:
    """Compare a netlist with the program that it should hold; arguments as of `write_netlist`.

    With the technology, everything before the planes (cards, circuits of the periphery, cells) is compared statement by
    statement with the templates; without it only the cells are, element by element.

    limit: faults that the report lists, at most. library: without `technology`, the statements of the device set in the
    netlist (`DeviceSet.cards`); files that they include are taken for transistors alone, any other include is refused.

    Raises InputError for a group of no rows, a file that cannot be read, is truncated, or holds none of the expected
    subcircuits, or a program and cells that do not match.
    """
    path = Path(path)
    parts = scopes(manifest, level, group_rows=group_rows, tile=tile, plane=plane, column=column, options=options)
    tile_chain = read_by_chain(level, tile_chain)
    models = written_models(model, manifest, program, condition, tile_chain)
    expected = {s.name: s for s in parts}
    if not expected:
        raise InputError("a netlist of level cell holds no weights to audit", where=str(path))
    if technology is not None:
        library = technology.devices.cards(condition.corner if condition else "tt")
    content = _read(path, expected, models, program.symbol_values.index(0), library)
    found = content.found
    if not found.planes:
        raise InputError(
            f"holds none of the expected subcircuits ({next(iter(expected))}, ...)",
            where=str(path),
            hint="is it a netlist of this configuration and level?",
        )
    readout = ReadoutCount()
    if tile_chain is not None and technology is not None and periphery is not None:
        readout = readout_count(content.bodies, expected, tile_chain, technology, periphery, level)
    faults = [str(part) for part in readout.parts if not part.same]
    faults += _wiring_faults(expected, models, content, level, lcc=options.lcc, tile_chain=tile_chain)
    if technology is not None:
        head = netlist_head(
            level, parts, manifest, models, technology, periphery=periphery, condition=condition, config_hash="",
            group_rows=group_rows, options=options, tile_chain=tile_chain, templates=templates,
        )  # fmt: skip
        faults += head_faults(content.bodies, head)
    else:
        faults += cell_faults(models, content.bodies)
        faults += [f"{x.split()[0]} stands outside every subcircuit" for x in loose_elements(content.bodies)]
    # Wrong pins explain many a wrong cell, so they are named first.
    pins = (
        array_pin_fault(s, models[s.placement.plane], content.definitions[n])
        for n, s in expected.items()
        if n in content.definitions
    )
    found.strange[:0] = [UnexpectedCell("", fault, kind="wiring") for fault in pins if fault]
    found.strange += [UnexpectedCell("", fault, kind="wiring") for fault in faults]
    return replace(audit_report(path, program, expected, found, limit), readout=readout)


@dataclass
class _Content:
    """A netlist taken apart: its cells, pins by subcircuit, and the text of every subcircuit without cells; text
    outside of all stands under the empty name.
    """

    found: AuditedCells = field(default_factory=AuditedCells)
    definitions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    bodies: dict[str, str] = field(default_factory=dict)


def _read(path: Path, expected: dict[str, Scope], models: tuple[CellModel, ...], zero: int, library: str) -> _Content:
    content = _Content()
    allowed = {line.strip() for line in library.encode().splitlines()}
    found, definitions = content.found, content.definitions
    kept: dict[str, list[bytes]] = {}
    patterns: dict[str, list[re.Pattern[bytes]]] = {}
    inside = ""
    ended = False
    for block in _blocks(path):
        position = 0
        for control in [*_CONTROL.finditer(block), None]:
            body = block[position : control.start() if control else len(block)]
            if inside in expected:
                scope = expected[inside]
                take_cells(body, scope, models[scope.placement.plane], patterns[inside], found)
            else:
                kept.setdefault(inside, []).append(body)
                if inside == "" and _END.search(body):
                    ended = True
            if control is None:
                break
            words = control.group(0).split()
            keyword = words[0].lower()
            position = control.end()
            if ended:
                raise InputError("goes on after its .end line", where=str(path))
            if keyword == b".subckt" and len(words) > 1:
                inside = words[1].decode("ascii", "replace").lower()
                if inside in definitions:
                    raise InputError(f".subckt {inside} is defined twice", where=str(path))
                if inside in expected:
                    s = expected[inside]
                    model = models[s.placement.plane]
                    patterns = {inside: [line_pattern(model, k, s) for k in range(model.symbols)]}
                    shape = (s.placement.rows, len(s.physical))
                    found.planes[inside] = (np.full(shape, zero, np.uint8), np.zeros(shape, np.int64))
                else:
                    kept.setdefault(inside, []).append(control.group(0))
                definitions |= subckt_pins(control.group(0).decode("ascii", "replace"))
            elif keyword == b".ends":
                inside = ""
            elif not inside and control.group(0).strip() in allowed:
                kept.setdefault("", []).append(control.group(0))
            else:
                raise InputError(
                    f"includes another file ({control.group(0).decode('ascii', 'replace').strip()[:80]})",
                    where=str(path),
                    hint="an audit needs the whole netlist in one file",
                )
    if not ended:
        raise InputError("is cut off: it has no .end line", where=str(path))
    for model in models:
        for variant in model.variants:
            if definitions.get(variant.subckt.lower()) != tuple(p.lower() for p in model.pins):
                raise InputError(
                    f".subckt {variant.subckt} is missing or has other pins than {' '.join(model.pins)}",
                    where=str(path),
                )
    content.bodies = {name: b"".join(parts).decode("ascii", "replace") for name, parts in kept.items()}
    return content


def _wiring_faults(
    expected: dict[str, Scope],
    models: tuple[CellModel, ...],
    content: _Content,
    level: str,
    *,
    lcc: bool,
    tile_chain: TileChain | None,
) -> list[str]:
    """Ground returns of the planes; in a macro, or around shared column circuits, what joins the planes."""
    faults = []
    for name, scope in expected.items():
        times = content.found.returns.get(name, 0)
        if scope.options.ground_return is not None and times != 1:
            faults.append(f"{name} has {times} ground returns of {scope.options.ground_return:g} ohm instead of one")
    checks: list[tuple[str, Callable[..., list[str]]]] = []
    if tile_chain is not None:
        checks.append(("planes_t", partial(chain_faults, tile_chain=tile_chain)))
        if level == "macro":
            checks.append(("tile_", partial(chain_tile_faults, tile_chain=tile_chain)))
    elif lcc and level in ("array", "macro"):
        checks.append(("planes_t", planes_faults))
    if level == "macro" and tile_chain is None:
        checks.append(("tile_", shared_tile_faults if lcc else tile_faults))
    allowed = set()
    for tile in sorted({s.placement.tile for s in expected.values()}):
        for prefix, check in checks:
            name = f"{prefix}{tile}"
            allowed.add(name)
            # The first statement of a body is its `.subckt`, whose pins are known already.
            body = "\n".join(statements(content.bodies.get(name, ""))[1:])
            faults += check(tile, content.definitions.get(name, ()), body, expected, models)
    for name in list(content.bodies):
        if name.startswith(("tile_", "planes_t")):
            del content.bodies[name]
            if name not in allowed:
                faults.append(f"{name} does not belong to this netlist")
        elif name.startswith(("array_t", "column_t")):
            faults.append(f"{name} does not belong to this netlist")
    return faults


def _blocks(path: Path) -> Iterator[bytes]:
    """The file in blocks of whole statements, continuation lines joined to their first line, a line break before
    every statement.
    """
    try:
        with open_regular(path) as file:
            rest = b""
            while chunk := file.read(_BLOCK):
                rest += chunk.replace(b"\r\n", b"\n")
                cut = rest.rfind(b"\n") + 1
                # Hold the last line back: the next one may continue it.
                cut = rest.rfind(b"\n", 0, max(cut - 1, 0)) + 1
                while cut and rest[cut : cut + 1] == b"+":
                    cut = rest.rfind(b"\n", 0, cut - 1) + 1
                block, rest = rest[:cut], rest[cut:]
                yield b"\n" + block.replace(b"\n+", b" ")
            yield b"\n" + rest.replace(b"\n+", b" ")
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from None
