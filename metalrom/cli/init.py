"""`metalrom init`: a commented configuration that runs as it is, without any download."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from interconnect.errors import InputError
from interconnect.files import atomic_write_text
from interconnect.suggestion import suggest
from metalrom.folders import ensure_output_folder

_HEAD = """\
# A metalrom project. `metalrom schema` lists every key; quantities carry their unit (100nm, 0.9V, 20aF).
name: my_macro

technology:
  stack: {stack}  # open45 (published FreePDK45 figures), generic28 (estimate) or a YAML of your own
  devices: {devices}  # transistor cards

"""

_CHARGE = """\
{{pitch}}  planes:                 # rows run on the lower metal, bit lines on the one above
{{planes}}
readout:
  kind: ideal             # stated in numbers, for a first look{chain}
  double_sampling: true   # the difference of two samples: reset noise and charge injection cancel
"""
_CHAIN = "; chain: transistors from the bit line to the code"

_CELLS = {
    "cap_present": """\
cell:
  kind: cap_present       # charge readout; the via joins a finger to the row (1) or is left out (0)
"""
    + _CHARGE.format(chain=_CHAIN),
    "cap_balanced": """\
cell:
  kind: cap_balanced      # charge readout; the via ties a tab to the row's signal (1) or ground line (0)
"""
    + _CHARGE.format(chain=_CHAIN),
    "cap_select": """\
cell:
  kind: cap_select        # charge readout; the via ties a tab to one of the row's several lines
  levels: 4               # lines and symbols
"""
    + _CHARGE.format(chain=""),
    "cap_ternary": """\
cell:
  kind: cap_ternary       # charge readout; the via ties a plate to either bit line of a pair, or to none: -1, 0, 1
"""
    + _CHARGE.format(chain=""),
    "res_via": """\
cell:
  kind: res_via           # current readout; a deliberate resistor at each crossing that stores a one
{pitch}  resistance: 500kohm     # a plain via (a few ohm) would short the rows together and is refused
  planes:
{planes}""",
}

_PITCH = {
    ("cap_balanced", "generic28"): """\
  row_pitch: 200nm        # signal and ground line of a row
  column_pitch: 300nm     # bit line, tab and shield of a column
  row_width: 50nm
  column_width: 50nm
""",
    ("res_via", "open45"): """\
  row_pitch: 160nm        # a via and its space
  column_pitch: 160nm
""",
}
"""Pitches for the stack that each cell starts with; on any other the smallest that it allows are taken."""

_TAIL = """\

array:
  rows: {rows}
  columns: 64
  group_rows: auto        # rows per conversion: the largest group that keeps the code-error target
  group_candidates: {candidates}

weights:
{weights}

inputs:
  bits: {bits}
  source: random
  vectors: 16

conditions:
  corners: [tt, ff, ss]
{supply}  temperature: [27degC]

characterization:
  samples: 40
  seed: 1

specs:                    # what is asked of a run: exit code 1 if one is missed
  - code_error < 1e-4
  - csnr > 20 at all      # at every condition
"""

_STACKS = dict.fromkeys(_CELLS, "generic28") | {"res_via": "open45"}
STARTER_BITS = (2, 4, 6, 8)


@dataclass(frozen=True)
class Starter:
    """What a starter is asked for. stack, devices: built-in or a YAML file; None: what suits the cell.

    weights: a weight file, None: random weights; tensor: its name in the file; bits: per weight, sign included.
    """

    cell: str = "cap_balanced"
    stack: str | None = None
    devices: str = "open45"
    rows: int = 64
    weights: Path | None = None
    tensor: str | None = None
    bits: int = 4


def write_starter(folder: Path, asked: Starter | str = "cap_balanced") -> Path:
    """Write `metalrom.yaml` into `folder` (made if missing) and return its path.

    It is loaded before it is written: what is written can be run. Raises InputError for an unknown cell, stack or
    device set, a number that does not fit, an unreadable weight file, or if the file is there already.
    """
    asked = Starter(asked) if isinstance(asked, str) else asked
    path = folder / "metalrom.yaml"
    if path.exists():
        raise InputError("a configuration already exists", where=str(path), hint="choose another folder")
    text = starter_text(asked, folder)
    _check(path, text, asked)
    ensure_output_folder(folder)
    return atomic_write_text(path, text)


def starter_text(asked: Starter, folder: Path) -> str:
    """The configuration as text; `folder`: where it will lie. Raises InputError as `write_starter`."""
    if asked.cell not in _CELLS:
        raise InputError(f"no starter exists for the cell `{asked.cell}`", hint=suggest(asked.cell, _CELLS))
    if asked.rows < 4:
        raise InputError(f"rows is {asked.rows}", where="--rows", hint="at least 4: the smallest group")
    if asked.bits not in STARTER_BITS:
        raise InputError(f"bits is {asked.bits}", where="--bits", hint="2, 4, 6 or 8")
    stack = asked.stack or _STACKS[asked.cell]
    cell = _CELLS[asked.cell].format(
        pitch=_PITCH.get((asked.cell, stack), ""), planes=_planes(asked.cell, stack, folder)
    )
    supply = "" if asked.devices != "open45" else "  vdd: [1.0V]\n"
    head = _HEAD.format(stack=_quoted(_from(stack, folder)), devices=_quoted(_from(asked.devices, folder)))
    candidates = [n for n in (4, 8, 16) if n <= asked.rows]
    tail = _TAIL.format(
        rows=asked.rows, candidates=candidates, weights=_weights(asked, folder), bits=max(asked.bits, 4), supply=supply
    )
    return head + cell + _variation(asked.cell, stack) + tail


def _variation(cell: str, stack: str) -> str:
    """A stated mismatch where the stack has no law for the drawn cell: the user's to replace."""
    from interconnect.stackfile import load_stack

    if cell != "res_via" and load_stack(Path(stack) if _is_file(stack) else stack).spread is not None:
        return ""
    what = "resistor plug" if cell == "res_via" else "cell"
    return (
        "\nvariation:                 # the stack has no law for the mismatch of this cell: state your own\n"
        f"  cell_sigma: 2.5%\n  source: assumed for this {what}\n"
    )


