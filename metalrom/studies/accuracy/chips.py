"""Which readout the network is run on: that of a finished run, the ideal one, or a made-up one for sweeps."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from characterization.margins import rounding_error
from characterization.tables.planes import PlaneTables
from characterization.tables.table import AdcModel, ReadoutTable
from interconnect.errors import InputError
from interconnect.suggestion import suggest
from metalrom.macro import Macro
from metalrom.macro.conversions import ConversionRule
from metalrom.macro.readout import synthetic_table
from metalrom.run.folder import open_run
from netlists.condition import NOMINAL_METALS, Condition
from netlists.mapping import MacroShape

IDEAL_ROWS = 64
_SYNTHETIC = "synthetic"
_SYNTHETIC_KEYS = ("rows", "sigma", "static", "offset", "lsb", "codes")


@dataclass(frozen=True)
class Chip:
    """A readout at one condition. title: one line for every output; labels: what is assumed or outside the domain.

    planes: tables of all planes of arrays of size `array`; None where all are alike. rule: conversions that are made.
    """

    title: str
    table: ReadoutTable
    condition: Condition
    warnings: tuple[str, ...] = ()
    assumptions: tuple[str, ...] = ()
    planes: PlaneTables | None = None
    array: MacroShape | None = None
    rule: ConversionRule = field(default_factory=ConversionRule)

    def macro(self, **options: Any) -> Macro:
        """The readout as a calculator, every layer's bit columns from the lowest plane of an array on."""
        return Macro(self.planes or self.table, self.condition, array=self.array, **(self.rule.options | options))


def chips_of(macro: str, conditions: Sequence[str] = (), *, nearest: bool = False) -> tuple[Chip, ...]:
    """The readouts that `macro` names, one per condition.

    macro: output folder of a run; `ideal`; or `synthetic:rows=64,sigma=0.14,static=0,offset=0,lsb=1,codes=65`, any of
    these keys, spreads in counts. conditions: labels such as tt_1.00V_27C, default the run's nominal one.
    A condition that was not characterized is refused, or with `nearest` replaced by the closest one of the same corner
    and the replacement is a warning in every output. Raises InputError for anything unknown.
    """
    kind, _, rest = macro.partition(":")
    if macro == "ideal" or kind == _SYNTHETIC:
        if conditions:
            raise InputError(f"readout `{macro}` has no conditions", where="--condition", hint="leave it out")
        return (_ideal(),) if macro == "ideal" else (_synthetic(rest),)
    folder = Path(macro)
    if not folder.is_dir():
        hint = "give the output folder of a finished `metalrom run`, ideal, or synthetic:sigma=0.14"
        raise InputError(f"no results folder exists at `{macro}`", where="--macro", hint=hint)
    return _characterized(folder, conditions, nearest)


def gaussian_code_error(sigma: float) -> float:
    """2 Q(1 / (2 sigma)): probability that Gaussian noise of `sigma` counts changes a rounded count."""
    return float(rounding_error(sigma))


def coarse_table(table: ReadoutTable, lsb: int) -> ReadoutTable:
    """`table` read by a converter whose step is `lsb` counts: every count is first rounded to a multiple (halves up).

    Made for tables without spreads: noise would act after the rounding instead of before. Raises InputError for those,
    or for a step that does not divide the rows.
    """
    if lsb < 1 or table.rows % lsb:
        raise InputError(f"a step of {lsb} counts does not divide {table.rows} rows", where="lsb")
    if lsb > 1 and any(np.nanmax(s) > 0 for s in (table.sigma_static, table.sigma_noise, table.sigma_pattern)):
        raise InputError("a step of more than one count is modelled without noise only", where="lsb")
    return table.replace(level=np.floor(table.level / lsb + 0.5) * lsb)


def _ideal() -> Chip:
    table = synthetic_table(IDEAL_ROWS)
    return Chip(f"ideal macro, {IDEAL_ROWS} rows per conversion, no error", table, table.conditions[0])


