"""The user's configuration: YAML in, one frozen typed value out; unknown keys and wrong units are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    field_validator,
    model_validator,
)

from characterization.procedures import with_requirements
from interconnect.errors import InputError
from interconnect.validation import validate
from interconnect.yamlfile import read_yaml
from metalrom.config.base import ConfigLine, ConfigSection, Integer, Name, printable
from metalrom.config.cell import CellSection
from metalrom.config.explore import ExploreSection
from metalrom.config.macro import MacroSection
from metalrom.config.readout import ReadoutSection
from metalrom.config.simulation import CharacterizationSection, ConditionsSection
from metalrom.config.units import Capacitance, Length, Resistance, SigmaOrAuto, Time, Voltage
from metalrom.specs.grammar import parse_spec
from metalrom.specs.quantities import QUANTITIES
from netlists.condition import NOMINAL_METALS
from netlists.mapping import MAPPINGS
from netlists.weights import TernaryRule

MAX_WEIGHTS = 2**26
"""Entries of one matrix; the largest layers of 7 B models have 45 M."""

MAX_ACTIVATIONS = 2**24
"""Numbers in all random input vectors of a layer."""

MAX_GROUP_ROWS = 128
"""Rows of one conversion."""

TERNARY = "ternary"
"""Weights of -1, 0 and 1 in words, in place of their number of bits."""


class TechnologySection(ConfigSection):
    """Which metal stack and which transistors."""

    stack: ConfigLine = Field(
        "generic28", description="built-in stack (`generic28`, `open45`, ...) or path of a stack YAML"
    )
    devices: ConfigLine = Field("open45", description="built-in device set or path of a device YAML")
    beol: Name = Field("nominal", description="corner of the stack (`Cmax`, ...), for every value made from it")
    simulator: Literal["kit", "ngspice", "vacask"] = Field(
        "kit", description="what runs the decks; kit: what the device set asks for (ngspice, unless it says otherwise)"
    )
    periphery_rules: Name = Field(
        "standard_cell",
        description="area rules of the device set for drawn transistors: standard_cell: in rows of standard cells; "
        "memory: in strips at the distances of the design rules (logic stays standard cells)",
    )


class ArraySection(ConfigSection):
    """Size of one macro tile and how its bit lines are cut into groups."""

    rows: Integer = Field(384, ge=1, le=65536)
    columns: Integer = Field(256, ge=3, le=65536, description="bit lines per plane")
    group_rows: Integer | Literal["auto"] = Field("auto", description="rows summed by one conversion; auto: by margin")
    group_candidates: tuple[Integer, ...] = Field(
        (4, 8, 16, 32, 64), description="tried when group_rows is auto; default of a chain: 4 to 32, by fours up to 24"
    )
    columns_per_adc: Integer = Field(8, ge=1, le=4096, description="bit lines that share one converter")
    dummy_columns: Integer = Field(0, ge=0, le=64, description="netlists: dummy columns at either edge of a plane")
    reference_columns: tuple[Literal["zeros", "ones", "alternating"], ...] = Field(
        (), max_length=64, description="netlists: columns of known symbols before those of the weights"
    )
    ground_return: Resistance | None = Field(
        None, gt=0, description="netlists: from the ground lines of a plane to ground; default: tied directly"
    )
    lcc: bool = Field(
        False, description="netlists: the planes share column circuits (select, reset, sampling, switch to a converter)"
    )
    lcc_capacitance: Capacitance = Field(1e-15, gt=0, description="netlists: sampling capacitor of a column circuit")

    @field_validator("group_rows")
    @classmethod
    def _group(cls, value: int | str) -> int | str:
        if isinstance(value, int) and not 4 <= value <= MAX_GROUP_ROWS:
            raise ValueError(f"group_rows must be 4..{MAX_GROUP_ROWS} (or auto)")
        return value

    @field_validator("group_candidates")
    @classmethod
    def _candidates(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or any(not 4 <= v <= 64 for v in value):
            raise ValueError("group_candidates must hold numbers in 4..64")
        return tuple(sorted(set(value)))

    @model_validator(mode="after")
    def _group_fits(self) -> ArraySection:
        if isinstance(self.group_rows, int) and self.group_rows > self.rows:
            raise ValueError(f"group_rows is {self.group_rows}, the array has {self.rows} rows")
        return self


def _or_ternary(schema: dict[str, Any]) -> None:
    """Bits of a weight as a number, or the word."""
    schema.pop("type", None)
    schema["enum"] = [*schema["enum"], TERNARY]


class WeightsSection(ConfigSection):
    """The trained matrix: a tensor of a file, or seeded random weights for a dry run."""

    file: ConfigLine | None = Field(
        None,
        description="safetensors, gguf, pt, npy, npz, csv, hex or mem path, a folder with config.json and "
        "model.safetensors or its parts, or asset:NAME/FILE",
    )
    tensor: ConfigLine | None = Field(None, description="name of the tensor in the file")
    transpose: bool = Field(False, description="true when the file holds (outputs, inputs), as torch does")
    groups: Integer = Field(1, ge=1, description="of a convolution kernel, which is stored unfolded (im2col)")
    group: Integer = Field(0, ge=0, description="which of the groups' independent matrices, from 0")
    shape: tuple[Integer, Integer] | None = Field(None, description="expected (inputs, outputs) after transposing")
    random: tuple[Integer, Integer] | None = Field(
        None, description="instead of a file: shape of Gaussian random weights"
    )
    bits: Literal[2, 4, 6, 8] = Field(
        8,
        description="per weight, sign included; 2 or `ternary`: ternary weights -1, 0, 1",
        json_schema_extra=_or_ternary,
    )
    ternary_rule: TernaryRule = Field(
        "twn",
        description="of `bits: ternary`: twn, 0 below 0.7 of the column's mean |w|, scale the mean of the others; "
        "bitnet, w / mean |w| rounded",
    )
    integers: bool = Field(False, description="the file holds integers of `bits` bits: stored as they are")
    word_bits: Integer | None = Field(None, ge=1, le=32, description="hex files: bits of a word; default: `bits`")
    unsigned: bool = Field(False, description="hex files: words are not two's complement")

    @field_validator("bits", mode="before")
    @classmethod
    def _in_words(cls, value: object) -> object:
        return 2 if value == TERNARY else value

    @model_validator(mode="after")
    def _one_source(self) -> WeightsSection:
        if (self.file is None) == (self.random is None):
            raise ValueError("give either `file` (with `tensor`) or `random`")
        if self.random is not None and (self.tensor is not None or self.transpose):
            raise ValueError("`tensor` and `transpose` belong to `file`, not to `random`")
        if self.ternary_rule != "twn" and (self.bits != 2 or self.integers):
            raise ValueError("`ternary_rule` belongs to `bits: ternary` without `integers`")
        if self.random is not None and self.integers:
            raise ValueError("`integers` belongs to `file`, not to `random`")
        return self

    @field_validator("shape", "random")
    @classmethod
    def _size(cls, value: tuple[int, int] | None) -> tuple[int, int] | None:
        if value is not None and not (min(value) >= 1 and value[0] * value[1] <= MAX_WEIGHTS):
            raise ValueError(f"must be (inputs, outputs), both at least 1, of at most {MAX_WEIGHTS} weights")
        return value


class InputsSection(ConfigSection):
    """The activations with which the layer is judged."""

    bits: Integer = Field(8, ge=2, le=8)
    source: Literal["embeddings", "random"] = Field(
        "random", description="embeddings: real first-layer inputs of a BERT checkpoint, for `text`"
    )
    text: tuple[ConfigLine, ...] = Field((), description="whole words, looked up in the checkpoint's vocabulary")
    vectors: Integer = Field(32, ge=1, le=4096, description="random only: number of vectors")

    @model_validator(mode="after")
    def _some_text(self) -> InputsSection:
        if self.source == "embeddings" and not self.text:
            raise ValueError("`source: embeddings` needs at least one line of `text`")
        return self


class PeripherySection(ConfigSection):
    """Transistors around the metal; lengths are drawn gate sizes, by default those of the device set."""

    driver_stages: Integer = Field(1, ge=1, le=8, description="inverters in a row driver")
    driver_nmos_width: Length | None = Field(None, gt=0, description="NMOS of the last driver stage (45 nm: 1um)")
    driver_pmos_width: Length | None = Field(None, gt=0, description="PMOS of the last driver stage (45 nm: 1.5um)")
    length: Length | None = Field(None, gt=0, description="channel length of every transistor (45 nm: 50nm)")
    reset_width: Length | None = Field(None, gt=0, description="NMOS that resets a bit line (45 nm: 0.12um)")
    sense_capacitance: Capacitance = Field(100e-18, ge=0, description="readout's input load per bit line (assumption)")
    sense_resistance: Resistance = Field(
        928.0, gt=0, description="res_via: input resistance of the current sense; default: measured while it integrates"
    )
    read_voltage: Voltage = Field(0.2, gt=0, description="res_via: row voltage")


class TimingSection(ConfigSection):
    """One read in time."""

    reset_end: Time = Field(0.3e-9, gt=0, description="end of the reset phase")
    reset_edge: Time = Field(20e-12, gt=0, description="fall time of the reset signal")
    input_start: Time = Field(0.5e-9, gt=0, description="start of the input edge")
    input_edge: Time = Field(20e-12, gt=0, description="rise time of the inputs")
    read_after: Time = Field(0.5e-9, gt=0, description="from the end of the input edge to the sample")


class VariationSection(ConfigSection):
    """Local mismatch: by the stack's law for the drawn cell, or as stated."""

    cell_sigma: SigmaOrAuto = Field(
        "auto",
        description="relative sigma of one cell's capacitance or resistance; auto: by the stack's edge roughness on "
        "the drawn gap",
    )
    source: ConfigLine | None = Field(
        None,
        description="where a stated cell_sigma comes from; printed in every output",
    )

    @model_validator(mode="after")
    def _one_source(self) -> VariationSection:
        if self.cell_sigma == "auto" and self.source is not None:
            raise ValueError("with `cell_sigma: auto` the source is the technology's; leave `source` out")
        return self


