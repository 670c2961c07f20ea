"""SystemVerilog real-number model: one conversion, a tile by its pins, its products, and a bench that checks itself.

Look-up files hold the 64 bits of every double, so nothing is rounded. The nominal code of a level is the number of
thresholds below it, as in the macro calculator.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from characterization.margins import code_probabilities, tail_distances, wrong_code_probability
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.files import atomic_write_files
from metalrom.exporters.checksum import add_digest, condition_lines, header, two_levels
from metalrom.exporters.circuit.boundary import boundary_of
from metalrom.exporters.circuit.boundary_timing import boundary_timing
from metalrom.exporters.circuit.memh import MARK, bit_words, doubles
from metalrom.exporters.circuit.systemverilog_data import (
    LUTS,
    MODELS,
    READS,
    group_words,
    program_of,
    read_systemverilog,
    read_weights,
    stimuli,
    tiles_of,
    vector_count,
)
from metalrom.exporters.circuit.verilog_check import validate_systemverilog
from metalrom.exporters.exporter import Exporter
from metalrom.exporters.probes import ProbePoints, ProbeQuantity
from metalrom.exporters.run_data import RunData
from netlists.render import cards, render


def write_systemverilog(source: RunData, folder: Path) -> list[Path]:
    """Write models, look-up files, via bits of every tile, and the bench with its stimuli."""
    table, g = source.table, source.results.macro_geometry
    two_levels(source, "the SystemVerilog model")
    first = next(tiles_of(source))
    program = program_of(source, first)
    shape = program.rows, program.weight_columns
    top = header(source, MARK, *condition_lines(source), f"unit of levels: {table.unit}")
    values = {
        "header": cards(top),
        "rows": table.rows,
        "codes": table.adc.codes,
        "code_bits": max(1, (table.adc.codes - 1).bit_length()),
        "conditions": len(table.conditions),
        "nominal": table.index(source.results.condition),
        "unit": table.unit,
        "read_time_ns": table.read_time * 1e9,
        "inputs": shape[0],
        "outputs": shape[1],
        "input_bits": g.input_bits,
        "mapping": g.mapping,
        "place_value": program.place_value[program.weight_column == 0].tolist(),
        "bias": program.encoding.constant,
        "words": -(-shape[0] // table.rows) * shape[1] * g.bit_columns_per_weight,
        "reads": READS,
        "vectors": vector_count(shape[1]),
        **_tile_values(source),
    }
    templates = ("exports/column.sv.j2", "exports/tile.sv.j2", "exports/product.sv.j2", "exports/testbench.sv.j2")
    texts = {name: render(template, values) for name, template in zip(MODELS, templates, strict=True)}
    sigma = np.stack([table.total_sigma(c) for c in table.conditions])
    thresholds = np.stack([table.thresholds(c) for c in table.conditions])
    arrays = (table.level, np.where(table.valid, sigma, np.nan), thresholds, table.row_energy)
    meanings = (
        f"mean level, {table.unit}; word (condition, driven rows, count)",
        f"standard deviation of the level with every spread incl. the converter's, {table.unit}; as the level",
        f"converter thresholds, {table.unit}; word (condition, driven rows, threshold)",
        "energy of the row drivers per conversion and column, J; word (condition, driven rows)",
    )
    for name, array, meaning in zip(LUTS, arrays, meanings, strict=True):
        texts[name] = header(source, MARK, *condition_lines(source), meaning) + doubles(array)
    for number, tile in enumerate(tiles_of(source)):
        i, o = tile.inputs, tile.outputs
        message = (
            f"tile {number}: inputs {i.start}..{i.stop - 1}, outputs {o.start}..{o.stop - 1} of the layer",
            f"words of {table.rows} via bits, bit r = row r of the group; word (group, bit column)",
        )
        words = group_words(program_of(source, tile), table.rows)
        texts[f"weights_{number}.memh"] = header(source, MARK, *message) + bit_words(words)
    for name, text in stimuli(source).items():
        texts[name] = header(source, MARK, "stimuli and expected answers of metalrom_tb.sv") + text
    return atomic_write_files(folder, {name: add_digest(text, MARK) for name, text in texts.items()})


def _tile_values(source: RunData) -> dict[str, Any]:
    """What the templates say of a tile's boundary: pins, sharing of converters, times."""
    g, m = source.results.macro_geometry, source.estimate.macro
    boundary, times, convert = boundary_of(g), boundary_timing(source, m), m.step["adc"].provenance
    pins = [{"name": p.name, "direction": p.direction, "width": p.width, "supply": p.supply} for p in boundary.pins]
    return {
        "pins": pins,
        "addressing": boundary.addressing,
        "select_bits": next(p.width for p in boundary.pins if p.name == "select"),
        "banks": boundary.banks,
        "converters": boundary.converters,
        "code_bits_of_pins": boundary.code_bits,
        "shared_columns": boundary.columns,
        "shared_planes": boundary.planes,
        "segments": boundary.segments,
        "columns": g.columns,
        "tile_rows": g.rows,
        "converts_per_read": boundary.shares if g.rows_held else g.conversions_per_read,
        "convert_time_ns": times.convert * 1e9,
        "convert_source": f"{convert.status}, {convert.source}",
        "setup_ns": max(times.setup_select, times.setup_x) * 1e9,
    }


def read_back_systemverilog(folder: Path, quantity: ProbeQuantity, points: ProbePoints) -> FloatArray | None:
    """The common questions, from the look-up files."""
    if quantity not in TOLERANCE:
        return None
    held = read_systemverilog(folder)
    i, a, c = points.condition, points.active, points.count
    level, sigma = held.level[i, a, c], held.sigma[i, a, c]
    match quantity:
        case "level":
            return level
        case "sigma":
            return sigma
        case "row_energy":
            return np.asarray(held.row_energy[i, a])
        case "read_time":
            return np.full(len(points), held.read_time)
    if quantity == "code":
        return np.asarray(code_probabilities(level, sigma, held.thresholds[i, a]).argmax(axis=1), dtype=np.float64)
    return wrong_code_probability(*tail_distances(level, sigma, held.thresholds[i, a], c))


def compare_systemverilog(source: RunData, folder: Path) -> dict[str, float]:
    """Share of the via bits of all tiles that are not the run's. Raises InputError for other tiles than the run's."""
    tiles = list(tiles_of(source))
    if len(list(folder.glob("weights_*.memh"))) != len(tiles):
        raise InputError(f"does not hold the via bits of {len(tiles)} tiles", where=str(folder), hint="export again")
    wrong = total = 0
    for number, tile in enumerate(tiles):
        expected = group_words(program_of(source, tile), source.table.rows)
        held = read_weights(folder, number)
        if held.shape != expected.shape:
            raise InputError("holds another number of bit columns", where=str(folder / f"weights_{number}.memh"))
        wrong, total = wrong + int((held != expected).sum()), total + expected.size
    return {"via_bits": wrong / total}


TOLERANCE: dict[str, float] = {
    "level": 0.0,
    "sigma": 0.0,
    "code": 0.0,
    "code_error": 1e-12,
    "row_energy": 0.0,
    "read_time": 1e-15,
}


EXPORTER = Exporter(
    "systemverilog",
    "SystemVerilog real-number model of a conversion and of a tile, via bits as $readmemh files, self-checking bench",
    "exact: 64 bits per value; times in ns to 1e-15",
    {"via_bits": 0.0, **TOLERANCE},
    write_systemverilog,
    read_back_systemverilog,
    validate_systemverilog,
    compare_systemverilog,
)
