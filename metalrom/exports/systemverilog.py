"""SystemVerilog real-number model: one conversion, a whole tile with its via bits, and a bench that checks itself.

Look-up files hold the 64 bits of every double, so nothing is rounded. The nominal code of a level is the number of
thresholds below it, as in the macro calculator.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from interconnect.errors import InputError
from interconnect.files import atomic_write_files
from metalrom.exports.decisions import code_error, code_of, code_probability
from metalrom.exports.memh import MARK, bit_words, bits_in, doubles, doubles_in, integers, words_of
from metalrom.exports.queries import Points, Quantity
from metalrom.exports.seal import condition_lines, header, sealed, two_levels, unsealed_files
from metalrom.exports.source import Source
from metalrom.exports.views import ConsumerReading, View
from netlists.mapping import ViaProgram, via_program
from netlists.render import cards, render

if TYPE_CHECKING:
    from metalrom.macro import Macro

FloatArray = NDArray[np.float64]

LUTS = ("level.memh", "sigma.memh", "threshold.memh", "row_energy.memh")
MODELS = ("metalrom_column.sv", "metalrom_tile.sv", "metalrom_tb.sv")
STIMULI = ("stimulus.memh", "vectors.memh", "products.memh")
READS = 1000
VECTORS = 2


@dataclass(frozen=True)
class Tile:
    """A part of the layer that one tile holds: half-open ranges of inputs and outputs (whole weights)."""

    inputs: slice
    outputs: slice


def tiles_of(source: Source) -> Iterator[Tile]:
    """Tiles of the layer: blocks of rows one after the other, each with its outputs in order."""
    g, weights = source.results.macro_geometry, source.layer.weights
    inputs, outputs = weights.shape
    for r in range(0, inputs, g.rows):
        for c in range(0, outputs, g.weights_per_row):
            yield Tile(slice(r, min(r + g.rows, inputs)), slice(c, min(c + g.weights_per_row, outputs)))


def program_of(source: Source, weights: NDArray[np.int64]) -> ViaProgram:
    """Via bits of a part of the layer's weights, mapped as the run maps them."""
    g = source.results.macro_geometry
    return via_program(weights, g.weight_bits, mapping=g.mapping)


