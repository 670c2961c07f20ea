"""Keys of a configuration as inputs of a model: `cell.row_pitch=180nm:400nm`, and the design at a point of them."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from characterization.models.box import Domain, DomainInput
from interconnect.errors import InputError, shortened
from interconnect.quantity import parse_quantity
from interconnect.suggestion import suggest
from interconnect.validation import validate
from metalrom.config.schema import Config
from metalrom.design.design import Design
from metalrom.design.error_context import config_context
from metalrom.formatting import amount
from netlists.cells.base import require_capability

KEYS = {
    **dict.fromkeys(("cell.row_pitch", "cell.column_pitch", "cell.row_width", "cell.column_width"), "m"),
    "cell.tab_length": "m",
    "cell.resistance": "ohm",
    "array.group_rows": "",
    "array.columns": "",
    "conditions.vdd": "V",
    "conditions.temperature": "degC",
    **{f"periphery.{name}": "m" for name in ("driver_nmos_width", "driver_pmos_width", "length", "reset_width")},
    "periphery.sense_capacitance": "F",
    "periphery.sense_resistance": "ohm",
    "periphery.read_voltage": "V",
    **{f"timing.{name}": "s" for name in ("reset_end", "reset_edge", "input_start", "input_edge", "read_after")},
    "readout.integration_time": "s",
    "variation.cell_sigma": "",
}
"""What can be varied, with its unit: numbers of the configuration that a read of a column depends on."""

WHOLE_NUMBERS = ("array.group_rows", "array.columns")
LISTS = ("conditions.vdd", "conditions.temperature")
MAX_AXES = 10
"""Inputs of a model: the corners of more are too many to try, and so are the simulations that they would take."""


def parse_axis(text: str) -> DomainInput:
    """`KEY=LOW:HIGH` as an input of a model, logarithmic wherever the range is positive (temperature is not).

    Raises InputError for an unknown key (with a suggestion), a missing or wrong unit, an empty range.
    """
    key, equals, span = text.partition("=")
    key = key.strip()
    low, colon, high = span.partition(":")
    if not equals or not colon:
        raise InputError(
            f"{shortened(text)!r} is not a range of a key", where="--vary", hint="such as cell.row_pitch=180nm:400nm"
        )
    if key not in KEYS:
        raise InputError(
            f"{shortened(key)!r} cannot be varied", where="--vary", hint=suggest(key, list(KEYS))
        )  # fmt: skip
    where, unit = f"--vary {key}", KEYS[key]
    ends = [parse_quantity(end.strip(), unit, where=where) for end in (low, high)]
    try:
        return DomainInput(
            key, ends[0], ends[1], unit, log=unit != "degC" and ends[0] > 0, integer=key in WHOLE_NUMBERS
        )
    except InputError as error:
        raise InputError(error.what, where=where, hint=error.hint) from None


def parse_box(texts: Sequence[str]) -> Domain:
    """The box of all `--vary`. Raises InputError; also for a key given twice, or none at all."""
    axes = [parse_axis(text) for text in texts]
    names = [a.name for a in axes]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{name} is given twice", where="--vary")
    if not 1 <= len(axes) <= MAX_AXES:
        raise InputError(
            f"{len(axes)} keys are given", where="--vary", hint=f"1 to {MAX_AXES}, such as cell.row_pitch=180nm:400nm"
        )
    return Domain(tuple(axes))


@dataclass(frozen=True)
class DesignFamily:
    """A design on one of its planes at its nominal condition, and what becomes of it as keys vary.

    rows: of the group where they are not varied.
    """

    base: Design
    box: Domain
    plane: int
    rows: int
    _document: dict[str, dict[str, object]] = field(default_factory=dict, repr=False)

    def at(self, values: Mapping[str, float]) -> Design:
        """The design with these values (SI) of its keys. Raises InputError naming the key that a rule forbids."""
        where = str(self.base.path)
        config = validate(Config, self._data(values), where=where)
        new = Design(config, self.base.path, self.base.extraction, self.base.source)
        # None of these follows from a key that can be varied: they need not be read again for every point.
        for name in ("technology", "weights", "program"):
            vars(new)[name] = getattr(self.base, name)
        return new

    def check(self) -> None:
        """Try every corner of the box: the configuration's rules, the drawing rules, periphery and timing.

        Raises InputError that names the corner.
        """
        for corner in itertools.product(*((i.low, i.high) for i in self.box.inputs)):
            values = dict(zip(self.box.names, corner, strict=True))
            try:
                design = self.at(values)
                with config_context(design.path, "cell"):
                    require_capability(design.cell, "lengths", "varied in its lengths")
                    design.cell.lengths(design.stack, design.planes[0])
                _ = design.periphery, design.timing
            except InputError as error:
                place = ", ".join(
                    f"{i.name} {format_input(i, v)}" for i, v in zip(self.box.inputs, corner, strict=True)
                )
                raise InputError(f"{error.what} (at the corner {place})", where=error.where, hint=error.hint) from None

    def rows_at(self, values: Mapping[str, float]) -> int:
        """Rows of the group at a point."""
        return round(values.get("array.group_rows", self.rows))

    def _data(self, values: Mapping[str, float]) -> dict[str, dict[str, object]]:
        if not self._document:
            self._document.update(self._frozen())
        data = {name: dict(part) if isinstance(part, dict) else part for name, part in self._document.items()}
        for key, value in values.items():
            section, _, name = key.partition(".")
            given: object = round(value) if key in WHOLE_NUMBERS else _text(value, KEYS[key])
            data[section][name] = [given] if key in LISTS else given
        return data

    def _frozen(self) -> dict[str, dict[str, object]]:
        """The configuration's document with one plane and the nominal condition alone, asking nothing of a run."""
        c, nominal = self.base.config, self.base.conditions[0]
        data = c.model_dump(mode="json", exclude_none=True, exclude={"specs", "explore"})
        data["cell"]["planes"] = [data["cell"]["planes"][self.plane]]
        data["array"]["group_rows"] = self.rows
        data["conditions"] = {
            "corners": [nominal.corner],
            "vdd": [_text(nominal.vdd, "V")],
            "temperature": [_text(nominal.temperature, "degC")],
        }
        return dict(data)


def format_input(axis: DomainInput, value: float) -> str:
    """A value of an input in words, with its unit."""
    if axis.unit in ("", "degC"):
        return f"{value:.6g} {axis.unit}".strip()
    return amount(value, axis.unit, places=4).replace("\u00a0", " ")


def _text(value: float, unit: str) -> str:
    """A value as a configuration takes it, with every digit."""
    return f"{float(value)!r}{unit}"
