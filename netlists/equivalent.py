"""Rows with input 0 as equivalent loads: a shorter column deck, and how far it is from the whole column.

A run of idle rows becomes one block: its bit-line segments in series between two halves of its capacitances and
conductances (a pi); its row lines count as ground. The block is one more variant of the cell,
so decks, references and networks treat it as a row. Cells of columns far from the target become the row lines' load as
in every column deck. What this costs is computed exactly, by solving both linear networks.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from interconnect.arrays import ByteArray, FloatArray
from interconnect.errors import InputError
from interconnect.transient import solve_transient
from interconnect.waveform import VoltageSources, Waveform
from netlists.case import ColumnStimulus
from netlists.cells.base import GROUND_NODE, CellModel, Element, Variant
from netlists.column import ColumnDeck, column_deck
from netlists.column_elements import level_supplies
from netlists.condition import Condition
from netlists.loads import edge_parts
from netlists.periphery import Periphery, Timing
from netlists.reference import column_network, reference_column
from netlists.technology import Technology

ReadPosition = Literal["kept", "merged"]
MAX_VARIANTS = 255
"""Symbols are bytes."""


@dataclass(frozen=True, slots=True)
class EquivalentError:
    """What the equivalent loads change, by exact solution of both linear networks with Thevenin drivers.

    rows, columns: of the whole case; modelled_rows, modelled_columns: of the deck. full, equivalent: settled level of
    the target column (V or A). waveform: largest difference of its level at any time of the read (None: not computed,
    or an operating point). read: the same at the time of the read.
    """

    rows: int
    columns: int
    modelled_rows: int
    modelled_columns: int
    unit: Literal["V", "A"]
    full: float
    equivalent: float
    waveform: float | None
    read: float | None

    @property
    def settled(self) -> float:
        """Change of the settled level, V or A."""
        return self.equivalent - self.full

    @property
    def relative(self) -> float:
        """Change of the settled level relative to it; 0 where the level is 0."""
        return self.settled / self.full if self.full else 0.0


def equivalent_deck(
    technology: Technology,
    model: CellModel,
    periphery: Periphery,
    timing: Timing,
    condition: Condition,
    case: ColumnStimulus,
    *,
    where: ReadPosition = "kept",
    keep_columns: int | None = None,
    waveform: bool = True,
) -> tuple[ColumnDeck, EquivalentError]:
    """`column_deck` of a case with equivalent loads, and their error for this case.

    where, keep_columns: see `equivalent_case`. waveform: compare in time too (two linear transients; charge cells).

    Raises:
        InputError: as `column_deck`, and as `equivalent_case`.
    """
    short_model, short = equivalent_case(model, case, where=where, keep_columns=keep_columns)
    deck = column_deck(technology, short_model, periphery, timing, condition, short)
    whole = reference_column(model, periphery, condition, case)
    found = reference_column(short_model, periphery, condition, short)
    moving = _waveforms(model, short_model, periphery, timing, condition, case, short) if waveform else (None, None)
    error = EquivalentError(
        rows=case.rows,
        columns=case.columns,
        modelled_rows=short.rows,
        modelled_columns=short.columns,
        unit=whole.unit,
        full=whole.value,
        equivalent=found.value,
        waveform=moving[0],
        read=moving[1],
    )
    return deck, error


def equivalent_case(
    model: CellModel, case: ColumnStimulus, *, where: ReadPosition = "kept", keep_columns: int | None = None
) -> tuple[CellModel, ColumnStimulus]:
    """The cell with blocks of idle rows as further symbols, and the case of the driven rows and these blocks.

    A row is idle where neither it nor the row of the next plane above it is driven.

    where: `kept` puts one block in the place of each run of idle rows, `merged` a single one at the far end of the bit
    lines. keep_columns: modelled columns around the target (odd); the others become a load of the row lines.

    Raises:
        InputError: a bad option, or more different blocks than symbols can tell apart (then take `merged`).
    """
    if where not in ("kept", "merged"):
        raise InputError(f"idle rows are {where!r}", hint="kept or merged")
    case = _narrow(case, keep_columns)
    first = f"{model.bit_lines[0].letter}0_0"
    edge = sum(part.value for part in edge_parts(model, case) if part.a == first)
    factors = case.factors()
    variants = list(model.variants)
    known: dict[tuple[object, ...], int] = {}
    bits: list[list[int]] = []
    rows: list[list[int]] = []
    cell: list[list[float]] = []
    for run in _runs(case, where):
        idle = len(run) > 1
        symbols, mean = [], []
        for c in range(case.columns):
            stored = case.bits[run, c]
            if not idle:
                symbols.append(int(stored[0]))
                mean.append(float(factors[run[0], c]))
                continue
            load = edge * (len(run) - 1) if c == 0 else 0.0
            key = (load > 0, *np.bincount(stored, minlength=model.symbols).tolist())
            if key not in known:
                known[key] = len(variants)
                variants.append(_block(model, stored, load, f"{model.kind}_idle_{len(known)}"))
            symbols.append(known[key])
            mean.append(_factor(model, stored, factors[run, c]))
        bits.append(symbols)
        rows.append(run)
        cell.append(mean)
    if len(variants) > MAX_VARIANTS:
        raise InputError(f"{len(known)} different blocks of idle rows exceed the limit", hint="merge them")
    d = case.deviations
    extra = len(variants) - model.symbols
    values = (*model.symbol_values, *(0,) * extra)
    short = replace(
        case,
        bits=np.array(bits),
        inputs=np.array([case.inputs[run[0]] for run in rows]),
        next_plane=None if case.next_plane is None else np.array([case.next_plane[run[0]] for run in rows]),
        symbol_values=values,
        shares=(*case.load_shares, *(0.0,) * extra),
        deviations=replace(
            d,
            cell=None if d.cell is None else np.array(cell),
            driver_nmos=_mean(d.driver_nmos, rows),
            driver_pmos=_mean(d.driver_pmos, rows),
        ),
    )
    return replace(model, variants=tuple(variants), symbol_values=values), short


def _runs(case: ColumnStimulus, where: ReadPosition) -> list[list[int]]:
    """Rows of every row of the short case: driven ones alone, idle ones together."""
    moving = case.inputs if case.next_plane is None else case.inputs | case.next_plane
    driven = [[int(r)] for r in np.flatnonzero(moving)]
    if where == "merged":
        idle = [int(r) for r in np.flatnonzero(moving == 0)]
        return [idle, *driven] if idle else driven
    runs: list[list[int]] = []
    for r, x in enumerate(moving):
        if x == 0 and runs and moving[runs[-1][-1]] == 0:
            runs[-1].append(r)
        else:
            runs.append([r])
    return runs


def _block(model: CellModel, stored: ByteArray, edge: float, name: str) -> Variant:
    """Idle cells of one column as one subcircuit with the cell's pins. edge: what the column before adds, F."""
    outs = {f"{line.prefix}_in": f"{line.prefix}_out" for line in model.bit_lines}
    rows = {f"{line.prefix}_in": f"{line.prefix}_out" for line in model.lines}
    # Idle lines are at 0 V: what couples to them couples to ground.
    quiet = {pin: GROUND_NODE for ends in rows.items() for pin in ends}
    series: dict[tuple[str, str], tuple[str, float]] = {}
    parallel: dict[tuple[str, str], tuple[str, float]] = {}
    beside: dict[tuple[bool, bool, str, str], float] = {}
    for symbol in stored:
        variant = model.variants[int(symbol)]
        node = {p: variant.ties.get(p, p) for p in (*model.pins, GROUND_NODE)}
        for e in variant.elements:
            a, b = sorted((node[e.a], node[e.b]))
            if not e.is_capacitor and (outs.get(a) == b or rows.get(a) == b):
                into, value = (series, e.value) if outs.get(a) == b else (parallel, 1.0 / e.value)
                into[a, b] = (e.name, into.get((a, b), (e.name, 0.0))[1] + value)
                continue
            a, b = sorted((quiet.get(a, a), quiet.get(b, b)))
            if a != b:
                key = (e.is_capacitor, e.varies, a, b)
                beside[key] = beside.get(key, 0.0) + (e.value if e.is_capacitor else 1.0 / e.value)
    if edge > 0:
        a, b = sorted((GROUND_NODE, f"{model.bit_lines[0].prefix}_in"))
        beside[True, False, a, b] = beside.get((True, False, a, b), 0.0) + edge
    elements = [Element(n, a, b, v, "bit line past the block") for (a, b), (n, v) in series.items()]
    elements += [
        Element(n, a, b, 1.0 / v, "lines of the idle rows, in parallel") for (a, b), (n, v) in parallel.items()
    ]
    for number, ((capacitor, varies, a, b), total) in enumerate(beside.items()):
        ends = [(a, b), (outs.get(a, a), outs.get(b, b))]
        ends = ends if ends[0] != ends[1] else ends[:1]
        for side, (x, y) in enumerate(ends):
            share = total / len(ends)
            if share > 0:
                label = f"{'C' if capacitor else 'R'}_idle_{number}_{side}"
                value = share if capacitor else 1.0 / share
                elements.append(Element(label, x, y, value, f"{len(stored)} idle cells, end {side}", varies=varies))
    free = sorted({pin for v in model.variants for pin in v.ties})
    return Variant(name, tuple(elements), dict.fromkeys(free, f"{model.lines[0].prefix}_out"))