def _specification(text: str) -> str:
    parse_spec(text)
    return text


Specification = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(printable),
                          AfterValidator(_specification)]  # fmt: skip
"""One thing asked of a run, e.g. `csnr > 40 at all`; the grammar is in `metalrom.specs.grammar`."""


class Config(ConfigSection):
    """The whole project."""

    name: Name
    technology: TechnologySection = TechnologySection()
    cell: CellSection
    array: ArraySection = ArraySection()
    weights: WeightsSection
    mapping: Name = Field("differential", description="how weights become cells: a built-in mapping or one of a plugin")
    inputs: InputsSection = InputsSection()
    periphery: PeripherySection = PeripherySection()
    timing: TimingSection = TimingSection()
    readout: ReadoutSection = ReadoutSection()
    macro: MacroSection = MacroSection()
    variation: VariationSection = VariationSection()
    conditions: ConditionsSection = ConditionsSection()
    characterization: CharacterizationSection = CharacterizationSection()
    explore: ExploreSection = ExploreSection()
    specs: tuple[Specification, ...] = Field(
        (),
        max_length=64,
        description="what is asked of a run: `quantity < value` or `>`, with ` at CONDITION`, ` at nominal` or ` at "
        "all` (otherwise where it is worst), and ` by interval`; exit code 1 if one is missed; default: code_error "
        "within readout.code_error_target at the worst condition",
    )

    @field_validator("mapping")
    @classmethod
    def _known_mapping(cls, value: str) -> str:
        if value not in MAPPINGS:
            *names, last = (repr(name) for name in MAPPINGS)
            raise ValueError(f"should be {', '.join(names)} or {last}, got {value!r}")
        return value

    @field_validator("specs")
    @classmethod
    def _asked_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        seen = [parse_spec(text) for text in value]
        for index, spec in enumerate(seen):
            if spec in seen[:index]:
                raise ValueError(f"`{value[index]}` is listed twice")
        return value

    @model_validator(mode="after")
    def _one_choice_of_metals(self) -> Config:
        if self.technology.beol.lower() != NOMINAL_METALS and len(self.conditions.beol) > 1:
            raise InputError(
                f"technology.beol fixes the whole run at {self.technology.beol}, conditions.beol lists others",
                where="conditions.beol",
                hint="leave technology.beol out to vary the metals, or conditions.beol to keep them fixed",
            )
        return self

    @model_validator(mode="after")
    def _measured(self) -> Config:
        for index, text in enumerate(self.specs):
            name = parse_spec(text).quantity
            needed = QUANTITIES[name].procedure
            if needed not in _with_requirements(self.characterization.procedures, needed):
                raise InputError(
                    f"{name} needs the procedure {needed}, which is not enabled",
                    where=f"specs[{index}]",
                    hint=f"add {needed} to characterization.procedures",
                )
        return self


def _with_requirements(procedures: tuple[str, ...], wanted: str) -> tuple[str, ...]:
    """The procedures and, unless `wanted` is among them already, those that they require."""
    if wanted in procedures:
        return procedures

    try:
        return tuple(p.name for p in with_requirements(procedures))
    except InputError:  # an unknown procedure is reported, with its own place, when it is looked up
        return procedures


def load_config(path: str | Path) -> Config:
    """Read a YAML configuration.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Config
        The validated configuration.

    Raises
    ------
    InputError
        With file and key path, for an unreadable file, bad YAML, an unknown key (with a suggestion), a wrong unit or a
        value out of range.
    """
    return read_config(path)[0]


def read_config(path: str | Path) -> tuple[Config, bytes]:
    """The configuration in a file and the bytes that it was parsed from; see `load_config`."""
    data, raw = read_yaml(Path(path))
    return validate(Config, data, where=str(path)), raw


def schema() -> dict[str, Any]:
    """JSON schema of the configuration."""
    return Config.model_json_schema()
