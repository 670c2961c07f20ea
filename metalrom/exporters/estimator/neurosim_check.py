"""NeuroSim V1.5's array class on the CPU, from a folder of the user's: how often its codes are wrong, count by count.

Its licence (CC BY-NC 4.0) forbids to bring any of it along: the file is run as it lies in the user's copy of the branch
of V1.5, by a Python with torch, without CUDA and without the rest of NeuroSim.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np

from characterization.tables.table import ReadoutTable
from interconnect.arrays import FloatArray
from metalrom.exporters.exporter import ToolMissing, ToolReading
from metalrom.exporters.python_tools import run_probe
from metalrom.exporters.run_data import RunData

VARIABLE = "METALROM_NEUROSIM"
"""Environment variable: folder with NeuroSim V1.5, as its repository has it."""

ARRAY_CLASS = Path("pytorch-quantization", "pytorch_quantization", "cim", "modules", "macro.py")
NAME = "NeuroSim V1.5's array class (CPU)"
DRAWS = 400_000
"""Conversions per count."""
SIGMAS = 5.0
"""Largest accepted distance of a share of wrong codes from ours, in standard errors of the draws."""


def adc_precision(table: ReadoutTable) -> int:
    """`--adc_precision` for a table: bits whose power of two is the largest count where there are such.

    NeuroSim gives the codes 0 to 2^bits, one more than the bits can tell; ours end with the largest count. Where no
    power of two is the largest count its codes go on above, and the full count can also be read as too large.
    """
    return max(1, math.ceil(math.log2(table.adc.codes - 1)))


def expected_errors(table: ReadoutTable, condition: str, bits: int) -> tuple[FloatArray, FloatArray]:
    """Shares of wrong codes with all rows driven, by count, shape (codes,): the table's, and what they are if codes go
    on to 2^bits.
    """
    top = table.adc.codes - 1
    ours = table.code_errors(condition)[-1, : top + 1]
    level, sigma = (v[-1, : top + 1] for v in (table.level[table.index(condition)], table.total_sigma(condition)))
    beyond = ours.copy()
    if 2**bits > top:
        step = (level[top] - level[0]) / top
        distance = (level[0] + (top + 0.5) * step - level[top]) / step * abs(step) / sigma[top]
        beyond[top] += 0.5 * math.erfc(distance / math.sqrt(2))
    return ours, beyond


def validate_neurosim(source: RunData, folder: Path) -> ToolReading:
    """The array class takes the exported means and sigmas: shares of wrong codes, and an exact product without them."""
    path = Path(os.environ.get(VARIABLE, ""), ARRAY_CLASS)
    if not os.environ.get(VARIABLE) or not path.is_file():
        raise ToolMissing(
            "NeuroSim V1.5 is not here", hint=f"name the folder of its source in {VARIABLE}, and a Python with torch"
        )
    table, condition = source.table, source.results.condition
    bits = adc_precision(table)
    data = {"source": str(path.resolve()), "rows": table.rows, "codes": table.adc.codes, "bits": bits, "draws": DRAWS}
    got = run_probe(NAME, "torch", "pip install torch", _SCRIPT, folder, data)
    if isinstance(got, ToolReading):
        return got
    return compare_errors(np.array(got["wrong"]), bool(got["exact"]), table, condition, bits)


def compare_errors(wrong: FloatArray, exact: bool, table: ReadoutTable, condition: str, bits: int) -> ToolReading:
    """Compare the tool's shares of wrong codes with the table's. wrong: by count, shape (codes,)."""
    ours, beyond = expected_errors(table, condition, bits)
    error = np.sqrt(np.maximum(beyond * (1 - beyond), 1 / DRAWS) / DRAWS)
    distance = np.abs(wrong - beyond) / error
    at, top = int(distance.argmax()), len(ours) - 1
    observations = [
        f"worst of {top + 1} counts: count {at}, {wrong[at]:.4g} of {DRAWS} codes wrong, metalrom {beyond[at]:.4g} "
        f"({distance[at]:.1f} standard errors)",
        f"full count {top}: {wrong[top]:.4g}, metalrom {ours[top]:.4g}",
    ]
    if 2**bits > top:
        observations.append(f"its codes go on to {2**bits}, ours end at {top}: too large a code is wrong only there")
    problem = None
    if distance[at] > SIGMAS:
        problem = f"at count {at} it gives {wrong[at]:.4g} wrong codes, metalrom {beyond[at]:.4g}"
    return ToolReading(NAME, problem if exact else "its product without spreads is not the integer product",
                       tuple(observations))  # fmt: skip


_SCRIPT = """
import csv, importlib.util, json, os, sys, types
import torch
data = json.load(sys.stdin)
spec = importlib.util.spec_from_file_location("macro", data["source"])
macro = importlib.util.module_from_spec(spec)
spec.loader.exec_module(macro)
with open(os.path.join(sys.argv[1], "output_noise.csv")) as file:
    rows = list(csv.DictReader(file))
n, codes, bits, draws = (data[k] for k in ("rows", "codes", "bits", "draws"))

class Layer(macro.CIM):
    def __init__(self, means, stds, **arguments):
        self._cim_args = types.SimpleNamespace(output_noise=-1.0, adc_precision=bits, **arguments)
        self._adc_quantizer = types.SimpleNamespace(_disabled=True)
        self.output_noise_means = torch.tensor(means, dtype=torch.float32)
        self.output_noise_stds = torch.tensor(stds, dtype=torch.float32)

torch.manual_seed(1)
torch.set_num_threads(1)
layer = Layer([float(r["mean"]) for r in rows], [float(r["std"]) for r in rows])
weights = (torch.arange(n)[:, None] < torch.arange(codes)[None, :]).to(torch.int32)
wrong, batch = torch.zeros(codes), 20000
for _ in range(draws // batch):
    out = layer.ADC_output(torch.ones((batch, n), dtype=torch.int32), weights, None, 0)
    wrong += (out != torch.arange(codes)).sum(dim=0)

ideal = Layer(range(2**bits + 1), [0.0] * (2**bits + 1), rate_stuck_0=0, rate_stuck_1=0, hook=False, num_arrays_y=2,
              num_arrays_x=1, parallel_read=min(n, 2**bits), sub_array=(n, 8), cycles_per_input=4, input_base=2,
              dac_precision=1, cells_per_weight=4, base=2, bitcell=1, hardware=True)
height = ideal._cim_args.parallel_read * 2
x, w = torch.randint(-8, 8, (16, height)).float(), torch.randint(-8, 8, (height, 6)).float()
exact = bool(torch.equal(ideal.simulate_array(x, w), x @ w))
print(json.dumps({"wrong": (wrong / (draws // batch * batch)).tolist(), "exact": exact}))
"""