def _synthetic(text: str) -> Chip:
    values: dict[str, float] = {"rows": IDEAL_ROWS, "sigma": 0.0, "static": 0.0, "offset": 0.0, "lsb": 1}
    for part in filter(None, text.split(",")):
        key, _, value = part.partition("=")
        if key not in _SYNTHETIC_KEYS:
            raise InputError(f"a synthetic readout has no `{key}`", where="--macro", hint=suggest(key, _SYNTHETIC_KEYS))
        try:
            values[key] = float(value)
        except ValueError:
            raise InputError(f"`{part}` is not key=number", where="--macro", hint="e.g. sigma=0.14") from None
        whole = key in ("rows", "lsb", "codes")
        if not math.isfinite(values[key]) or values[key] < 0 or (whole and values[key] != int(values[key])):
            raise InputError(f"`{part}` is out of range", where="--macro", hint="whole numbers or counts, 0 or more")
    codes = int(values["codes"]) if "codes" in values else None
    table = synthetic_table(
        int(values["rows"]),
        codes=codes,
        sigma_noise=values["sigma"],
        sigma_static=values["static"],
        offset_sigma=values["offset"],
    )
    table = coarse_table(table, int(values["lsb"]))
    described = ", ".join(f"{key} {values[key]:g}" for key in values)
    if values["sigma"]:
        described += f" (code-error probability {gaussian_code_error(values['sigma']):.1e})"
    return Chip(
        f"synthetic readout: {described}; spreads in counts",
        table,
        table.conditions[0],
        warnings=("synthetic readout: chosen numbers, no circuit behind it",),
    )


def _characterized(folder: Path, conditions: Sequence[str], nearest: bool) -> tuple[Chip, ...]:
    run = open_run(folder)
    results, table = run.results, run.table
    assumptions = tuple(f"{a.name}: {a.value} ({a.status}; {a.source})" for a in table.assumptions)
    chips = []
    for asked in conditions or (results.condition,):
        condition, outside = find_condition(table, asked, nearest=nearest)
        title = (
            f"{results.name} at {condition.label}: {table.cell}, {table.rows} rows per conversion, {_adc(table.adc)}"
        )
        warnings = (*outside, *results.warnings)
        chips.append(
            Chip(
                title,
                table,
                condition,
                warnings,
                assumptions,
                run.planes,
                results.macro_geometry.shape,
                results.macro_geometry.rule,
            )
        )
    return tuple(chips)


def _adc(adc: AdcModel) -> str:
    return f"ADC of {adc.codes} codes"


def find_condition(table: ReadoutTable, asked: str, *, nearest: bool) -> tuple[Condition, tuple[str, ...]]:
    """The condition of a label, and the warnings that go with it.

    One that was not characterized is refused with InputError, or with `nearest` replaced by the closest one of the same
    corner (least sum of relative distances in supply and absolute temperature), which is a warning.
    """
    known = {c.label: c for c in table.conditions}
    if asked in known:
        return known[asked], ()
    wanted = _parse(asked, known)
    same = [c for c in table.conditions if (c.corner, c.beol) == (wanted.corner, wanted.beol)]
    if not nearest or not same:
        hint = f"characterized: {', '.join(known)}" + ("; --nearest takes the closest one" if same else "")
        raise InputError(f"condition {asked} was not characterized", where="--condition", hint=hint)
    found = min(same, key=lambda c: abs(c.vdd / wanted.vdd - 1) + abs(c.kelvin / wanted.kelvin - 1))
    return found, (f"OUTSIDE THE DOMAIN: {asked} was not characterized, {found.label} stands in for it",)


def _parse(label: str, known: dict[str, Condition]) -> Condition:
    try:
        # names of metal corners may hold underscores themselves
        corner, *metals, vdd, temperature = label.split("_")
        beol = "_".join(metals) or NOMINAL_METALS
        condition = Condition(corner, float(vdd.removesuffix("V")), float(temperature.removesuffix("C")), beol)
        if 0 < condition.vdd < math.inf and 0 < condition.kelvin < math.inf:
            return condition
    except ValueError:
        pass
    raise InputError(
        f"`{label}` is not a condition, expected corner, supply, temperature", where="--condition",
        hint=f"for example {next(iter(known))}",
    )  # fmt: skip
