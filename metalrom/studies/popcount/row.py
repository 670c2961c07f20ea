"""Verilog of a digital count: driven rows and a column's ternary digits in, their sum of products out.

    count = sum over the rows of row (plus - minus) = popcount(row plus) + popcount(not (row minus)) - rows

One tree of full adders by columns of equal weight (C. S. Wallace, IEEE Trans. Electronic Computers EC-13 (1964) 14)
counts the 2 N bits of both terms; the constant is a subtraction at its end. Bit-serial inputs take one evaluation per
input bit, whose counts are shifted and added like those of conversions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from interconnect.arrays import IntArray
from interconnect.errors import InputError

MODULE = "popcount_row"
ADDER = "popcount_adder"
MAX_ROWS = 4096


@dataclass(frozen=True, slots=True)
class AdderCell:
    """A full adder of a library: its name and pins of the addends, sum and carry."""

    name: str
    inputs: tuple[str, str, str]
    sum: str
    carry: str


ADDER_CELLS = (
    AdderCell("FA_X1", ("A", "B", "CI"), "S", "CO"),
    AdderCell("FAX1", ("A", "B", "C"), "YS", "YC"),
    AdderCell("sky130_fd_sc_hd__fa_1", ("A", "B", "CIN"), "SUM", "COUT"),
)
"""Of Nangate's open 45 nm library, the OSU libraries, sky130."""


def count_bits(rows: int) -> int:
    """Bits of the signed count of so many rows, from -rows to rows."""
    return rows.bit_length() + 1


def counts(row: IntArray, plus: IntArray, minus: IntArray) -> IntArray:
    """What the circuit must give: sum over the last axis of row (plus - minus)."""
    return np.asarray((row * (plus - minus)).sum(axis=-1))


def popcount_verilog(rows: int, adder: AdderCell | None = None) -> str:
    """The module `popcount_row`: inputs row, plus, minus of N bits, output count (signed).

    adder: a library's full adder; None: gates. Raises InputError for a number of rows that cannot be.
    """
    if not 1 <= rows <= MAX_ROWS:
        raise InputError(f"popcount: {rows} rows", hint=f"1 to {MAX_ROWS}")
    bits = count_bits(rows)
    lines = [
        f"module {MODULE} (input [{rows - 1}:0] row, input [{rows - 1}:0] plus, input [{rows - 1}:0] minus, "
        f"output signed [{bits - 1}:0] count);",
        f"  wire [{rows - 1}:0] p = row & plus;",
        f"  wire [{rows - 1}:0] m = ~(row & minus);",
    ]
    columns = {0: [f"{name}[{r}]" for r in range(rows) for name in "pm"]}
    number, place, total = 0, 0, []
    while place <= max(columns):
        waiting = columns.get(place, [])
        while len(waiting) > 1:
            three = len(waiting) > 2
            taken, waiting = (waiting[:3], waiting[3:]) if three else ([*waiting, "1'b0"], [])
            s, c = f"s{number}", f"c{number}"
            if three:
                lines += [f"  wire {s}, {c};", f"  {ADDER} a{number} ({', '.join([*taken, s, c])});"]
            else:  # a half adder
                lines += [f"  wire {s} = {taken[0]} ^ {taken[1]};", f"  wire {c} = {taken[0]} & {taken[1]};"]
            waiting.append(s)
            columns.setdefault(place + 1, []).append(c)
            number += 1
        total.append(waiting[0])
        place += 1
    width = max(len(total), bits)
    padding = [f"{width - len(total)}'b0"] if width > len(total) else []
    lines += [
        f"  wire [{width - 1}:0] total = {{{', '.join([*padding, *reversed(total)])}}};",
        f"  wire [{width - 1}:0] offset = total - {width}'d{rows};",
        f"  assign count = offset[{bits - 1}:0];",
        "endmodule",
    ]
    return "\n".join(lines) + "\n\n" + _adder(adder)


def _adder(cell: AdderCell | None) -> str:
    head = f"module {ADDER} (input a, input b, input c, output s, output co);\n"
    if cell is None:
        body = "  assign s = a ^ b ^ c;\n  assign co = (a & b) | (c & (a ^ b));\n"
    else:
        names = (*cell.inputs, cell.sum, cell.carry)
        pins = ", ".join(f".{pin}({net})" for pin, net in zip(names, ("a", "b", "c", "s", "co"), strict=True))
        body = f"  {cell.name} adder ({pins});\n"
    return f"{head}{body}endmodule\n"


def bench_verilog(rows: int) -> str:
    """A testbench that reads `vectors.memh` (row, plus, minus in one word) and prints a count per line."""
    return f"""module bench;
  reg [{3 * rows - 1}:0] vectors [0:1048575];
  reg [{rows - 1}:0] row, plus, minus;
  wire signed [{count_bits(rows) - 1}:0] count;
  integer k, n;
  {MODULE} circuit (row, plus, minus, count);
  initial begin
    if (!$value$plusargs("vectors=%d", n)) n = 0;
    $readmemh("vectors.memh", vectors, 0, n - 1);
    for (k = 0; k < n; k = k + 1) begin
      {{row, plus, minus}} = vectors[k];
      #1 $display("count %0d", count);
    end
    $finish;
  end
endmodule
"""


def vectors_text(row: IntArray, plus: IntArray, minus: IntArray) -> str:
    """The words of `vectors.memh`; arrays of bits, shape (vectors, rows), bit 0 first."""
    words = np.concatenate([minus, plus, row], axis=1)  # the last is the most significant
    return "\n".join(f"{int(''.join(map(str, word[::-1])), 2):x}" for word in words.astype(int).tolist()) + "\n"
