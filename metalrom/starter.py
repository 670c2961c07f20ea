"""`metalrom init`: a commented configuration that runs as it is, without any download."""

from __future__ import annotations

from pathlib import Path

from interconnect.errors import InputError
from interconnect.files import atomic_write_text
from interconnect.suggestion import suggest
from metalrom.folders import ensure_output_folder

_HEAD = """\
# A metalrom project. `metalrom schema` lists every key; quantities carry their unit (100nm, 0.9V, 20aF).
name: my_macro

technology:
  stack: {stack}          # open45 (published FreePDK45 figures), generic28 (estimate) or a YAML of your own
  devices: open45         # transistor cards

"""

_CELLS = {
    "cap_balanced": """\
cell:
  kind: cap_balanced      # charge readout; the via ties a tab to the row's signal (1) or ground line (0)
  row_pitch: 200nm        # signal and ground line of a row
  column_pitch: 300nm     # bit line, tab and shield of a column
  row_width: 50nm
  column_width: 50nm
  planes:                 # rows run on the lower metal, bit lines on the one above
    - {row: M2, column: M3}
    - {row: M4, column: M5}

readout:
  double_sampling: true   # the difference of two samples: reset noise and charge injection cancel
""",
    "res_via": """\
cell:
  kind: res_via           # current readout; a deliberate resistor at each crossing that stores a one
  row_pitch: 160nm        # a via and its space
  column_pitch: 160nm
  resistance: 500kohm     # a plain via (a few ohm) would short the rows together and is refused
  planes:
    - {row: metal2, column: metal3}
""",
}

_TAIL = """\

array:
  rows: 64
  columns: 64
  group_rows: auto        # rows per conversion: the largest group that keeps the code-error target
  group_candidates: [4, 8, 16]

weights:
  random: [64, 8]         # replace by  file: model.safetensors  and  tensor: NAME
  bits: 4

inputs:
  bits: 4
  source: random
  vectors: 16

conditions:
  corners: [tt, ff, ss]
  vdd: [1.0V]
  temperature: [27degC]

characterization:
  samples: 40
  seed: 1

specs:                    # what is asked of a run: exit code 1 if one is missed
  - code_error < 1e-4
  - csnr > 20 at all      # at every condition
"""

_STACKS = {"cap_balanced": "generic28", "res_via": "open45"}


def write_starter(folder: Path, cell: str = "cap_balanced") -> Path:
    """Write `metalrom.yaml` into `folder` (made if missing) and return its path.

    Raises InputError for an unknown cell or if the file is there already.
    """
    if cell not in _CELLS:
        raise InputError(f"no starter for the cell `{cell}`", hint=suggest(cell, _CELLS))
    ensure_output_folder(folder)
    path = folder / "metalrom.yaml"
    if path.exists():
        raise InputError("there is a configuration already", where=str(path), hint="choose another folder")
    atomic_write_text(path, _HEAD.format(stack=_STACKS[cell]) + _CELLS[cell] + _TAIL)
    return path