def _planes(cell: str, stack: str, folder: Path) -> str:
    """The storing planes: pairs of metals of the stack, from the second metal up."""
    from interconnect.stackfile import load_stack

    metals = [layer.name for layer in load_stack(Path(stack) if _is_file(stack) else stack).metals]
    if len(metals) < 2:
        raise InputError(f"the stack {stack} has {len(metals)} metal(s)", where="--stack", hint="two are needed")
    first = 1 if len(metals) > 2 else 0
    pairs = [metals[k : k + 2] for k in range(first, len(metals) - 1, 2)][: 1 if cell == "res_via" else 2]
    return "".join(f"    - {{row: {row}, column: {column}}}\n" for row, column in pairs)


def _weights(asked: Starter, folder: Path) -> str:
    if asked.weights is None:
        if asked.tensor is not None:
            raise InputError("a tensor is given without a file", where="--tensor", hint="add --weights FILE")
        shown = f"  random: [{asked.rows}, 8]         # replace by  file: model.safetensors  and  tensor: NAME"
        return f"{shown}\n  bits: {asked.bits}"
    lines = [f"  file: {_quoted(_from(str(asked.weights), folder, file=True))}"]
    lines += [f"  tensor: {_quoted(asked.tensor)}"] if asked.tensor is not None else []
    lines += ["  # transpose: true     # if the file holds (outputs, inputs), as torch does", f"  bits: {asked.bits}"]
    return "\n".join(lines)


def _is_file(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))


def _from(name: str, folder: Path, *, file: bool = False) -> str:
    """A path as the configuration in `folder` will read it (relative to itself); a built-in name as it is."""
    if (not file and not _is_file(name)) or name.startswith("asset:"):
        return name
    return str(Path(name).resolve())


def _quoted(text: str) -> str:
    """A YAML scalar: bare where that is safe."""
    plain = text.replace("_", "").replace("-", "").replace(".", "").replace("/", "").isalnum() and text.isascii()
    return text if plain and not text.replace(".", "").isdigit() else json.dumps(text, ensure_ascii=False)


def _check(path: Path, text: str, asked: Starter) -> None:
    """Load the text as a project, with its weights if a file was given. Raises InputError."""
    import yaml

    from interconnect.validation import validate
    from metalrom.api import Project
    from metalrom.config.schema import Config

    project = Project(validate(Config, yaml.safe_load(text), where=str(path)), path)
    _ = project.technology, project.specs
    project.geometry(0)
    if asked.weights is not None:
        _ = project.weights


def ask_starter(prompt: Callable[[str, str], str], asked: Starter) -> Starter:
    """The same with what the user answers; `prompt(question, default)` asks one question."""
    cell = prompt(f"cell kind ({', '.join(_CELLS)})", asked.cell)
    if cell not in _CELLS:
        raise InputError(f"no starter exists for the cell `{cell}`", hint=suggest(cell, _CELLS))
    stack = prompt("metal stack (built-in name or a YAML file)", asked.stack or _STACKS[cell])
    rows = _number(prompt("rows of the array", str(asked.rows)), "rows")
    file = prompt("weight file (empty: random weights)", "")
    tensor = (prompt("tensor in the file (empty: the only one)", "") or None) if file else None
    bits = _number(prompt("bits per weight (2, 4, 6 or 8)", str(asked.bits)), "bits")
    return Starter(cell, stack, asked.devices, rows, Path(file) if file else None, tensor, bits)


def _number(text: str, what: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InputError(f"{what} is {text!r}", hint="a whole number is needed") from None
