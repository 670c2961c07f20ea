"""Every ternary matrix of a network as netlist and masks: digits into cells, audit, vias, and what a new model changes.

    python benchmarks/ternary_network.py out/network                          # stand-ins, see below
    python benchmarks/ternary_network.py out/network MODEL_A MODEL_B          # folders of the format `bitnet`
    python benchmarks/ternary_network.py out/network MODEL_A --matrices 3 --keep

A matrix goes onto tiles of 384 rows x 96 columns x 4 planes of the ternary tie (`examples/minilm_trits.yaml` with
`weights.bits: ternary`, `mapping: ternary`): one cell per weight. For each of them: the netlist of the macro with its
readout is written and audited, the masks of its planes are drawn as GDSII and read back, every cell's digit is decoded
from its vias and compared with the file, vias are counted by sign. With a second model its masks are drawn too and
KLayout's exclusive or tells which layers differ (`metalrom respin` by its Python interface). What must come out follows
from the digits of the files alone and is printed first; the last line says whether it did, and the exit code too.

Without models two stand-ins are made of the float MiniLM-L6 (`metalrom fetch minilm`): per output zero below
0.7 mean|w|, scale the mean of the others, without any training; in the second, one digit of fifty of every matrix is
another one. Netlists and masks are removed once they are judged, unless `--keep`. Times are CPU seconds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from safetensors.numpy import save_file

from metalrom.api import Project
from metalrom.assets import asset_path
from metalrom.config.schema import Config
from metalrom.layout.audit import symbols_of
from metalrom.layout.check import plan_of
from metalrom.layout.files import write_layout
from metalrom.layout.plan import Plan
from metalrom.layout.read import open_layout
from metalrom.studies.distill.package import packed_digits
from metalrom.studies.respin.difference import compare_layouts
from netlists.mapping import weights_of
from netlists.weights import load_blocks, load_weights, tensor_shapes, ternary_names

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "minilm_trits.yaml"
ROWS, COLUMNS = 384, 96
"""Of a plane of a tile: the network's matrices fill all four planes of all tiles."""

THRESHOLD = 0.7
CHANGED = 0.02
"""Share of the digits that differ between the stand-ins."""

Digits = NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Built:
    """One matrix as drawn: rows and columns, digits that are not 0, cuts by sign as found in the file, wrong cells of
    netlist and masks, bytes, CPU seconds."""

    name: str
    rows: int
    columns: int
    nonzero: int
    plus: int
    minus: int
    wrong: int
    netlist: int
    masks: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Changed:
    """Two models' masks of one matrix: vias removed and added, as found and as the digits say; other layers."""

    removed: int
    added: int
    expected: tuple[int, int]
    others: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """The vias that differ are those of the digits, and no other layer differs."""
        return (self.removed, self.added) == self.expected and not self.others


def is_matrix(name: str) -> bool:
    """Whether a tensor of MiniLM is one of its 36 encoder matrices."""
    return name.startswith("encoder.layer.") and name.endswith(".weight") and "LayerNorm" not in name


def write_ternary(folder: Path, matrices: dict[str, tuple[Digits, NDArray[Any]]]) -> Path:
    """A folder of the format `bitnet`. matrices: digits (outputs, inputs), outputs a multiple of 4, and one factor per
    output."""
    tensors: dict[str, NDArray[Any]] = {}
    for name, (digits, scale) in matrices.items():
        tensors[name] = packed_digits(digits)
        tensors[f"{name}_scale"] = scale.astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    quantization = {"quant_method": "bitnet", "linear_class": "autobitlinear"}
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", "quantization_config": quantization}) + "\n")
    return folder