def _factor(model: CellModel, stored: ByteArray, factors: FloatArray) -> float:
    """Mismatch of a block: that of its cells, weighed by what varies in them."""
    weight = [sum(e.value if e.is_capacitor else 1.0 / e.value for e in v.elements if e.varies) for v in model.variants]
    weights = np.array(weight)[stored]
    return float(np.average(factors, weights=weights)) if weights.sum() > 0 else float(factors.mean())


def _narrow(case: ColumnStimulus, keep: int | None) -> ColumnStimulus:
    """The case with only `keep` columns modelled, the target in the middle."""
    if keep is None or keep == case.columns:
        return case
    if not 1 <= keep < case.columns or keep % 2 == 0:
        raise InputError(
            f"{keep} of {case.columns} columns cannot be kept", hint="an odd number, not more than there are"
        )
    first = (case.columns - keep) // 2
    kept = slice(first, first + keep)
    d = case.deviations
    return replace(
        case,
        bits=case.bits[:, kept],
        position=case.position + first,
        columns_total=case.position + case.columns + case.beyond,
        deviations=replace(
            d,
            cell=None if d.cell is None else d.cell[:, kept],
            reset=None if d.reset is None else d.reset[..., kept],
        ),
    )


def _mean(values: FloatArray | None, rows: Sequence[Sequence[int]]) -> FloatArray | None:
    return None if values is None else np.array([values[list(run)].mean() for run in rows])


