"""ZigZag: the macro as an accelerator with the costs of its units, and as cells for the IMC model of ZigZag.

`metalrom_accelerator.yaml` counts every multiply-accumulate with the macro's total energy and area.
`metalrom_imc.yaml` gives ZigZag-IMC what it cannot know (cells and row drivers); it adds ADC, adders and accumulators
of its own model, so its sums are not those of metalrom. The memories around the macro are those of ZigZag's example,
not characterized by metalrom.
"""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from numpy import float64
from numpy.typing import NDArray

from interconnect.errors import InputError
from interconnect.files import atomic_write_files
from metalrom.exporters.checksum import add_digest, header, verify_digest
from metalrom.exporters.estimator.digits import PRECISION, TOLERANCE, shown_digits
from metalrom.exporters.estimator.headline import MEANING, NO_WRITE, figure_values, headline
from metalrom.exporters.exporter import Exporter, ToolReading, compare_readings
from metalrom.exporters.probes import ProbePoints, ProbeQuantity
from metalrom.exporters.python_tools import run_probe
from metalrom.exporters.run_data import RunData
from metalrom.exporters.templates import fill

ACCELERATOR_FILE = "metalrom_accelerator.yaml"
CELLS = "metalrom_imc.yaml"


def write_zigzag(source: RunData, folder: Path) -> list[Path]:
    """Write both accelerators."""
    h, g = headline(source), source.estimate.macro.geometry
    units = g.rows * g.weights_per_row
    drivers = h.row_energy / h.energy_conversion * h.energy_mac
    cycle = math.ceil(h.latency / h.read_time)
    figures: dict[str, str | int] = {
        "weight_bits": g.weight_bits,
        "input_bits": g.input_bits,
        "outputs": g.weights_per_row,
        "rows": g.rows,
        "adc_bits": g.adc_bits,
        "unit_energy": _text(h.energy_mac * 1e12),
        "unit_area": _text(h.area * 1e6 / units),
        "cell_energy": _text(drivers * 1e12),
        "cell_area": _text(h.cell_area * g.rows * g.columns * 1e6 / units),
        "latency_ns": _text(h.latency * 1e9),
        "read_ns": _text(h.read_time * 1e9),
        "cycles": cycle,
    }
    notes = header(source, "#", MEANING, f"w_cost 0: {NO_WRITE}", "energies in pJ, areas in mm^2")
    files = {
        name: fill(f"zigzag_{kind}.yaml.j2", notes=notes, **figures)
        for name, kind in ((ACCELERATOR_FILE, "accelerator"), (CELLS, "imc"))
    }
    return atomic_write_files(folder, {name: add_digest(text, "#") for name, text in files.items()})


def read_back_zigzag(folder: Path, quantity: ProbeQuantity, points: ProbePoints) -> NDArray[float64] | None:
    """Energy per MAC and area, from the unit's energy and area."""
    verify_digest(folder / CELLS, "#")
    try:
        array = yaml.safe_load(verify_digest(folder / ACCELERATOR_FILE, "#"))["operational_array"]
        figures: dict[ProbeQuantity, float] = {
            "energy_mac": float(array["unit_energy"]) * 1e-12,
            "area": float(array["unit_area"]) * 1e-6 * math.prod(array["sizes"]),
        }
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        raise InputError("a key is missing or not a number", where=str(folder / ACCELERATOR_FILE)) from None
    return figure_values(figures, quantity, points)


def validate_zigzag(source: RunData, folder: Path) -> ToolReading:
    """ZigZag maps one product onto the accelerator: energy of its MACs and area of its units must agree."""
    g, h = source.estimate.macro.geometry, headline(source)
    size = {"inputs": g.rows, "outputs": g.weights_per_row, "w": g.weight_bits, "x": g.input_bits}
    got = run_probe("ZigZag", "zigzag", "pip install zigzag-dse six", _SCRIPT, folder, size)
    if isinstance(got, ToolReading):
        return got
    name = f"ZigZag {got['version']}"
    wanted: dict[str, tuple[Any, float]] = {
        "energy of one product's MACs, pJ": (got["mac_energy"], h.energy_mac * g.macs * 1e12),
        "area of the units, mm2": (got["area"], h.area * 1e6),
        "area of the cells in its IMC model, mm2": (got["cells_area"], h.cell_area * g.rows * g.columns * 1e6),
    }
    reading = compare_readings(name, wanted, 1e-7)
    whole = f"area of its whole IMC model with its own converters and adders: {got['imc_area']:.4g} mm2"
    return replace(reading, observations=(*reading.observations, whole))


_SCRIPT = """
import contextlib, importlib.metadata, io, json, logging, os, sys
logging.disable(logging.CRITICAL)
size = json.load(sys.stdin)
os.environ["MPLBACKEND"] = "Agg"
from zigzag.api import get_hardware_performance_zigzag
from zigzag.stages.parser.accelerator_parser import AcceleratorParserStage
folder = sys.argv[1]
whole = os.path.join(folder, "metalrom_accelerator.yaml")
layer = {"id": 0, "name": "layer", "operator_type": "Gemm", "equation": "O[b][k]+=W[k][c]*I[b][c]",
         "dimension_relations": [], "loop_dims": ["B", "K", "C"], "loop_sizes": [4, size["outputs"], size["inputs"]],
         "operand_precision": {"O": 24, "O_final": 24, "W": size["w"], "I": size["x"]},
         "operand_source": {"W": 0, "I": 0}}
mapping = [{"name": "default", "memory_operand_links": {"O": "O", "W": "I2", "I": "I1"},
            "spatial_mapping": {"D1": ["K, %d" % size["outputs"]], "D2": ["C, %d" % size["inputs"]]}}]
# four vectors: its printing fails on a mapping without any loop in time
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    with open("mapping.yaml", "w") as file:
        json.dump(mapping, file)
    with open("workload.yaml", "w") as file:
        json.dump([layer], file)
    _, _, cmes = get_hardware_performance_zigzag("workload.yaml", whole, "mapping.yaml", opt="energy",
                                                 dump_folder="out", pickle_filename="out/p", lpf_limit=3,
                                                 loma_show_progress_bar=False)
    accelerator = AcceleratorParserStage.parse_accelerator(whole)
    cells = AcceleratorParserStage.parse_accelerator(os.path.join(folder, "metalrom_imc.yaml"))
print(json.dumps({"version": importlib.metadata.version("zigzag-dse"), "mac_energy": float(cmes[0][0].mac_energy) / 4,
                  "area": accelerator.operational_array.total_area,
                  "cells_area": cells.operational_array.area_breakdown["cells"],
                  "imc_area": cells.operational_array.area}))
"""


def _text(value: float) -> str:
    text = shown_digits(value)
    # YAML 1.1 takes 1e-05 for a word: a number needs its point
    return text if "e" not in text or "." in text else text.replace("e", ".0e")


EXPORTER = Exporter(
    name="zigzag",
    description="ZigZag accelerator (YAML) with our cost per MAC, and cells for ZigZag-IMC",
    precision=PRECISION,
    tolerance={"energy_mac": TOLERANCE, "area": TOLERANCE},
    write=write_zigzag,
    read_back=read_back_zigzag,
    validate_with_tool=validate_zigzag,
)