def stand_in(folder: Path, *, changed: float = 0.0, seed: int = 1) -> Path:
    """MiniLM-L6 cut to ternary digits without training. changed: share of digits that become another one."""
    file = asset_path("minilm", "model.safetensors")
    generator, matrices = np.random.default_rng(seed), {}
    for name in filter(is_matrix, tensor_shapes(file)):
        w = load_weights(file, name)
        size = np.abs(w)
        kept = size >= THRESHOLD * size.mean(axis=1, keepdims=True)
        digits = (np.sign(w) * kept).astype(np.int8)
        scale = (size * kept).sum(axis=1) / kept.sum(axis=1).clip(1)
        other = generator.random(w.shape) < changed
        step = generator.integers(1, 3, w.shape)
        digits = np.where(other, (digits + 1 + step) % 3 - 1, digits).astype(np.int8)
        matrices[name] = digits, scale
    return write_ternary(folder, matrices)


def project_of(folder: Path, tensor: str) -> Project:
    """A matrix of a folder on tiles of the ternary tie."""
    data = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    data["name"] = tensor.replace(".", "_")[:60]
    data["array"] |= {"rows": ROWS, "columns": COLUMNS}
    data["weights"] = {"file": str(folder.resolve()), "tensor": tensor, "transpose": True, "bits": "ternary"}
    data["mapping"] = "ternary"
    data["inputs"] = {"source": "random"}
    return Project(Config.model_validate(data), EXAMPLE)


def masks(project: Project, path: Path) -> tuple[Plan, int]:
    """Draw all tiles of a matrix; (what is drawn, bytes)."""
    plan = plan_of(project, "macro")
    return plan, write_layout(plan, path).size


def read_digits(plan: Plan, path: Path, shape: tuple[int, int]) -> tuple[Digits, int, int]:
    """(digits that the vias of a file mean, shape (inputs, outputs), cuts in it, cuts that mean nothing)."""
    values = np.array((0, 1, -1), np.int8)
    shapes = open_layout(path).flatten(plan.grid)
    digits = np.full(shape, -2, np.int8)
    strange = 0
    for part in plan.parts:
        assert part.scope is not None
        place = part.scope.placement
        symbols, lost = symbols_of(plan, part, shapes)
        strange += len(lost) + int((symbols < 0).sum())
        columns = slice(place.column_start, place.column_stop)
        digits[place.row_start : place.row_stop, columns] = values[symbols]
    vias = {plan.stack.via_between(p.pattern.plane.row, p.pattern.plane.column).name for p in plan.parts}
    numbers = [plan.layers.layers[name].drawing for name in vias]
    return digits, sum(len(shapes.of(number)) for number in numbers), strange


def build(folder: Path, tensor: str, out: Path, *, keep: bool) -> tuple[Built, Path]:
    """Netlist, audit and masks of a matrix, judged against the digits of its file; (figures, masks)."""
    begun = time.process_time()
    digits = load_blocks(folder, tensor).integers
    project = project_of(folder, tensor)
    wrong = int((weights_of(project.program) != digits).sum())
    netlist, drawn = out / f"{tensor}.cir", out / f"{tensor}.gds"
    written = project.netlist("macro", netlist)
    assert not isinstance(written, str)
    audit = project.audit(netlist, "macro")
    wrong += audit.wrong_bits + audit.missing + audit.duplicate + audit.unknown + (not audit.ok)
    plan, size = masks(project, drawn)
    found, cuts, strange = read_digits(plan, drawn, digits.shape)
    wrong += int((found != digits).sum()) + strange + (cuts != np.count_nonzero(found))
    if not keep:
        netlist.unlink()
    nonzero, plus, minus = (int(np.count_nonzero(part)) for part in (digits, found > 0, found < 0))
    seconds = time.process_time() - begun
    inputs, outputs = digits.shape
    return Built(tensor, inputs, outputs, nonzero, plus, minus, wrong, written.size, size, seconds), drawn


def compare(first: Path, folders: tuple[Path, Path], tensor: str, out: Path, *, keep: bool) -> Changed:
    """Draw the second model's matrix and compare the masks."""
    one, two = (load_blocks(folder, tensor).integers for folder in folders)
    second = out / f"{tensor}.second.gds"
    masks(project_of(folders[1], tensor), second)
    found = compare_layouts(first, second)
    cuts = [layer for layer in found.changed if layer.kind == "cut"]
    expected = tuple(int(((one != two) & (x != 0)).sum()) for x in (one, two))
    if not keep:
        second.unlink()
    return Changed(
        sum(layer.removed for layer in cuts),
        sum(layer.added for layer in cuts),
        (expected[0], expected[1]),
        tuple(layer.name for layer in found.changed if layer.kind != "cut"),
    )