def group_words(program: ViaProgram, rows: int) -> NDArray[np.uint8]:
    """Via bits by conversion: shape (groups * bit columns, rows); what lies beyond the last input is 0."""
    groups = -(-program.rows // rows)
    padded = np.zeros((groups * rows, program.bit_columns), np.uint8)
    padded[: program.rows] = program.bits
    return padded.reshape(groups, rows, -1).transpose(0, 2, 1).reshape(-1, rows)


def nominal_macro(source: Source) -> Macro:
    """The run's macro at the nominal condition with its mean levels and nothing random."""
    return source.macro(effects=("levels",), threads=1)


def stimuli(source: Source, seed: int = 1) -> dict[str, str]:
    """Stimuli and expected answers of the bench, by file name: random rows on stored bit lines, random vectors."""
    g, rows = source.results.macro_geometry, source.table.rows
    tile = next(tiles_of(source))
    weights = source.layer.weights[tile.inputs, tile.outputs]
    words = group_words(program_of(source, weights), rows)
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    # every share of driven rows, not only half of them
    driven = (rng.random((READS, rows)) < rng.random((READS, 1))).astype(np.uint8)
    place = rng.integers(0, len(words), READS)
    macro = nominal_macro(source)
    code = macro.readout.nominal[driven.sum(axis=1), (driven & words[place]).sum(axis=1)]
    fields = (integers(code.astype(np.int64), 32), integers(place, 32), bit_words(driven))
    # the fields of a word are joined as bits: the rows need not fill whole hexadecimal digits
    parts = zip(*(text.split() for text in fields), strict=True)
    joined = [(((int(c, 16) << 32) | int(p, 16)) << rows) | int(x, 16) for c, p, x in parts]
    digits = -(-(64 + rows) // 4)
    half = 2 ** (g.input_bits - 1)
    x = rng.integers(-half, half, (VECTORS, len(weights)))
    return {
        "stimulus.memh": "".join(f"{word:0{digits}x}\n" for word in joined),
        "vectors.memh": integers(x, g.input_bits),
        "products.memh": integers(macro.matmul(x, weights), 64),
    }


def write(source: Source, folder: Path) -> list[Path]:
    """Write models, look-up files, via bits of every tile, and the bench with its stimuli."""
    table, g = source.table, source.results.macro_geometry
    two_levels(source, "the SystemVerilog model")
    first = next(tiles_of(source))
    part = source.layer.weights[first.inputs, first.outputs]
    shape, program = part.shape, program_of(source, part)
    top = header(source, MARK, *condition_lines(source), f"unit of levels: {table.unit}")
    latency = source.estimate.macro.latency.mid
    values = {
        "header": cards(top),
        "rows": table.rows,
        "codes": table.adc.codes,
        "code_bits": max(1, (table.adc.codes - 1).bit_length()),
        "conditions": len(table.conditions),
        "nominal": table.index(source.results.condition),
        "unit": table.unit,
        "read_time_ns": table.read_time * 1e9,
        "latency_ns": latency * 1e9,
        "inputs": shape[0],
        "outputs": shape[1],
        "input_bits": g.input_bits,
        "mapping": g.mapping,
        "worth": program.worth[program.weight_column == 0].tolist(),
        "bias": program.encoding.constant,
        "words": -(-shape[0] // table.rows) * shape[1] * g.bit_columns_per_weight,
        "reads": READS,
        "vectors": VECTORS,
    }
    templates = ("exports/column.sv.j2", "exports/tile.sv.j2", "exports/testbench.sv.j2")
    texts = {name: render(template, values) for name, template in zip(MODELS, templates, strict=True)}
    sigma = np.stack([table.total_sigma(c) for c in table.conditions])
    thresholds = np.stack([table.thresholds(c) for c in table.conditions])
    arrays = (table.mean, np.where(table.valid, sigma, np.nan), thresholds, table.row_energy)
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
        told = (
            f"tile {number}: inputs {i.start}..{i.stop - 1}, outputs {o.start}..{o.stop - 1} of the layer",
            f"words of {table.rows} via bits, bit r = row r of the group; word (group, bit column)",
        )
        words = group_words(program_of(source, source.layer.weights[i, o]), table.rows)
        texts[f"weights_{number}.memh"] = header(source, MARK, *told) + bit_words(words)
    for name, text in stimuli(source).items():
        texts[name] = header(source, MARK, "stimuli and expected answers of metalrom_tb.sv") + text
    return atomic_write_files(folder, {name: sealed(text, MARK) for name, text in texts.items()})


@dataclass(frozen=True)
class _Held:
    """What the files hold. level, sigma: (conditions, N + 1, N + 1); thresholds: (conditions, N + 1, codes - 1)."""

    level: FloatArray
    sigma: FloatArray
    thresholds: FloatArray
    row_energy: FloatArray
    read_time: float


def read(folder: Path) -> _Held:
    """Read the export back from its files alone. Raises InputError if one is missing, damaged or of another run."""
    weights = sorted(p.name for p in folder.glob("weights_*.memh"))
    texts = unsealed_files(folder, (*MODELS, *LUTS, *STIMULI, *(weights or ["weights_0.memh"])), MARK)
    model = folder / MODELS[0]
    size = {name: int(_localparam(texts[MODELS[0]], name, model)) for name in ("ROWS", "CODES", "CONDITIONS")}
    n, conditions = size["ROWS"] + 1, size["CONDITIONS"]
    shapes = ((conditions, n, n), (conditions, n, n), (conditions, n, size["CODES"] - 1), (conditions, n))
    level, sigma, thresholds, energy = (
        doubles_in(texts[name], folder / name, shape) for name, shape in zip(LUTS, shapes, strict=True)
    )
    return _Held(level, sigma, thresholds, energy, _localparam(texts[MODELS[0]], "READ_TIME", model) * 1e-9)


def read_weights(folder: Path, tile: int = 0) -> NDArray[np.uint8]:
    """Via bits of a tile, shape (words, group rows). Raises InputError as `read`."""
    name = f"weights_{tile}.memh"
    texts = unsealed_files(folder, (MODELS[0], name), MARK)
    return bits_in(texts[name], folder / name, int(_localparam(texts[MODELS[0]], "ROWS", folder / MODELS[0])))


def read_stimuli(folder: Path) -> dict[str, list[int]]:
    """Words of the bench's files, by name. Raises InputError as `read`."""
    texts = unsealed_files(folder, STIMULI, MARK)
    return {name: [int(word, 16) for word in words_of(text, folder / name)] for name, text in texts.items()}


def _localparam(text: str, name: str, path: Path) -> float:
    match = re.search(rf"localparam \w+ {name} = ([0-9.e+-]+);", text)
    if not match:
        raise InputError(f"holds no {name}", where=str(path))
    return float(match.group(1))


def answer(folder: Path, quantity: Quantity, points: Points) -> FloatArray | None:
    """The common questions, from the look-up files."""
    if quantity not in TOLERANCE:
        return None
    held = read(folder)
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
    probability = code_probability(level, sigma, held.thresholds[i, a])
    return code_of(probability) if quantity == "code" else code_error(probability, c)


def measure(source: Source, folder: Path) -> dict[str, float]:
    """Share of the via bits of all tiles that are not the run's. Raises InputError for other tiles than the run's."""
    tiles = list(tiles_of(source))
    if len(list(folder.glob("weights_*.memh"))) != len(tiles):
        raise InputError(f"does not hold the via bits of {len(tiles)} tiles", where=str(folder), hint="export again")
    wrong = total = 0
    for number, tile in enumerate(tiles):
        ours = group_words(program_of(source, source.layer.weights[tile.inputs, tile.outputs]), source.table.rows)
        held = read_weights(folder, number)
        if held.shape != ours.shape:
            raise InputError("holds another number of bit columns", where=str(folder / f"weights_{number}.memh"))
        wrong, total = wrong + int((held != ours).sum()), total + ours.size
    return {"via_bits": wrong / total}


TOLERANCE: dict[str, float] = {
    "level": 0.0,
    "sigma": 0.0,
    "code": 0.0,
    "code_error": 1e-12,
    "row_energy": 0.0,
    "read_time": 1e-15,
}


def _consume(source: Source, folder: Path) -> ConsumerReading:
    from metalrom.exports.verilog_check import consume

    return consume(source, folder)


VIEW = View(
    "systemverilog",
    "SystemVerilog real-number model of a conversion and of a tile, via bits as $readmemh files, self-checking bench",
    "exact: 64 bits per value; times in ns to 1e-15",
    {"via_bits": 0.0, **TOLERANCE},
    write,
    answer,
    _consume,
    measure,
)
