"""A configuration brought to life: every stage of the chain as a typed value, computed when it is asked for."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from characterization.testbench import MetalCorner
from interconnect.arrays import FloatArray, IntArray
from interconnect.errors import InputError
from interconnect.extraction import Extraction, extract
from interconnect.files import read_bytes, unchanged_file
from interconnect.geometry import CellGeometry
from interconnect.stack import Stack
from metalrom.assets import asset_path
from metalrom.config.schema import MAX_ACTIVATIONS, Config
from metalrom.design.conditions import operating_points
from metalrom.design.error_context import config_context
from metalrom.design.specs import check_specs
from metalrom.folders import cache_folder
from metalrom.macro.conversions import ConversionRule, empty_groups, largest_drop
from metalrom.specs.grammar import Spec
from metalrom.workloads.activations import embedding_activations, quantize_activations, random_activations
from netlists.array_options import ArrayOptions
from netlists.cells import make_cell
from netlists.cells.base import Cell, CellModel, Plane, require_capability
from netlists.condition import NOMINAL_METALS, Condition
from netlists.mapping import MacroShape, Scheme, TileManifest, ViaProgram, scheme_of, tile, via_program
from netlists.periphery import Periphery, Timing, default_periphery
from netlists.plane_select import PlaneSelect
from netlists.readout.column_converter import COLUMN_CONVERTERS
from netlists.readout.column_sar import ColumnSar
from netlists.technology import Technology, load_technology
from netlists.weights import QuantizedWeights, Words, integer_weights, load_layer, load_ternary, quantize, tensor_file

ASSET = "asset:"

TERNARY_BITS = 2
"""Bits with which a configuration asks for ternary weights."""


@dataclass(frozen=True)
class Activations:
    """Integer inputs of the layer, shape (vectors, rows), and where they come from in words.

    files: name of a file that they were made from -> SHA-256 of its bytes.
    """

    values: IntArray
    source: str
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Design:
    """Typed, lazily evaluated view of a configuration: what follows from it before anything is simulated.

    `path`: the configuration file; `source`: the bytes that `config` was parsed from, None for one that was made
    otherwise. `extraction`: the method by which cells are extracted unless a call names another.
    """

    config: Config
    path: Path
    extraction: str = "auto"
    source: bytes | None = field(default=None, repr=False)

    @property
    def folder(self) -> Path:
        """Folder against which relative paths of the configuration are read."""
        return self.path.parent

    @cached_property
    def technology(self) -> Technology:
        """Metal stack and transistors."""
        section = self.config.technology
        with config_context(self.path, "technology"):
            found = load_technology(self._named(section.stack), self._named(section.devices), beol=section.beol)
            devices = found.devices.with_periphery_rules(section.periphery_rules)
            if section.simulator != "kit":
                devices = devices.simulated_by(section.simulator)
            return replace(found, devices=devices)

    @property
    def stack(self) -> Stack:
        """The metal stack."""
        return self.technology.stack

    @cached_property
    def cell(self) -> Cell:
        """The cell's parameters."""
        section = self.config.cell
        with config_context(self.path, "cell"):
            return make_cell(section.kind, section.parameters())

    @property
    def is_binary(self) -> bool:
        """Whether a cell stores one via bit that counts 0 or 1."""
        return self.cell.symbol_values == (0, 1)

    def check_characterized(self) -> None:
        """Refuse a cell that the procedures cannot measure. Raises UnsupportedCell."""
        purpose = "characterized, only drawn, extracted and written as a netlist"
        require_capability(self.cell, "measurable", purpose, where=f"{self.path}: cell.kind")

    @cached_property
    def planes(self) -> tuple[Plane, ...]:
        """Storing planes, lowest first. Raises InputError when two planes share a metal."""
        planes = tuple(Plane(p.row, p.column) for p in self.config.cell.planes)
        used = [name for p in planes for name in (p.row, p.column)]
        for name in used:
            if used.count(name) > 1:
                raise InputError(
                    f"metal {name} is used by two planes",
                    where=f"{self.path}: cell.planes",
                    hint="give each plane its own pair",
                )
        return planes

    def geometry(self, plane: int = 0, program: tuple[int, ...] = (1, 0)) -> CellGeometry:
        """The cell's boxes on one plane for these via bits (one per column)."""
        with config_context(self.path, "cell"):
            return self.cell.geometry(self.stack, self.planes[plane], program)

    def extract(self, geometry: CellGeometry, method: str | None = None) -> Extraction:
        """Capacitances and resistances, cached by geometry in the user's cache folder."""
        return self._extract_on(geometry, self.stack, method)

    def _extract_on(self, geometry: CellGeometry, stack: Stack, method: str | None = None) -> Extraction:
        try:
            kept: Path | None = cache_folder("extraction")
        except InputError:  # nowhere to keep it: solved again every time
            kept = None
        return extract(geometry, stack, method=method or self.extraction, cache_dir=kept)

    @cached_property
    def models(self) -> tuple[CellModel, ...]:
        """Electrical model of the cell on every plane."""
        with config_context(self.path, "cell"):
            models = tuple(self.cell.model(self.stack, plane, lambda g, s: self.extract(g)) for plane in self.planes)
            for model in models:
                if model.symbol_values != self.cell.symbol_values:
                    raise InputError(
                        f"the symbols of {self.cell.kind} count {model.symbol_values} in its model, "
                        f"{self.cell.symbol_values} in its class",
                        where="cell.kind",
                    )
            return models

    @cached_property
    def worst_plane(self) -> int:
        """Index of the plane with the smallest signal (charge) or the largest wire resistance (current)."""
        if self.models[0].mode == "charge":
            return int(np.argmin([m.switched / m.bl_total for m in self.models]))
        return int(np.argmax([m.value("R_bl") + m.value("R_row") for m in self.models]))

    def plane_above(self, index: int) -> Plane | None:
        """The plane whose rows lie on the metal above the columns of a plane; None where there is none, or where the
        cell kind or a row pitch of its own keeps it from being drawn with them."""
        above = next(iter(self.planes[index + 1 : index + 2]), None)
        if above is None or not getattr(self.cell, "stackable", False):
            return None
        if self.stack.index(above.row) != self.stack.index(self.planes[index].column) + 1:
            return None
        pitches = [self.cell.lengths(self.stack, p).row_pitch for p in (self.planes[index], above)]
        return above if abs(pitches[1] - pitches[0]) < 1e-12 else None

    @cached_property
    def periphery(self) -> Periphery:
        """Transistor sizes around the array."""
        devices = self.technology.devices
        with config_context(self.path, "periphery"):
            found = default_periphery(devices, kind="transistor", **self.config.periphery.model_dump())
        return replace(found, plane_select=self._plane_select)

    @cached_property
    def _plane_select(self) -> PlaneSelect | None:
        """Select of a current cell whose planes share a sense node; None where every plane has its own."""
        section, planes = self.config.readout.plane_select, len(self.planes)
        given, shared = section.parameters(), section.planes_shared
        with config_context(self.path, ""):
            if (given or shared > 1) and self.cell.mode != "current":
                raise InputError(
                    f"selects share a sense circuit, the cell {self.config.cell.kind} is read by its charge",
                    where="readout.plane_select.planes_shared",
                    hint="planes of a chain share by readout.line.planes_shared",
                )
            if planes % shared:
                raise InputError(
                    f"{shared} does not divide {planes} planes",
                    where="readout.plane_select.planes_shared",
                    hint="1, all, or another divisor",
                )
            if shared == 1:
                for name in given:
                    raise InputError(
                        "every plane has a sense circuit of its own",
                        where=f"readout.plane_select.{name}",
                        hint="planes_shared: 2 or more",
                    )
                return None
            return PlaneSelect(**given, planes=shared)

    @cached_property
    def timing(self) -> Timing:
        """When things happen in a read."""
        with config_context(self.path, "timing"):
            return Timing(**self.config.timing.model_dump())

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """Operating points, the nominal one (first of each list) first."""
        section = self.config.conditions
        with config_context(self.path, "conditions.beol"):
            return operating_points(section, self.technology.devices, self.stack, where=f"{self.path}: conditions")

    @cached_property
    def metal_corners(self) -> tuple[tuple[str, MetalCorner], ...]:
        """Technology and cell of the characterized plane at every corner of the metals that a condition names.

        The plane is the nominal one's, with the rows of the plane above it; every corner is extracted on its own.
        """
        plane, above = self.planes[self.worst_plane], self.plane_above(self.worst_plane)
        drawn = () if above is None else (above,)
        found = []
        for name in dict.fromkeys(c.beol for c in self.conditions if c.beol != NOMINAL_METALS):
            there = self.technology.at_metal_corner(name)
            with config_context(self.path, "conditions.beol"):
                model = self.cell.model(there.stack, plane, self._extract_on, *drawn)
            found.append((name, MetalCorner(there, model)))
        return tuple(found)

    @cached_property
    def specs(self) -> tuple[Spec, ...]:
        """What the configuration asks of a run. Raises InputError for a condition that is not planned or a level in V
        of a current cell (A of a charge cell)."""
        return check_specs(self.config.specs, self.conditions, self.cell, self.path)

    @cached_property
    def weights(self) -> QuantizedWeights:
        """The quantized layer. Raises InputError for a missing, misshapen or non-finite tensor."""
        return self._read_weights[0]

    @property
    def weights_source(self) -> str:
        """Where the layer comes from, in words."""
        return self._read_weights[2]

    @cached_property
    def _read_weights(self) -> tuple[QuantizedWeights, str | None, str]:
        """The quantized layer, the SHA-256 of the file that it was read from if there is one, and its source."""
        section = self.config.weights
        if section.random is not None:
            rng = np.random.default_rng(np.random.SeedSequence([self.config.characterization.seed, 10]))
            values = self._quantized(rng.standard_normal(section.random))
            return values, None, "Gaussian random weights (a dry run)"
        if section.file is None:
            raise InputError("no weight file given", where=f"{self.path}: weights.file")
        words = Words(section.word_bits or section.bits, signed=not section.unsigned)
        with config_context(self.path, "weights.file"):
            file = self.resolve(section.file)
            with unchanged_file(tensor_file(file, section.tensor)) as digest:
                digits = self._stored_digits(file)
                if digits is not None:
                    return digits, digest, f"{section.tensor} of {section.file}, ternary digits as stored"
                tensor, stored = load_layer(
                    file,
                    section.tensor,
                    transpose=section.transpose,
                    shape=section.shape,
                    words=words,
                    groups=section.groups,
                    group=section.group,
                )
            source = f"{section.tensor} of {section.file}"
            if len(stored) > 2:
                part = f"group {section.group} of {section.groups}, " if section.groups > 1 else ""
                extents = " x ".join(map(str, stored))
                source += f", a convolution kernel of {extents}: {part}rows are its unfolded inputs (im2col)"
            if section.integers:
                return integer_weights(tensor, section.bits), digest, source
            return self._quantized(tensor), digest, source

    def _quantized(self, tensor: FloatArray) -> QuantizedWeights:
        section = self.config.weights
        return quantize(tensor, section.bits, top=self.scheme.largest, ternary=section.ternary_rule)

    def _stored_digits(self, file: Path) -> QuantizedWeights | None:
        """Digits and scales of a packed ternary matrix that goes into cells as it is: a second quantization would keep
        the digits, but not the scales. None for any other tensor, and where it is taken for real weights."""
        section = self.config.weights
        if section.bits != TERNARY_BITS or not section.transpose or section.integers:
            return None
        found = load_ternary(file, section.tensor)
        if found is not None and section.shape not in (None, found.values.shape):
            what = f"tensor {section.tensor} has shape {found.values.shape} (inputs, outputs), expected {section.shape}"
            raise InputError(what, where=str(file))
        return found

    @cached_property
    def scheme(self) -> Scheme:
        """How the mapping stores a weight in cells. Raises InputError for cells that it cannot use."""
        with config_context(self.path, "mapping"):
            return scheme_of(self.config.mapping, self.config.weights.bits, self.cell.symbol_values)

    @property
    def columns_per_conversion(self) -> int:
        """Bit columns that a conversion takes: two where the converter takes differences."""
        return COLUMN_CONVERTERS[self.config.readout.converter.kind].columns

    @cached_property
    def read_scheme(self) -> Scheme:
        """The scheme as conversions read it: of columns, or of differences of neighbouring ones.

        Raises InputError for differences of columns that the mapping does not store side by side.
        """
        if self.columns_per_conversion == 1:
            return self.scheme
        array, kind = self.config.array, self.config.readout.converter.kind
        for name in ("columns", "columns_per_adc"):
            if getattr(array, name) % 2:
                raise InputError(
                    f"is odd, and the converter `{kind}` takes two columns at a time",
                    where=f"{self.path}: array.{name}",
                    hint="an even number",
                )
        with config_context(self.path, ""):
            return self.scheme.paired()

    @cached_property
    def program(self) -> ViaProgram:
        """Cell symbols of the whole layer."""
        bits, mapping, values = self.config.weights.bits, self.config.mapping, self.cell.symbol_values
        with config_context(self.path, "mapping"):
            return via_program(self.weights.values, bits, mapping=mapping, symbol_values=values)

    @cached_property
    def rule(self) -> ConversionRule:
        """Which conversions are made; with a target as many are dropped as keep it on the layer's own data. Raises
        InputError where nothing would be left."""
        section, readout = self.config.macro, self.config.readout
        fixed = readout.is_inverter or not issubclass(COLUMN_CONVERTERS[readout.converter.kind], ColumnSar)
        if section.popcount_range and fixed:
            raise InputError(
                "takes fewer decisions of a successive approximation; a ramp starts at one end for any range",
                where=f"{self.path}: macro.popcount_range",
                hint="leave it out, or readout.converter: {kind: sar}",
            )
        drop = section.partial_products
        with config_context(self.path, "macro"):
            rule = ConversionRule(
                skip_idle=section.skip_idle,
                popcount_range=section.popcount_range,
                drop_below=drop.below or 0 if drop else 0,
                variable_time=section.variable_time,
                skip_empty=section.skip_empty,
            )
            rule.first_planes(self.read_scheme, self.config.inputs.bits)
        if drop is None or drop.csnr is None:
            return rule
        x, w = self.activations.values, self.weights.values.astype(np.int64)
        below, _ = largest_drop(x, w, self.read_scheme, drop.csnr, input_bits=self.config.inputs.bits)
        return replace(rule, drop_below=below, drop_csnr=drop.csnr)

    def empty_share(self, rows: int) -> float:
        """Part of the groups of `rows` rows of a column that store nothing but zeros, as conversions read it."""
        digits = np.array(self.program.symbol_values)[self.program.bits]
        if self.columns_per_conversion > 1:
            digits = digits[:, ::2] | digits[:, 1::2]  # a pair is empty where both columns are
        height = self.config.array.rows  # groups begin anew in every tile
        parts = [empty_groups(digits[start : start + height], rows) for start in range(0, len(digits), height)]
        return float(np.concatenate(parts).mean())

    @property
    def symbol_shares(self) -> tuple[float, ...]:
        """Share of every symbol among the cells of the layer, of a readout of differences among its pairs of cells."""
        symbols, values = self.program.bits, self.read_scheme.encoding.symbol_values
        if self.columns_per_conversion > 1:
            symbols = symbols[:, ::2] + 1 - symbols[:, 1::2]
        found = np.bincount(symbols.ravel(), minlength=len(values))
        return tuple(float(v) for v in found / found.sum())

    @cached_property
    def array_options(self) -> ArrayOptions:
        """What surrounds the storing columns in netlists."""
        array = self.config.array
        return ArrayOptions(
            dummy_columns=array.dummy_columns,
            reference_columns=array.reference_columns,
            ground_return=array.ground_return,
            lcc=array.lcc,
            columns_per_adc=array.columns_per_adc,
            sample_capacitance=array.lcc_capacitance,
        )

    @cached_property
    def manifest(self) -> TileManifest:
        """Where the via bits sit: tiles of the array's size, their planes and columns."""
        array = self.config.array
        return tile(self.program, MacroShape(rows=array.rows, columns=array.columns, planes=len(self.planes)))

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the bytes that the configuration was parsed from; without them, of its values."""
        source = self.config.model_dump_json().encode() if self.source is None else self.source
        return hashlib.sha256(source).hexdigest()

    @property
    def input_files(self) -> dict[str, str]:
        """SHA-256 of the bytes of every file that went in, as they were when they were parsed, by what it holds."""
        found = {
            "configuration": self.sha256,
            "stack": self.stack.sha256,
            "devices": self.technology.devices.sha256,
        }
        digest = self._read_weights[1]
        return found | ({} if digest is None else {"weights": digest}) | dict(self.activations.files)

    def check_unchanged(self) -> None:
        """Refuse library files that were changed since they were read: decks include them by their paths.

        Everything else that goes in is read once. Raises InputError.
        """
        for path, digest in self.technology.devices.included:
            if hashlib.sha256(read_bytes(path)).hexdigest() != digest:
                raise InputError("was changed during the run", where=str(path), hint="run the configuration again")

    @cached_property
    def activations(self) -> Activations:
        """Integer inputs with which the layer is judged."""
        section = self.config.inputs
        width = self.weights.values.shape[0]
        if section.source == "random":
            if section.vectors * width > MAX_ACTIVATIONS:
                raise InputError(
                    f"{section.vectors} random vectors of {width} inputs are more than {MAX_ACTIVATIONS} numbers",
                    where=f"{self.path}: inputs.vectors",
                )
            x = random_activations(section.vectors, width, self.config.characterization.seed)
            source, files = f"{section.vectors} Gaussian random vectors", {}
        else:
            checkpoint = self.resolve(self.config.weights.file or "")
            vocabulary = checkpoint.parent / "vocab.txt"
            with unchanged_file(checkpoint) as digest, unchanged_file(vocabulary) as vocabulary_digest:
                x = embedding_activations(checkpoint, vocabulary, section.text)
            if digest != self._read_weights[1]:
                raise InputError("was changed while it was read", where=str(checkpoint), hint="run the command again")
            files = {"vocabulary": vocabulary_digest}
            source = f"embeddings of {len(section.text)} sentences ({len(x)} tokens) from {checkpoint.name}"
            if x.shape[1] != width:
                raise InputError(
                    f"the checkpoint's embeddings have width {x.shape[1]}, the layer takes {width}",
                    where=f"{self.path}: inputs.source",
                )
        return Activations(quantize_activations(x, section.bits)[0], source, files)

    def resolve(self, name: str) -> Path:
        """A file of the configuration: `asset:NAME/FILE` or a path relative to the configuration."""
        if name.startswith(ASSET):
            asset, _, file = name.removeprefix(ASSET).partition("/")
            return asset_path(asset, file)
        return self.folder / name

    def _named(self, name: str) -> str | Path:
        """The name of something built in as it is, a YAML file relative to the configuration's folder."""
        return self.folder / name if name.endswith((".yaml", ".yml")) else name
