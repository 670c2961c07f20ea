"""aihwkit: a noise model and IO parameters with the error power that this macro's conversions add to an output.

aihwkit computes one product per layer and adds Gaussian noise; it knows no bit planes and no count. What can be carried
over is the power of the error (see `estimator.noise`), split into what a chip repeats (noise of the stored
weights) and what every product draws anew (noise of the output).
"""

import math
from pathlib import Path

import numpy as np

from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.files import atomic_write_files
from metalrom.exporters.checksum import add_digest, verify_digest
from metalrom.exporters.estimator.noise import OutputNoise, SampledLayer
from metalrom.exporters.exporter import Exporter, ToolReading, commented
from metalrom.exporters.probes import ProbePoints, ProbeQuantity
from metalrom.exporters.python_tools import run_probe
from metalrom.exporters.run_data import RunData
from metalrom.exporters.templates import fill, read_checked_json, with_json_digest
from metalrom.macro.readout import readout_of

MODULE = "metalrom_aihwkit.py"
DATA = "metalrom_aihwkit.json"
SCHEMA = "metalrom-aihwkit-1"
AGREEMENT_DB = 1.0


def write_aihwkit(source: RunData, folder: Path) -> list[Path]:
    """Write the module and its data."""
    g, table = source.results.macro_geometry, source.table
    sampled = SampledLayer.of(source.layer, table.rows, g.weight_bits, g.input_bits)
    document = {
        "schema": SCHEMA,
        "stamp": list(source.stamp),
        "assumptions": list(source.assumptions),
        "layer": source.results.layer.source,
        "condition": source.results.condition,
        "conditions": [c.label for c in table.conditions],
        "rows": table.rows,
        "weight_bits": g.weight_bits,
        "input_bits": g.input_bits,
        "noise": {
            c.label: noise_parameters(sampled.noise(readout_of(table, c)), g.weight_bits, g.input_bits)
            for c in table.conditions
        },
        "code_error": [[row[: a + 1].tolist() for a, row in enumerate(table.code_errors(c))] for c in table.conditions],
    }
    module = fill(
        "aihwkit_module.py.j2", notes=commented((*source.stamp, *source.assumptions), "#"), data=DATA, schema=SCHEMA
    )
    return atomic_write_files(folder, {DATA: with_json_digest(document), MODULE: add_digest(module, "#")})


def noise_parameters(noise: OutputNoise, weight_bits: int, input_bits: int) -> dict[str, float]:
    """The figures that the module needs, for one row group.

    out_noise: sigma of the output noise of one group, in units of the largest weight times the largest activation;
    weight_noise: sigma of a weight, in units of the largest weight; mean_square_input: of activations whose largest
    possible value is 1. csnr_dB: expected for the layer itself.
    """
    top_w, top_x = 2 ** (weight_bits - 1) - 1, 2 ** (input_bits - 1) - 1
    # the systematic error is no noise, but a tool that adds noise only can carry its power nowhere else
    fresh = (noise.temporal + noise.systematic) / noise.groups
    weight = math.sqrt(noise.frozen / noise.inputs / noise.mean_square_input) if noise.frozen > 0 else 0.0
    return {
        "out_noise": math.sqrt(fresh) / (top_w * top_x),
        "weight_noise": weight / top_w,
        "mean_square_input": noise.mean_square_input / top_x**2,
        "csnr_dB": noise.csnr if math.isfinite(noise.csnr) else 999.0,
    }


def read_back_aihwkit(folder: Path, quantity: ProbeQuantity, points: ProbePoints) -> FloatArray | None:
    """Code error at every point."""
    verify_digest(folder / MODULE, "#")
    document = read_checked_json(folder / DATA)
    if quantity != "code_error":
        return None
    try:
        tables = document["code_error"]
        places = zip(points.condition.tolist(), points.active.tolist(), points.count.tolist(), strict=True)
        return np.array([tables[i][a][c] for i, a, c in places], dtype=np.float64)
    except (KeyError, IndexError, TypeError, AttributeError):
        raise InputError("a code error is missing", where=str(folder / DATA)) from None


def validate_aihwkit(source: RunData, folder: Path) -> ToolReading:
    """aihwkit evaluates the run's layer through the exported model; its CSNR must be the expected one within 1 dB."""
    layer, observations = source.layer, []
    remedy = "pip install aihwkit==1.1.0 and a CPU build of torch"
    data = {
        "x": layer.activations[:256].tolist(),
        "w": layer.weights.tolist(),
    }
    got = run_probe("aihwkit", "aihwkit", remedy, _SCRIPT, folder, data)
    if isinstance(got, ToolReading):
        return got
    name = f"aihwkit {got['version']} with torch {got['torch']}"
    for label, reported in got["csnr"].items():
        expected = float(got["expected"][label])
        observations.append(f"CSNR of the layer at {label}: {reported:.2f} dB, expected {expected:.2f} dB")
        if expected < 900 and not abs(reported - expected) <= AGREEMENT_DB:
            return ToolReading(
                name, f"CSNR at {label} is {reported:.2f} dB, expected {expected:.2f} dB", tuple(observations)
            )
    return ToolReading(name, None, tuple(observations))


_SCRIPT = """
import importlib.metadata, json, sys
import numpy as np
import torch
torch.set_num_threads(1)
torch.manual_seed(1)
sys.path.insert(0, sys.argv[1])
import metalrom_aihwkit as model
DATA = json.load(sys.stdin)
x = torch.tensor(DATA["x"], dtype=torch.float32)
w = torch.tensor(DATA["w"], dtype=torch.float32)
ideal = (x.double() @ w.double()).numpy()
csnr = {}
# enough outputs that the mean power is known to a few per cent, however small the layer
chips = min(300, max(3, 4000 // ideal.size))
for label in model.CONDITIONS:
    power = []
    for chip in range(chips):
        layer = model.linear(w.T, label, input_step=1.0)
        with torch.no_grad():
            y = layer(x).double().numpy()
        power.append(np.mean((y - ideal) ** 2))
    csnr[label] = float(10 * np.log10(ideal.var() / np.mean(power))) if np.mean(power) > 0 else 999.0
print(json.dumps({"version": importlib.metadata.version("aihwkit"), "torch": torch.__version__, "csnr": csnr,
                  "expected": {k: v["csnr_dB"] for k, v in model.NOISE.items()}}))
"""

EXPORTER = Exporter(
    name="aihwkit",
    description="aihwkit noise model and IO parameters (Python module with JSON data)",
    precision="exact: shortest decimal text",
    tolerance={},
    write=write_aihwkit,
    read_back=read_back_aihwkit,
    validate_with_tool=validate_aihwkit,
)
