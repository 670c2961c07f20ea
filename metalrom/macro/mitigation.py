"""Reading the significant planes better than the rest: options, their resolution per plane, and what they cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from characterization.tables.table import Assumption, ReadoutTable
from interconnect.errors import InputError

Combine = Literal["median", "mean"]


@dataclass(frozen=True, slots=True)
class Mitigation:
    """How the `top` most significant planes of a weight are read (None: all of them).

    reads: conversions of the same count (odd for the median), joined by `combine`: their median, which two of three
    equal codes decide, or their mean. input_top: repeat only for that many of the most significant input planes.
    rows: rows per conversion; needs a readout table of that size. residue: check columns per set that locate and
    correct one wrong count (see `residue`). retries: how often a set whose check fails is read anew before that.
    """

    top: int | None = None
    reads: int = 1
    combine: Combine = "median"
    input_top: int | None = None
    rows: int | None = None
    residue: int = 0
    retries: int = 0

    def __post_init__(self) -> None:
        for name, value, least in (
            ("top", self.top, 1),
            ("input_top", self.input_top, 1),
            ("rows", self.rows, 1),
            ("reads", self.reads, 1),
            ("residue", self.residue, 0),
            ("retries", self.retries, 0),
        ):
            if value is not None and value < least:
                raise InputError(f"mitigation: {name} is {value}, expected at least {least}")
        if self.combine not in ("median", "mean"):
            raise InputError(f"mitigation: combine is {self.combine!r}, expected median or mean")
        if self.combine == "median" and self.reads % 2 == 0:
            raise InputError(f"mitigation: a median of {self.reads} reads is not defined, expected an odd number")
        if self.reads > 63:
            raise InputError(f"mitigation: {self.reads} reads, expected at most 63")
        if self.retries and not self.residue:
            raise InputError("mitigation: retries need check columns (residue) to decide when to read again")
        if self.residue and self.reads > 1 and (self.combine == "mean" or self.input_top is not None):
            raise InputError(
                "mitigation: check columns take whole counts of every input plane, hence a median of reads"
            )


def resolve(mitigations: Sequence[Mitigation], ranks: int) -> tuple[Mitigation, ...]:
    """What applies to each of `ranks` significances, the most significant first (`top` is None in all of them).

    Raises InputError if two mitigations set the same thing differently for one plane, or are incompatible there.
    """
    out = []
    for rank in range(ranks):
        chosen: dict[str, Any] = {}
        for mitigation in mitigations:
            if mitigation.top is not None and rank >= mitigation.top:
                continue
            for field in fields(Mitigation):
                value = getattr(mitigation, field.name)
                if field.name == "top" or value == field.default:
                    continue
                if chosen.setdefault(field.name, value) != value:
                    raise InputError(
                        f"mitigation: plane {rank} from the top has {field.name} {chosen[field.name]} and {value}"
                    )
        out.append(Mitigation(**chosen))
    return tuple(out)


@dataclass(frozen=True, slots=True)
class MitigationCost:
    """What the mitigations cost a layer, each relative to the same layer without them (1 = nothing).

    conversions: per product, repeats and check columns included, repeated reads of failed checks not (these depend on
    the data: `MvmResult.conversions` has them). bit_columns: cells and array area. segments: resets, selectors and
    local circuits. time: conversions per converter, converters growing with the bit columns. energy: as the
    conversions, each conversion taken to cost the same; with fewer rows per conversion it costs less, so this is the
    upper end.
    """

    conversions: float
    bit_columns: float
    segments: float
    time: float
    energy: float

    def to_dict(self) -> dict[str, float]:
        """Plain values by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def scaled_table(table: ReadoutTable, rows: int) -> ReadoutTable:
    """Table for fewer rows per conversion, extrapolated by the charge-sharing law instead of characterized.

    Capacitive (V): the spacing of counts grows as 1 / rows, kT/C noise (volts) as 1 / sqrt(rows), so noise in counts
    falls with sqrt(rows); mismatch and pattern spread keep their size in counts, the converter's errors their size in
    volts. Resistive (A): levels stay, noise current falls with sqrt(rows). The part of the bit line's load that does
    not shrink with the rows is neglected: an optimistic bound, listed among the table's assumptions.

    Parameters
    ----------
    table : ReadoutTable
        The characterized readout.
    rows : int
        Rows per conversion, fewer than the table's.

    Returns
    -------
    ReadoutTable
        The extrapolated table.

    Raises
    ------
    InputError
        Unless 1 <= rows < table.rows.
    """
    if not 1 <= rows < table.rows:
        raise InputError(f"readout table: {table.rows} rows cannot be scaled to {rows}", hint="fewer rows, at least 1")
    gain = table.rows / rows if table.unit == "V" else 1.0
    noise = (rows / table.rows) ** 0.5 * gain
    part = np.s_[:, : rows + 1, : rows * (table.levels - 1) + 1]
    zero = table.level[part][:, :, :1]
    return table.replace(
        rows=rows,
        level=zero + (table.level[part] - zero) * gain,
        sigma_static=table.sigma_static[part] * gain,
        sigma_pattern=table.sigma_pattern[part] * gain,
        sigma_noise=table.sigma_noise[part] * noise,
        row_energy=table.row_energy[:, : rows + 1],
        assumptions=(
            *table.assumptions,
            Assumption("rows per conversion", str(rows), "estimate", f"charge-sharing law from {table.rows} rows"),
        ),
    )


def table_for(
    rows: int, table: ReadoutTable, tables: Mapping[int, ReadoutTable], outside_domain: bool
) -> tuple[ReadoutTable, str | None]:
    """The readout table for `rows` rows per conversion, and a label if it had to be extrapolated.

    Raises InputError if none was characterized for that size and outside_domain is false.
    """
    if rows == table.rows:
        return table, None
    if rows in tables:
        found = tables[rows]
        if found.rows != rows or found.levels != table.levels:
            raise InputError(
                f"macro: the table given for {rows} rows has {found.rows} rows and {found.levels} levels per cell"
            )
        return found, None
    if not outside_domain:
        raise InputError(
            f"macro: no readout table for {rows} rows per conversion, the table was made for {table.rows}",
            hint="give one in `tables`, or allow an extrapolation with outside_domain=True",
        )
    return scaled_table(table, rows), f"{rows} rows per conversion scaled from a table of {table.rows}"
