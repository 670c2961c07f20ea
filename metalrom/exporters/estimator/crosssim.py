"""CrossSim: parameters, and ADC and DAC classes that put every conversion through the whole readout table.

CrossSim's own device and ADC models know no level that depends on the number of driven rows. The exported ADC does: a
small conductance of every unprogrammed cell (a power of two, far below one count) lets each column sum carry the driven
rows beside the count, exactly; the ADC splits the sum, looks up level and spreads, and returns the code.
"""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from characterization.tables import json as json_table
from interconnect.arrays import FloatArray
from interconnect.errors import InputError
from interconnect.files import atomic_write_files, read_bytes
from metalrom.exporters.checksum import add_digest, verify_digest
from metalrom.exporters.exporter import Exporter, ToolReading, commented
from metalrom.exporters.probes import ProbePoints, ProbeQuantity, table_values
from metalrom.exporters.python_tools import run_probe
from metalrom.exporters.run_data import RunData
from metalrom.exporters.templates import fill, literal

MODULE = "metalrom_crosssim.py"
PARAMETERS = "crosssim_parameters.json"
_QUANTITIES: tuple[ProbeQuantity, ...] = ("level", "sigma", "code", "code_error", "row_energy", "read_time")


def write_crosssim(source: RunData, folder: Path) -> list[Path]:
    """Write the table (`readout.json`), the parameter file and the module."""
    text = json.dumps(parameters(source), indent=1) + "\n"
    module = fill(
        "crosssim_module.py.j2",
        notes=commented((*source.stamp, *source.assumptions), "#"),
        parameters_file=PARAMETERS,
        parameters_sha256=hashlib.sha256(text.encode()).hexdigest(),
        table_file=json_table.FILE,
        condition=literal(source.results.condition),
        input_bits=source.results.macro_geometry.input_bits,
        off_bits=off_bits(source.table.rows),
    )
    written = json_table.write_json(source.table, folder)
    return written + atomic_write_files(folder, {PARAMETERS: text.encode(), MODULE: add_digest(module, "#")})


def off_bits(rows: int) -> int:
    """An unprogrammed cell conducts 2^-off_bits of a programmed one, so that all rows add less than half a count."""
    return math.ceil(math.log2(rows + 1)) + 2


def parameters(source: RunData) -> dict[str, Any]:
    """The parameter tree: bit-sliced balanced cores of one row group, digital subtraction, one input bit at a time."""
    g = source.results.macro_geometry
    weight, inputs = 2 ** (g.weight_bits - 1) - 1, 2 ** (g.input_bits - 1) - 1
    adc = {
        "model": "MetalromADC",
        "bits": g.adc_bits,
        "signed": False,
        "adc_per_ibit": True,
        "adc_range_option": 2,
    }
    dac = {"model": "MetalromDAC", "bits": g.input_bits, "input_bitslicing": True, "signed": True, "slice_size": 1}
    limits = {"clipping": False, "min": -float(inputs), "max": float(inputs), "percentile": None}
    return {
        "core": {
            "style": 2,
            "rows_max": source.table.rows,
            "cols_max": 0,
            "weight_bits": g.weight_bits,
            "balanced": {"style": 1, "interleaved_posneg": False, "subtract_current_in_xbar": False},
            "bit_sliced": {"style": 1, "num_slices": g.weight_bits - 1},
            "mapping": {
                "weights": {
                    "clipping": False,
                    "min": -float(weight),
                    "max": float(weight),
                    "percentile": None,
                    "row_partition_strategy": 1,
                    "col_partition_strategy": 1,
                },
                "inputs": {"mvm": limits, "vmm": limits},
            },
        },
        "simulation": {"disable_fast_balanced": True},
        "xbar": {
            "device": {"cell_bits": 0, "Rmin": 1.0, "Rmax": float(2 ** off_bits(source.table.rows))},
            "adc": {"mvm": adc, "vmm": adc},
            "dac": {"mvm": dac, "vmm": dac},
        },
    }


def read_back_crosssim(folder: Path, quantity: ProbeQuantity, points: ProbePoints) -> FloatArray | None:
    """Whatever the readout table knows."""
    module = verify_digest(folder / MODULE, "#")
    digest = hashlib.sha256(read_bytes(folder / PARAMETERS)).hexdigest()
    if f'PARAMETERS_SHA256 = "{digest}"' not in module:
        where = str(folder / PARAMETERS)
        raise InputError("its content does not match the checksum in the module", where=where, hint="export it again")
    return table_values(json_table.read_json(folder), quantity, points) if quantity in _QUANTITIES else None


def validate_crosssim(source: RunData, folder: Path) -> ToolReading:
    """CrossSim loads the parameters, computes the run's layer without spreads (exact product) and with them."""
    remedy = "install CrossSim 3.x from its repository"
    vectors, outputs = 16, 32
    stored = source.layer
    data = {"x": stored.activations[:vectors].tolist(), "w": stored.weights[:, :outputs].tolist()}
    got = run_probe("CrossSim", "simulator.algorithms", remedy, _SCRIPT, folder, data)
    if isinstance(got, ToolReading):
        return got
    name = f"CrossSim {got['version']}"
    ideal = stored.activations[:vectors] @ stored.weights[:, :outputs]
    exact = np.array(got["exact"])
    if exact.shape != ideal.shape or np.abs(exact - ideal).max() > 0.5:
        return ToolReading(name, "its product without spreads is not the integer product")
    noise = float(np.mean((np.array(got["noisy"]) - ideal) ** 2))
    csnr = 10 * math.log10(float(np.var(ideal)) / noise) if noise else math.inf
    observations = (
        f"{ideal.size} outputs without spreads equal the integer product",
        f"one chip at {source.results.condition}: CSNR {csnr:.1f} dB over these outputs (one draw, heavy-tailed)",
    )
    return ToolReading(name, None, observations)


_SCRIPT = """
import importlib.metadata, json, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
import metalrom_crosssim as model
DATA = json.load(sys.stdin)
x, w = np.array(DATA["x"]), np.array(DATA["w"])
def product(**options):
    return (model.core(w.T, **options) @ x.T.astype(float)).T.tolist()
version = importlib.metadata.version("CrossSim")
print(json.dumps({"version": version, "exact": product(spreads=False), "noisy": product(seed=1)}))
"""

EXPORTER = Exporter(
    name="crosssim",
    description="CrossSim 3.x parameters with ADC and DAC classes that use the whole readout table",
    precision="exact: shortest decimal text; code errors as computed from them",
    tolerance={"code_error": 1e-9},
    write=write_crosssim,
    read_back=read_back_crosssim,
    validate_with_tool=validate_crosssim,
)