def _waveforms(
    model: CellModel,
    short_model: CellModel,
    periphery: Periphery,
    timing: Timing,
    condition: Condition,
    case: ColumnStimulus,
    short: ColumnStimulus,
) -> tuple[float | None, float | None]:
    """(largest difference in time, difference at the read) of the target's level; None for a current cell."""
    if model.mode != "charge":
        return None, None
    times = np.linspace(timing.input_start, timing.read_at, 200)
    d = case.deviations
    levels = []
    for m, c in ((model, case), (short_model, short)):
        warm = m.at(condition.temperature, row_wire=d.row_wire, bl_wire=d.bl_wire)
        network = column_network(warm, periphery, c)
        supplies = {"source": condition.vdd}
        supplies |= {f"source_{x.letter}": x.volts for x in level_supplies(warm, condition.vdd)}
        rise = Waveform([timing.input_start, timing.input_end], [0.0, 1.0])
        source = VoltageSources(list(supplies), rise, level=list(supplies.values()))
        saved = [f"{line.prefix}_{c.target}" for line in m.bit_lines]
        run = solve_transient(network, [source], stop=timing.read_at, save=saved, initial=0.0, tolerance=1e-7)
        levels.append(run.at(times) @ np.array([line.sign for line in m.bit_lines]))
    change = levels[1] - levels[0]
    return float(np.abs(change).max()), float(change[-1])