def show(rows: list[Built], changed: list[Changed]) -> None:
    """Print the table and its totals."""
    more = " vias removed | vias added | other layers |" if changed else ""
    print(f"\n| matrix | rows | columns | digits not 0 | vias + | vias - | wrong | netlist, MB | GDS, MB | s |{more}")
    print(f"|---{'|---' * (9 + 3 * bool(changed))}|")
    for k, b in enumerate(rows):
        end = ""
        if changed:
            c = changed[k]
            end = f" {c.removed:,} | {c.added:,} | {', '.join(c.others) or 'none'} |"
        print(
            f"| {b.name} | {b.rows} | {b.columns} | {b.nonzero:,} | {b.plus:,} | {b.minus:,} | {b.wrong} "
            f"| {b.netlist / 1e6:.1f} | {b.masks / 1e6:.2f} | {b.seconds:.1f} |{end}"
        )
    total = [sum(getattr(b, key) for b in rows) for key in ("nonzero", "plus", "minus", "wrong", "netlist", "masks")]
    end = f" {sum(c.removed for c in changed):,} | {sum(c.added for c in changed):,} | |" if changed else ""
    cells = sum(b.rows * b.columns for b in rows)
    print(
        f"| all {len(rows)} | {cells:,} cells | | {total[0]:,} | {total[1]:,} | {total[2]:,} | {total[3]} "
        f"| {total[4] / 1e6:.1f} | {total[5] / 1e6:.2f} | {sum(b.seconds for b in rows):.1f} |{end}"
    )


def main() -> None:
    """Print what the digits predict, then the table and the verdict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of netlists and masks")
    parser.add_argument("models", type=Path, nargs="*", help="one or two folders of the format `bitnet`")
    parser.add_argument("--matrices", type=int, help="only the first N")
    parser.add_argument("--keep", action="store_true", help="keep netlists and masks")
    parser.add_argument("--no-second", action="store_true", help="no stand-in for a second model")
    arguments = parser.parse_args()
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    models = list(arguments.models)
    if not models:
        models = [stand_in(out / "stand_in")]
        models += [] if arguments.no_second else [stand_in(out / "stand_in_changed", changed=CHANGED)]
        print("models: stand-ins, ternary after training without distillation")
    if len(models) > 2:
        parser.error("one or two models")
    names = ternary_names(models[0])[: arguments.matrices]
    digits = [load_blocks(models[0], name).integers for name in names]
    nonzero = sum(np.count_nonzero(d) for d in digits)
    cells = sum(d.size for d in digits)
    print(f"expected: {cells:,} cells for {cells:,} weights, {nonzero:,} vias ({100 * nonzero / cells:.1f} %), 0 wrong")
    if len(models) == 2:
        other = [load_blocks(models[1], name).integers for name in names]
        differ = sum(int((a != b).sum()) for a, b in zip(digits, other, strict=True))
        print(f"expected: {differ:,} digits differ ({100 * differ / cells:.2f} %), in via layers alone")
    begun = time.process_time()
    rows, changed = [], []
    for name in names:
        built, drawn = build(models[0], name, out, keep=arguments.keep)
        rows.append(built)
        if len(models) == 2:
            changed.append(compare(drawn, (models[0], models[1]), name, out, keep=arguments.keep))
        if not arguments.keep:
            drawn.unlink()
            Path(f"{drawn}.layers.json").unlink()
            Path(f"{drawn.with_suffix('')}.second.gds.layers.json").unlink(missing_ok=True)
        print(f"  {name}: {built.seconds:.1f} s", file=sys.stderr, flush=True)
    show(rows, changed)
    ok = all(b.wrong == 0 and b.nonzero == b.plus + b.minus for b in rows) and all(c.ok for c in changed)
    print(f"\n{'as expected' if ok else 'NOT AS EXPECTED'}; {time.process_time() - begun:.0f} CPU seconds in all")
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
