"""What the SystemVerilog files of a tile hold, written and read back."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from interconnect.arrays import ByteArray, FloatArray
from interconnect.errors import InputError
from metalrom.exporters.checksum import verify_digests
from metalrom.exporters.circuit.memh import MARK, bit_words, bits_in, doubles_in, integer_words, words_of
from metalrom.exporters.run_data import RunData
from metalrom.macro import Macro
from metalrom.macro.conversions import ConversionRule
from netlists.mapping import ViaProgram

LUTS = ("level.memh", "sigma.memh", "threshold.memh", "row_energy.memh")


MODELS = ("metalrom_column.sv", "metalrom_tile.sv", "metalrom_product.sv", "metalrom_tb.sv")


STIMULI = ("stimulus.memh", "vectors.memh", "products.memh")


READS = 1000


PRODUCTS = 1000
"""Integer products that the bench takes, at least."""


@dataclass(frozen=True)
class Tile:
    """A part of the layer that one tile holds: half-open ranges of inputs and outputs (whole weights)."""

    inputs: slice
    outputs: slice


def tiles_of(source: RunData) -> Iterator[Tile]:
    """Tiles of the layer: blocks of rows one after the other, each with its outputs in order."""
    g, weights = source.results.macro_geometry, source.layer.weights
    inputs, outputs = weights.shape
    for r in range(0, inputs, g.rows):
        for c in range(0, outputs, g.weights_per_row):
            yield Tile(slice(r, min(r + g.rows, inputs)), slice(c, min(c + g.weights_per_row, outputs)))


def program_of(source: RunData, tile: Tile) -> ViaProgram:
    """The part of the run's via program that a tile holds, its outputs counted from 0."""
    whole = source.program
    mine = np.isin(whole.weight_column, np.arange(tile.outputs.start, tile.outputs.stop))
    return replace(
        whole,
        bits=whole.bits[tile.inputs][:, mine],
        weight_column=whole.weight_column[mine] - tile.outputs.start,
        sign=whole.sign[mine],
        significance=whole.significance[mine],
    )


def vector_count(outputs: int) -> int:
    """Input vectors of the bench, for a tile of so many outputs."""
    return max(2, -(-PRODUCTS // outputs))


def group_words(program: ViaProgram, rows: int) -> ByteArray:
    """Via bits by conversion: shape (groups * bit columns, rows); what lies beyond the last input is 0."""
    groups = -(-program.rows // rows)
    padded = np.zeros((groups * rows, program.bit_columns), np.uint8)
    padded[: program.rows] = program.bits
    return padded.reshape(groups, rows, -1).transpose(0, 2, 1).reshape(-1, rows)


def nominal_macro(source: RunData) -> Macro:
    """The run's macro at the nominal condition with its mean levels and nothing random; it makes every conversion, as
    the view does."""
    return source.macro(effects=("levels",), threads=1, **ConversionRule().options)


def stimuli(source: RunData, seed: int = 1) -> dict[str, str]:
    """Stimuli and expected answers of the bench, by file name: random rows on stored bit lines, random vectors."""
    g, rows = source.results.macro_geometry, source.table.rows
    tile = next(tiles_of(source))
    weights = source.layer.weights[tile.inputs, tile.outputs]
    words = group_words(program_of(source, tile), rows)
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    # every share of driven rows, not only half of them
    driven = (rng.random((READS, rows)) < rng.random((READS, 1))).astype(np.uint8)
    place = rng.integers(0, len(words), READS)
    macro = nominal_macro(source)
    code = macro.readout.nominal[driven.sum(axis=1), (driven & words[place]).sum(axis=1)]
    fields = (integer_words(code.astype(np.int64), 32), integer_words(place, 32), bit_words(driven))
    # the fields of a word are joined as bits: the rows need not fill whole hexadecimal digits
    parts = zip(*(text.split() for text in fields), strict=True)
    joined = [(((int(c, 16) << 32) | int(p, 16)) << rows) | int(x, 16) for c, p, x in parts]
    digits = -(-(64 + rows) // 4)
    half = 2 ** (g.input_bits - 1)
    x = rng.integers(-half, half, (vector_count(weights.shape[1]), len(weights)))
    return {
        "stimulus.memh": "".join(f"{word:0{digits}x}\n" for word in joined),
        "vectors.memh": integer_words(x, g.input_bits),
        "products.memh": integer_words(macro.matmul(x, weights), 64),
    }


@dataclass(frozen=True)
class _Held:
    """What the files hold. level, sigma: (conditions, N + 1, N + 1); thresholds: (conditions, N + 1, codes - 1)."""

    level: FloatArray
    sigma: FloatArray
    thresholds: FloatArray
    row_energy: FloatArray
    read_time: float


def read_systemverilog(folder: Path) -> _Held:
    """Read the export back from its files alone. Raises InputError if one is missing, damaged or of another run."""
    weights = sorted(p.name for p in folder.glob("weights_*.memh"))
    texts = verify_digests(folder, (*MODELS, *LUTS, *STIMULI, *(weights or ["weights_0.memh"])), MARK)
    model = folder / MODELS[0]
    size = {name: int(_localparam(texts[MODELS[0]], name, model)) for name in ("ROWS", "CODES", "CONDITIONS")}
    n, conditions = size["ROWS"] + 1, size["CONDITIONS"]
    shapes = ((conditions, n, n), (conditions, n, n), (conditions, n, size["CODES"] - 1), (conditions, n))
    level, sigma, thresholds, energy = (
        doubles_in(texts[name], folder / name, shape) for name, shape in zip(LUTS, shapes, strict=True)
    )
    return _Held(level, sigma, thresholds, energy, _localparam(texts[MODELS[0]], "READ_TIME", model) * 1e-9)


def read_weights(folder: Path, tile: int = 0) -> ByteArray:
    """Via bits of a tile, shape (words, group rows). Raises InputError as `read_systemverilog`."""
    name = f"weights_{tile}.memh"
    texts = verify_digests(folder, (MODELS[0], name), MARK)
    return bits_in(texts[name], folder / name, int(_localparam(texts[MODELS[0]], "ROWS", folder / MODELS[0])))


def read_stimuli(folder: Path) -> dict[str, list[int]]:
    """Words of the bench's files, by name. Raises InputError as `read_systemverilog`."""
    texts = verify_digests(folder, STIMULI, MARK)
    return {name: [int(word, 16) for word in words_of(text, folder / name)] for name, text in texts.items()}


def _localparam(text: str, name: str, path: Path) -> float:
    match = re.search(rf"localparam \w+ {name} = ([0-9.e+-]+);", text)
    if not match:
        raise InputError(f"holds no {name}", where=str(path))
    return float(match.group(1))
